"""Dagster assets of the offline summaries: two extractive stages, one partition a note batch."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.summaries.source import note_places
from clinical_assets.summaries.stages import COMPRESSED, VERBOSE, Stage, SummaryRun, summarize_batch
from clinical_assets.summaries.vocabulary import concept_names, vocabulary_of
from resources.deployment import DeploymentResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource

__all__ = ["build_summary_assets", "summary_keys"]

_COMMON: Mapping[str, Any] = {
    "partitions_def": NOTE_BATCHES,
    "group_name": "summaries",
    "owners": ["team:clinical-nlp"],
    "kinds": {"python", "parquet"},
    "code_version": "1",
}


def summary_keys() -> list[dg.AssetKey]:
    """Return the keys of the two stages."""
    return [dg.AssetKey(stage.table.split("/")) for stage in (VERBOSE, COMPRESSED)]


def build_summary_assets(note_scope: dg.AssetKey) -> list[dg.AssetsDefinition]:
    """Return the two stages. `note_scope` is the asset of the notes in scope of labelling."""
    return [
        _stage(
            VERBOSE,
            [note_scope],
            "Stage 1, offline: whole sentences that say as many facts as fit, verbatim. One row per note in scope, or per person "
            "and window, with its text (lake only). Read by summaries.compressed_extractive and summaries.summaries.",
        ),
        _stage(
            COMPRESSED,
            [note_scope, dg.AssetKey(VERBOSE.table.split("/"))],
            "Stage 2, offline: clauses of stage 1 that say something new, no number lost. One row per row of stage 1, with its "
            "text (lake only). Read by summaries.summaries.",
        ),
    ]


def _stage(stage: Stage, deps: list[dg.AssetKey], description: str) -> dg.AssetsDefinition:
    @dg.asset(key=stage.table.split("/"), deps=deps, description=description, **_COMMON)
    def summaries(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> dg.MaterializeResult:
        study, batch = deployment.load_study(), context.partition_key
        with warehouse.reader().get_connection() as connection:
            run = summarize_batch(
                lake.open(),
                stage,
                study,
                batch,
                notes_in_scope(warehouse.reader(), batch),
                lambda: vocabulary_of(study, concept_names(connection)),
                places=lambda persons: note_places(connection, persons),
                run_id=context.run_id,
                made_at=datetime.now(UTC),
            )
        return _result(run)

    return summaries


def _result(run: SummaryRun) -> dg.MaterializeResult:
    tokens_in, numeric, entities = (run.totals[name] for name in ("n_tokens_in", "n_numeric", "n_entities"))
    return dg.MaterializeResult(
        data_version=dg.DataVersion(run.written.digest),
        metadata={
            "dagster/partition_row_count": run.written.n_rows,
            "n_cached": run.n_cached,
            "n_computed": run.n_computed,
            "seconds": run.seconds,
            "rows_by_status": dg.MetadataValue.json(run.by_status),
            **run.totals,
            **({"ratio": run.totals["n_tokens_out"] / tokens_in} if tokens_in else {}),
            **({"numeric_retention": run.totals["n_numeric_kept"] / numeric} if numeric else {}),
            **({"entity_retention": run.totals["n_entities_kept"] / entities} if entities else {}),
        },
    )
