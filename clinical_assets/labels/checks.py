"""Asset checks of the rule-based labels: Great Expectations, known notes, full coverage."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import dagster as dg

from clinical_assets.labels.coverage import coverage_of
from clinical_assets.labels.suites import CHECKED_COLUMNS, LABELS_SUITE
from clinical_assets.quality.checks import build_expectation_checks
from clinical_assets.storage.lake import Lake
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["build_label_checks"]


def build_label_checks(labeller: str) -> list[dg.AssetChecksDefinition]:
    """Return the checks that every labels table of one labeller has."""
    table = f"labels/{labeller}"

    def read(lake: Lake, batch: str) -> "pd.DataFrame":
        return lake.read(table, batch, CHECKED_COLUMNS).to_pandas()

    suite = build_expectation_checks(
        ["labels", labeller],
        LABELS_SUITE,
        read,
        partitions_def=NOTE_BATCHES,
        name=f"{labeller}_labels_meet_expectations",
    )
    names = ("every_label_has_a_known_note", "every_note_has_every_field")

    @dg.multi_asset_check(
        name=f"{labeller}_labels_cover_the_notes",
        specs=[
            dg.AssetCheckSpec(
                name,
                asset=["labels", labeller],
                blocking=True,
                partitions_def=NOTE_BATCHES,
                additional_deps=[["notes", "notes"]],
            )
            for name in names
        ],
    )
    def labels_cover_the_notes(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, deployment: DeploymentResource
    ) -> Iterator[dg.AssetCheckResult]:
        store, batch = lake.open(), context.partition_key
        labels = store.read(table, batch, ["note_id", "note_sha256", "field"])
        notes = store.read("notes/notes", batch, ["note_id", "text_sha256"])
        coverage = coverage_of(labels, notes, [field.name for field in deployment.load_study().fields])
        for name, n in zip(names, (coverage.n_orphan_labels, coverage.n_missing_labels), strict=True):
            yield dg.AssetCheckResult(
                asset_key=dg.AssetKey(["labels", labeller]),
                check_name=name,
                passed=n == 0,
                metadata={"n_unexpected": n, "n_notes": notes.num_rows, "n_labels": labels.num_rows},
                description=None
                if n == 0
                else "Materialize the labels of this batch again: the notes changed after labelling.",
            )

    return [suite, labels_cover_the_notes]
