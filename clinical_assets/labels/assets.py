"""Dagster assets of the labels, one per labeller and note batch: the two rule-based ones and every model of the catalogue."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

import dagster as dg
from dagster._core.storage.tags import AUTOMATION_CONDITION_TAG

from clinical_assets.labels.adapter_choice import FOLLOWS, adapter_for
from clinical_assets.labels.batch import LabelRun, label_batch
from clinical_assets.labels.demo_models import demo_orders, train_all
from clinical_assets.labels.evaluation_figures import label_figures
from clinical_assets.labels.ledger import LabelTally
from clinical_assets.labels.model_labels import ModelRun, label_batch_with_model, question_of
from clinical_assets.labels.regex_labels import label_identity, label_notes, label_notes_seed
from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.language_models.catalogue import LABELS_TASK, ModelEntry
from clinical_assets.language_models.opening import Usage, backend_revision
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL
from resources.lake import LakeResource
from resources.language_models import LanguageModelsResource
from resources.partitions import NOTE_BATCHES
from resources.report import publish_figures
from resources.warehouse import WarehouseResource

__all__ = [
    "MODEL_LABELS",
    "NOTE_SCOPE",
    "build_adapted_label_assets",
    "build_demo_model_assets",
    "build_model_label_assets",
    "build_rule_label_assets",
    "label_report_figures",
    "model_labels_key",
]

# dbt reads the labels of all models as one source; in the graph they are one asset a model.
MODEL_LABELS = dg.AssetKey(["labels", "models"])
NOTE_SCOPE = dg.AssetKey(["notes", "note_scope"])
_COMMON: Mapping[str, Any] = {
    "partitions_def": NOTE_BATCHES,
    "group_name": "labels",
    "owners": ["team:clinical-nlp"],
}


def model_labels_key(entry: ModelEntry, *, adapted: bool = False) -> dg.AssetKey:
    """Return the key of a model's labels, without an adapter or with one."""
    return dg.AssetKey(["labels", entry.adapted_labeller if adapted else entry.labeller])


def build_rule_label_assets() -> list[dg.AssetsDefinition]:
    """Return the labels of the assertion engine and of the seed's rule."""
    return [
        _rule_labels("regex", "Labels by terms and ConText-style assertion.", with_sections=True),
        _rule_labels("regex_seed", "Labels by the seed's rule, kept as a baseline.", with_sections=False),
    ]


def _rule_labels(labeller: str, what: str, *, with_sections: bool) -> dg.AssetsDefinition:
    @dg.asset(
        key=["labels", labeller],
        deps=[["notes", "notes"], *([["notes", "sections"]] if with_sections else [])],
        kinds={"python", "parquet"},
        tags={"clinical/automation": "follow_code"},
        code_version="1",
        description=f"{what} One row per note and field of the study. Read by labels.regex_labels.",
        **_COMMON,
    )
    def rule_labels(
        context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
    ) -> dg.MaterializeResult:
        study, store, batch = deployment.load_study(), lake.open(), context.partition_key
        given: dict[str, Any] = {"study": study, "run_id": context.run_id, "labelled_at": datetime.now(UTC)}
        if with_sections:
            label = partial(label_notes, sections=store.read("notes/sections", batch), **given)
        else:
            label = partial(label_notes_seed, **given)
        identity = label_identity(study, labeller)
        return _rule_result(label_batch(store, f"labels/{labeller}", batch, identity, label, context.log.info))

    return rule_labels


def build_demo_model_assets(entries: list[ModelEntry]) -> list[dg.AssetsDefinition]:
    """Return one asset a demo model; empty where the catalogue has none."""
    by_key = {dg.AssetKey(["models", entry.name]): entry for entry in entries if entry.recipe}
    if not by_key:
        return []

    @dg.multi_asset(
        name="demo_model_weights",
        can_subset=True,
        pool=GPU_POOL,
        specs=[
            dg.AssetSpec(
                key,
                group_name="models",
                owners=["team:clinical-nlp"],
                kinds={"python", "pytorch"},
                code_version="1",
                description=f"{entry.description}. A folder (no row): safetensors, kept by the digest of recipe and "
                "question. Not clinical evidence: it knows the phrases of the synthetic hospital. Read by its labels.",
            )
            for key, entry in by_key.items()
        ],
    )
    def demo_models(
        context: dg.AssetExecutionContext, deployment: DeploymentResource
    ) -> Iterator[dg.MaterializeResult]:
        chosen = [by_key[key] for key in sorted(context.selected_asset_keys)]
        orders = demo_orders(chosen, deployment.load_study(), deployment.settings().models)
        for made in train_all(orders, context.log.info):
            yield dg.MaterializeResult(
                asset_key=["models", made.entry.name],
                data_version=dg.DataVersion(backend_revision(made.entry, made.folder)),
                metadata={"folder": dg.MetadataValue.path(made.folder), "seconds_of_training": round(made.seconds, 1)},
            )

    return [demo_models]


def build_model_label_assets(entries: list[ModelEntry]) -> list[dg.AssetsDefinition | dg.AssetSpec]:
    """Return the labels of each model, and the notes in scope, which the build of the warehouse reports per batch."""
    scope = dg.AssetSpec(
        NOTE_SCOPE,
        deps=[["notes", "labelling_scope"], ["notes", "notes"]],
        partitions_def=NOTE_BATCHES,
        group_name="notes",
        owners=["team:clinical-data"],
        kinds={"duckdb"},
        description="The rows of notes.labelling_scope that belong to a note batch: one row per note to be labelled. Its data "
        "version changes only if these notes or their texts do, so that models are run for what changed and nothing else.",
    )
    return [scope, *(_model_labels(entry) for entry in entries)]


def build_adapted_label_assets(entries: list[ModelEntry]) -> list[dg.AssetsDefinition]:
    """Return the labels of each model with its promoted adapter."""
    return [_adapted_labels(entry) for entry in entries]


def _model_labels(entry: ModelEntry) -> dg.AssetsDefinition:
    @dg.asset(
        key=model_labels_key(entry),
        deps=[NOTE_SCOPE, *_weights(entry)],
        tags=_tags(entry),
        description=f"Labels by {entry.description}. One row per note in scope and field that models are asked about. "
        "Read by labels.model_labels.",
        **_of_model(entry),
    )
    def model_labels(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        language_models: LanguageModelsResource,
    ) -> dg.MaterializeResult:
        return _label(context, entry, None, lake, warehouse, deployment, language_models)

    return model_labels


def _adapted_labels(entry: ModelEntry) -> dg.AssetsDefinition:
    promotion = ["adapters", f"{LABELS_TASK}_{entry.name}_promotion"]

    @dg.asset(
        key=model_labels_key(entry, adapted=True),
        deps=[NOTE_SCOPE, promotion, *_weights(entry)],
        output_required=False,
        # A new adapter is no reason to label the past anew: that is a backfill, which a person starts.
        tags={**_tags(entry), "clinical/automation": "keep_history"},
        description=f"Labels by {entry.name} with its promoted adapter. One row per note in scope and field that models are "
        "asked about. Read by labels.model_labels.",
        **_of_model(entry),
    )
    def adapted_labels(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        language_models: LanguageModelsResource,
    ) -> Iterator[dg.MaterializeResult]:
        adapter = adapter_for(
            lake.open(),
            deployment.settings().models,
            entry,
            context.partition_key,
            keep=not {AUTOMATION_CONDITION_TAG, FOLLOWS}.isdisjoint(context.run.tags),
        )
        if adapter is None:
            context.log.warning(
                f"No adapter of {entry.name} is promoted: nothing is labelled, least of all by its base"
            )
            return
        yield _label(context, entry, adapter, lake, warehouse, deployment, language_models)

    return adapted_labels


def _weights(entry: ModelEntry) -> list[list[str]]:
    return [["models", entry.name]] if entry.recipe else []


def _tags(entry: ModelEntry) -> dict[str, str]:
    return {"clinical/profile": entry.profile, "clinical/backend": entry.backend}


def _of_model(entry: ModelEntry) -> dict[str, Any]:
    """What the labels of a model have in common, with an adapter or without."""
    return {
        "kinds": {"python", "parquet", "huggingface" if entry.backend != "server" else "openai"}
        | ({"gpu"} if entry.profile == "gpu" else set()),
        "pool": GPU_POOL,
        "metadata": {
            "model": entry.model or f"demo recipe {entry.recipe}",
            "licence": entry.licence,
            "decoding": entry.full_decoding,
        },
        "code_version": "1",
        **_COMMON,
    }


def _label(
    context: dg.AssetExecutionContext,
    entry: ModelEntry,
    adapter: str | None,
    lake: LakeResource,
    warehouse: WarehouseResource,
    deployment: DeploymentResource,
    language_models: LanguageModelsResource,
) -> dg.MaterializeResult:
    """Label the notes in scope of the run's batch."""
    study, usage = deployment.load_study(), Usage()
    question = question_of(study, entry)
    given: dict[str, Any] = {"adapter": adapter, "log": context.log.info, "usage": usage}
    run = label_batch_with_model(
        lake.open(),
        entry,
        study,
        context.partition_key,
        notes_in_scope(warehouse.reader(), context.partition_key),
        language_models.revision(entry, question.schema, question.prompt),
        lambda q: language_models.open(entry, q.schema, q.prompt, **given),
        adapter=adapter or "",
        run_id=context.run_id,
        labelled_at=datetime.now(UTC),
        log=context.log.info,
    )
    return _model_result(run, usage, adapter)


@dg.asset(
    key=["report", "label_figures"],
    deps=[["labels", name] for name in ("evaluation", "label_reliability", "agreement")],
    group_name="labels",
    owners=["team:clinical-nlp"],
    kinds={"python", "matplotlib"},
    code_version="1",
)
def label_report_figures(
    context: dg.AssetExecutionContext, warehouse: WarehouseResource, deployment: DeploymentResource
) -> dg.MaterializeResult:
    """Figures of the labellers: F1 per field with limits (a row a field and labeller), reliability, agreement of pairs."""
    return publish_figures(context, deployment, warehouse, label_figures)


def _rule_result(run: LabelRun) -> dg.MaterializeResult:
    return dg.MaterializeResult(
        data_version=dg.DataVersion(run.written.digest),
        metadata={
            "dagster/partition_row_count": run.written.n_rows,
            "n_cached": run.tally.n_cached,
            "n_computed": run.tally.n_computed,
            "seconds": run.seconds,
            "labels": _by_field(run.tally),
        },
    )


def _model_result(run: ModelRun, usage: Usage, adapter: str | None) -> dg.MaterializeResult:
    spent = run.model_seconds
    return dg.MaterializeResult(
        data_version=dg.DataVersion(run.written.digest),
        metadata={
            "dagster/partition_row_count": run.written.n_rows,
            "n_notes_in_scope": run.n_notes,
            "n_cached": run.tally.n_cached,
            "n_computed": run.tally.n_computed,
            "n_read_by_the_model": run.n_asked,
            "n_input_tokens": run.n_input_tokens,
            "n_output_tokens": run.n_output_tokens,
            "tokens_per_second": round((run.n_input_tokens + run.n_output_tokens) / spent, 1) if spent else 0.0,
            "notes_per_second": round(run.n_asked / spent, 2) if spent else 0.0,
            "passes_per_note": round(usage.n_passes / run.n_asked, 3) if run.n_asked else 0.0,
            "seconds": run.seconds,
            "model_seconds": round(spent, 3),
            "load_seconds": usage.load_seconds,
            "device": usage.device,
            "peak_memory_mb": round((usage.peak_bytes or 0) / 1e6, 1),
            **({"adapter_sha": adapter} if adapter else {}),
            "rows_by_status": dg.MetadataValue.json(run.by_status),
            "labels": _by_field(run.tally),
        },
    )


def _by_field(tally: LabelTally) -> dg.TableMetadataValue:
    rows = [dg.TableRecord({"field": name, **counts}) for name, counts in sorted(tally.by_field.items())]
    counts = ("n_true", "n_false", "n_without_value")
    return dg.TableMetadataValue(
        rows, dg.TableSchema([dg.TableColumn("field")] + [dg.TableColumn(name, "int") for name in counts])
    )
