"""Dagster assets of the adapters, a chain a model: train on human labels, compare with the base, promote what is better."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from clinical_assets.adapters.chain import (
    Compared,
    Trained,
    check_settings,
    compare_with_base,
    promote,
    train_for_labels,
)
from clinical_assets.adapters.comparison import ALL_FIELDS, COMPARED
from clinical_assets.adapters.figures import comparison_figure, training_figure
from clinical_assets.labels.model_labels import question_of
from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.statistics.plots import markdown_image
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL
from resources.lake import LakeResource
from resources.language_models import LanguageModelsResource
from resources.warehouse import WarehouseResource

__all__ = ["BETTER", "adapter_keys", "build_adapter_assets", "recorded_by"]

BETTER = "adapter_is_better_than_its_base"


def build_adapter_assets(entries: list[ModelEntry]) -> list[dg.AssetsDefinition]:
    """Return training, evaluation and promotion of each model's adapter for labels."""
    return [asset for entry in entries for asset in (_training(entry, entries), _evaluation(entry), _promotion(entry))]


def adapter_keys(entry: ModelEntry) -> list[dg.AssetKey]:
    """Return the keys of a model's chain: training, evaluation, promotion."""
    return [dg.AssetKey(["adapters", f"labels_{entry.name}{step}"]) for step in ("", "_evaluation", "_promotion")]


def recorded_by(entries: list[ModelEntry]) -> dict[dg.AssetKey, list[dg.AssetKey]]:
    """Return which assets write what dbt reads as one source, e.g. the scores of all adapters."""
    trained, compared, promoted = ([adapter_keys(entry)[step] for entry in entries] for step in range(3))
    writers = {"trained": trained, "epochs": trained, "answers": compared, "scores": compared, "verdicts": compared}
    return {dg.AssetKey(["adapters", f"recorded_{k}"]): v for k, v in {**writers, "promotions": promoted}.items()}


def _common(entry: ModelEntry) -> dict[str, Any]:
    return {
        "group_name": "adapters",
        "owners": ["team:clinical-nlp"],
        # A person, or the sensor that the study switches on, launches the chain as a whole.
        "tags": {"clinical/automation": "manual", "clinical/profile": entry.profile},
        "code_version": "1",
    }


def _training(entry: ModelEntry, entries: list[ModelEntry]) -> dg.AssetsDefinition:
    demo = [["models", entry.name]] if entry.recipe else []

    @dg.asset(
        key=["adapters", f"labels_{entry.name}"],
        deps=[["annotations", "adjudicated"], ["annotations", "splits"], ["notes", "labelling_scope"], *demo],
        kinds={"python", "pytorch", "huggingface"} | ({"gpu"} if entry.profile == "gpu" else set()),
        pool=GPU_POOL,
        metadata={"base": entry.model or f"demo recipe {entry.recipe}", "preset": entry.lora, "licence": entry.licence},
        description=f"LoRA adapter for the study's question, on {entry.description}. A folder (no row): safetensors and a card, "
        "named by the digest of labels, settings, base and wording; made once for each. Read by its evaluation.",
        **_common(entry),
    )
    def adapter(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        language_models: LanguageModelsResource,
    ) -> dg.MaterializeResult:
        study = deployment.load_study()
        check_settings(study, entries)
        question = question_of(study, entry)
        trained = train_for_labels(
            lake.open(),
            entry,
            study,
            notes_in_scope(warehouse.reader()),
            models=deployment.settings().models,
            base_folder=language_models.folder(entry, question.schema, question.prompt),
            device=language_models.gpu.device(),
            trained_at=datetime.now(UTC),
            run_id=context.run_id,
            log=context.log.info,
        )
        return _training_result(trained)

    return adapter


def _evaluation(entry: ModelEntry) -> dg.AssetsDefinition:
    @dg.asset(
        key=["adapters", f"labels_{entry.name}_evaluation"],
        deps=[["adapters", f"labels_{entry.name}"], ["annotations", "adjudicated"], ["annotations", "splits"]],
        kinds={"python", "huggingface"} | ({"gpu"} if entry.profile == "gpu" else set()),
        pool=GPU_POOL,
        check_specs=[
            dg.AssetCheckSpec(
                BETTER,
                asset=["adapters", f"labels_{entry.name}_evaluation"],
                blocking=True,
                description="The limits of the difference in macro F1 lie above zero, and no fewer fields than with the base are "
                "above always giving the commoner answer. Otherwise the adapter is not promoted.",
            )
        ],
        description=f"{entry.name} with its latest adapter and without, on the same test notes by the same decoder. One row per "
        "field (adapters.scores), and every answer (adapters.test_answers). Read by the promotion.",
        **_common(entry),
    )
    def adapter_evaluation(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        language_models: LanguageModelsResource,
    ) -> dg.MaterializeResult:
        study = deployment.load_study()
        q = question_of(study, entry)
        compared = compare_with_base(
            lake.open(),
            entry,
            study,
            notes_in_scope(warehouse.reader()),
            lambda adapter: language_models.open(entry, q.schema, q.prompt, adapter=adapter, log=context.log.info),
            models=deployment.settings().models,
            labelled_at=datetime.now(UTC),
            run_id=context.run_id,
            log=context.log.info,
        )
        return _evaluation_result(compared)

    return adapter_evaluation


def _promotion(entry: ModelEntry) -> dg.AssetsDefinition:
    @dg.asset(
        key=["adapters", f"labels_{entry.name}_promotion"],
        deps=[["adapters", f"labels_{entry.name}_evaluation"]],
        kinds={"python"},
        description=f"Which adapter of {entry.name} labels notes: the latest that was better than its base. A file beside the "
        f"adapters, and a row in adapters.registry. Read by labels/{entry.adapted_labeller}.",
        **_common(entry),
    )
    def adapter_promotion(
        context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
    ) -> dg.MaterializeResult:
        models = deployment.settings().models
        digest = promote(lake.open(), entry, models=models, promoted_at=datetime.now(UTC), run_id=context.run_id)
        return dg.MaterializeResult(data_version=dg.DataVersion(digest), metadata={"adapter_sha": digest})

    return adapter_promotion


def _training_result(trained: Trained) -> dg.MaterializeResult:
    made = trained.adapter
    return dg.MaterializeResult(
        data_version=dg.DataVersion(made.digest),
        metadata={
            "adapter_sha": made.digest,
            "folder": dg.MetadataValue.path(made.folder),
            "was_there_already": made.reused,
            "n_train": trained.card.n_train,
            "n_validation": trained.card.n_validation,
            "n_cut": trained.card.n_cut,
            "n_trainable": made.n_trainable,
            "share_trainable": round(made.n_trainable / made.n_parameters, 4),
            "n_steps": made.n_steps,
            "best_epoch": made.best_epoch,
            "stopped": made.stopped,
            "seconds": round(made.seconds, 1),
            "tokens_per_second": round(made.tokens_per_second, 1),
            "peak_memory_mb": round(made.peak_bytes / 1e6, 1),
            "settings": dg.MetadataValue.json(trained.card.settings.model_dump()),
            "epochs": _table(made.history),
            "curves": dg.MetadataValue.md(markdown_image(training_figure(trained.card), "loss and macro F1 by step")),
        },
    )


def _evaluation_result(compared: Compared) -> dg.MaterializeResult:
    verdict, rows = compared.verdict, compared.rows
    figure = comparison_figure(rows, compared.n_notes)
    numbers: dict[str, Any] = {
        "adapter_sha": compared.digest,
        "n_notes": compared.n_notes,
        "macro_f1_base": next(row["base_f1"] for row in rows if row["field"] == ALL_FIELDS),
        "macro_f1_adapter": next(row["adapter_f1"] for row in rows if row["field"] == ALL_FIELDS),
        "macro_f1_difference": verdict.difference,
        "difference_low": verdict.low,
        "difference_high": verdict.high,
        "n_fields_above_majority_base": verdict.n_above_base,
        "n_fields_above_majority_adapter": verdict.n_above_adapter,
    }
    return dg.MaterializeResult(
        metadata={
            **numbers,
            "improvement": _table([{k: v for k, v in row.items() if k in _SHOWN} for row in rows]),
            "figure": dg.MetadataValue.md(markdown_image(figure, "F1 of base and adapter by field")),
        },
        check_results=[
            dg.AssetCheckResult(
                check_name=BETTER,
                passed=verdict.promotable,
                severity=dg.AssetCheckSeverity.ERROR,
                metadata=numbers,
                description="; ".join(verdict.reasons) or None,
            )
        ],
    )


_SHOWN = [
    *("field", "n", "n_positive", "majority_accuracy", "base_f1", "adapter_f1"),
    *(f"{metric}_difference{end}" for metric in COMPARED for end in ("", "_low", "_high")),
    "p_holm",
]


def _table(rows: "list[dict[str, Any]] | tuple[dict[str, float], ...]") -> dg.TableMetadataValue:
    """Rows as a table in the UI; numbers with three places, nothing where undefined."""

    def shown(value: Any) -> Any:
        return f"{value:.3g}" if isinstance(value, float) else ("" if value is None else value)

    records: list[Mapping[str, Any]] = [{name: shown(value) for name, value in row.items()} for row in rows]
    names = list(dict.fromkeys(name for record in records for name in record))
    return dg.TableMetadataValue(
        [dg.TableRecord({name: str(record.get(name, "")) for name in names}) for record in records],
        dg.TableSchema([dg.TableColumn(name) for name in names]),
    )
