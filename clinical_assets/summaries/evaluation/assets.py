"""Dagster assets of the evaluation of summaries: scores per note batch, controls, figures with the report section, export."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.summaries.evaluation.bert_scorer import bert_scorer
from clinical_assets.summaries.evaluation.control_rows import CONTROLS, write_controls
from clinical_assets.summaries.evaluation.export import export_evaluation
from clinical_assets.summaries.evaluation.figures import summary_figures
from clinical_assets.summaries.evaluation.report import section_markdown, write_section
from clinical_assets.summaries.evaluation.scoring import OFFLINE, SCORES, ScoredTable, score_batch
from clinical_assets.summaries.source import note_places
from clinical_assets.summaries.vocabulary import concept_names, vocabulary_of
from resources.deployment import DeploymentResource
from resources.gpu import GpuResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.report import publish_figures
from resources.warehouse import WarehouseResource

__all__ = ["SCORES_KEY", "build_evaluation_assets"]

SCORES_KEY = dg.AssetKey(SCORES.split("/"))
_COMMON: Mapping[str, Any] = {"group_name": "summaries", "owners": ["team:clinical-nlp"], "code_version": "1"}
_MARTS = [
    ["summaries", name] for name in ("metrics", "samples", "checklist", "compression_retention", "input_dependence")
]


def build_evaluation_assets(
    note_scope: dg.AssetKey, tables: Sequence[ScoredTable] = OFFLINE
) -> list[dg.AssetsDefinition]:
    """Return the assets that measure the summaries of `tables`. `note_scope` is the asset of the notes in scope of labelling."""
    return [_scores(note_scope, tables), _controls(tables), summary_report, evaluation_export]


def _keys(tables: Sequence[ScoredTable]) -> list[dg.AssetKey]:
    return [dg.AssetKey(one.table.split("/")) for one in tables]


def _scores(note_scope: dg.AssetKey, tables: Sequence[ScoredTable]) -> dg.AssetsDefinition:
    @dg.asset(
        key=SCORES_KEY,
        deps=[note_scope, *_keys(tables)],
        partitions_def=NOTE_BATCHES,
        kinds={"python", "parquet"},
        tags={"clinical/automation": "what_there_is"},
        description="What each summary keeps, loses and invents, beside the first sentences of its source and the whole source. One row "
        "per summarizer, variant, note and metric, of whatever summaries the batch has. Read by summaries.note_scores.",
        **_COMMON,
    )
    def summary_scores(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        gpu: GpuResource,
    ) -> dg.MaterializeResult:
        study, batch = deployment.load_study(), context.partition_key
        rules = study.summaries.bertscore
        with warehouse.reader().get_connection() as connection:
            run = score_batch(
                lake.open(),
                tables,
                study,
                batch,
                notes_in_scope(warehouse.reader(), batch),
                lambda: vocabulary_of(study, concept_names(connection)),
                places=lambda persons: note_places(connection, persons),
                bertscore=bert_scorer(rules, gpu.device().kind) if rules else None,
                run_id=context.run_id,
                made_at=datetime.now(UTC),
            )
        return dg.MaterializeResult(
            data_version=dg.DataVersion(run.written.digest),
            metadata={
                "dagster/partition_row_count": run.written.n_rows,
                "n_cached": run.n_cached,
                "n_computed": run.n_computed,
                "seconds": run.seconds,
                "n_notes_with_bertscore": run.n_with_bertscore
                if rules
                else "not computed: summaries.bertscore is not set",
                "summaries": dg.MetadataValue.json(run.by_summarizer),
            },
        )

    return summary_scores


def _controls(tables: Sequence[ScoredTable]) -> dg.AssetsDefinition:
    @dg.asset(
        key=CONTROLS.split("/"),
        deps=_keys(tables),
        kinds={"python", "parquet"},
        description="Whether summaries depend on what they summarize: ROUGE-2 with the own source and with those of other persons. One "
        "row per summarizer. Read by summaries.input_dependence.",
        **_COMMON,
    )
    def summary_controls(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> dg.MaterializeResult:
        def places(persons: Collection[int]) -> list[dict[str, Any]]:
            with warehouse.reader().get_connection() as connection:
                return note_places(connection, persons)

        written = write_controls(
            lake.open(),
            tables,
            deployment.load_study(),
            lambda: notes_in_scope(warehouse.reader()),
            places=places,
            run_id=context.run_id,
            made_at=datetime.now(UTC),
        )
        return dg.MaterializeResult(
            data_version=dg.DataVersion(written.digest), metadata={"dagster/row_count": written.n_rows}
        )

    return summary_controls


@dg.asset(key=["report", "summary_figures"], deps=_MARTS, kinds={"python", "matplotlib"}, **_COMMON)
def summary_report(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Figures of the summaries, and report/summaries.md: targets, means with limits, controls, checklist, extremes. A row a metric."""
    shown = publish_figures(context, deployment, warehouse, summary_figures)
    names = [name for name in shown.metadata or {} if name.startswith("summary_")]
    with warehouse.reader().get_connection() as connection:
        text = section_markdown(connection, names)
    path = write_section(deployment.settings().report, text)
    return dg.MaterializeResult(metadata={**(shown.metadata or {}), "section": dg.MetadataValue.path(path)})


@dg.asset(key=["summaries", "export"], deps=_MARTS, kinds={"python", "file"}, **_COMMON)
def evaluation_export(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """The evaluation as files in exports/summaries: a CSV per table, and summaries.json with settings and versions. Rows as there."""
    with warehouse.reader().get_connection() as connection:
        done = export_evaluation(
            connection,
            deployment.load_study(),
            deployment.settings().exports,
            made_at=datetime.now(UTC),
            run_id=context.run_id,
        )
    return dg.MaterializeResult(
        data_version=dg.DataVersion(done.digest),
        metadata={"folder": dg.MetadataValue.path(done.folder), "n_rows": dg.MetadataValue.json(done.n_rows)},
    )
