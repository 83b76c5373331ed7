"""Dagster assets of the notes: one step ingests a landed batch into notes, sections, rejects and the intake's record."""

from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from clinical_assets.cohort.omop_landing import OmopLandingError
from clinical_assets.notes.errors import UnreadableBatch
from clinical_assets.notes.intake import intake_batch
from clinical_assets.notes.store import INTAKE_TABLES, store_intake
from clinical_assets.privacy import withhold_messages
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.landing import LandingResource
from resources.partitions import NOTE_BATCHES

__all__ = ["ingest_note_batch"]

_DESCRIPTIONS = {
    "notes": "Stored notes (PHI). One row per note of the batch. Read by every labeller, and by dbt without the text.",
    "sections": "Sections of the stored notes, as offsets into the text. One row per section. Read by labellers and summaries.",
    "rejects": "Landed rows that were quarantined, with the reason. One row per rejected row. Read by data engineers (ops.rejects).",
    "intakes": "What became of the batch's rows. One row per batch. Read by the landing sensor and ops.batches.",
}


@dg.multi_asset(
    name="ingest_note_batch",
    partitions_def=NOTE_BATCHES,
    specs=[
        dg.AssetSpec(
            table.split("/"),
            deps=[["landing", "person"], ["landing", "death"]] if table == "notes/notes" else [],
            group_name="notes",
            owners=["team:clinical-data"],
            kinds={"python", "parquet"},
            tags={"clinical/phi": "yes" if table == "notes/notes" else "no"},
            code_version="1",
            description=_DESCRIPTIONS[table.split("/")[1]],
        )
        for table in INTAKE_TABLES
    ],
)
def ingest_note_batch(
    context: dg.AssetExecutionContext, landing: LandingResource, lake: LakeResource, deployment: DeploymentResource
) -> Iterator[dg.MaterializeResult]:
    """Read one landed file or folder; store what can be stored, quarantine the rest, account for every row."""
    batch, study = context.partition_key, deployment.load_study()
    try:
        with withhold_messages(UnreadableBatch, OmopLandingError, OSError):
            source, digest = landing.batch(batch)
            intake = intake_batch(
                source,
                root=landing.notes_folder(),
                batch=batch,
                digest=digest,
                mapping=study.notes,
                limits=study.limits,
                persons=landing.persons(),
                ingested_at=datetime.now(UTC),
            )
    except UnreadableBatch as error:
        raise dg.Failure(str(error), allow_retries=False) from None
    for table, written, numbers in store_intake(lake.open(), intake, run_id=context.run_id):
        yield dg.MaterializeResult(
            asset_key=dg.AssetKey(table.split("/")),
            data_version=dg.DataVersion(written.digest),
            metadata={"dagster/partition_row_count": written.n_rows, "n_bytes": written.n_bytes, **numbers},
        )
