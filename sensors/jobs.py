"""Jobs that a person or the command line launches; automation needs none of them."""

from typing import TYPE_CHECKING

import dagster as dg

from sensors.quality import without_standing_checks

if TYPE_CHECKING:
    from dagster._core.definitions.unresolved_asset_job_definition import UnresolvedAssetJobDefinition

__all__ = ["build_jobs"]


def build_jobs(
    *, per_batch: list[dg.AssetKey], intake: list[dg.AssetKey], landing: list[dg.AssetKey], warehouse: list[dg.AssetKey]
) -> "list[UnresolvedAssetJobDefinition]":
    """Return the jobs over the given assets: everything per batch, labels per batch, the warehouse, the landed snapshots."""
    labels = [key for key in per_batch if key not in intake]
    return [
        _job(
            "materialize_note_batch",
            without_standing_checks(per_batch),
            "Everything that is per note batch: intake and labels, with their checks.",
        ),
        _job("label_note_batch", without_standing_checks(labels), "Labels of one note batch, with their checks."),
        _job(
            "build_warehouse_job",
            dg.AssetSelection.assets(*warehouse),
            "Rebuild every table that analysts see, test it, publish it.",
        ),
        _job(
            "observe_landing",
            dg.AssetSelection.assets(*landing),
            "Record the data versions of the landed OMOP snapshots.",
        ),
    ]


def _job(name: str, selection: dg.AssetSelection, description: str) -> "UnresolvedAssetJobDefinition":
    return dg.define_asset_job(name, selection=selection, description=description)
