"""Dagster assets of the written summaries: one a model and stage, the reference summaries, and adapters trained on them."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.language_models.catalogue import SUMMARIES_TASK, ModelEntry
from clinical_assets.language_models.opening import Usage, backend_revision
from clinical_assets.notes.guards import as_read_limits
from clinical_assets.summaries.source import note_places
from clinical_assets.summaries.stages import SummaryRun
from clinical_assets.summaries.vocabulary import concept_names, vocabulary_of
from clinical_assets.summaries.written.batch import write_batch
from clinical_assets.summaries.written.references import store_references
from clinical_assets.summaries.written.stage import WrittenStage, wordings_of
from clinical_assets.summaries.written.task import required_adapter, train_writer
from resources.adapter_training import build_adapter_asset
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL
from resources.lake import LakeResource
from resources.language_models import LanguageModelsResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource

__all__ = [
    "BETTER",
    "MODEL_SUMMARIES",
    "REFERENCE_KEYS",
    "build_reference_assets",
    "build_writer_adapters",
    "build_written_assets",
    "writer_adapter_key",
    "written_key",
]

MODEL_SUMMARIES = dg.AssetKey(["summaries", "written"])  # as the cohort's SQL reads them: one table for all models
BETTER = "adapter_writes_better_than_its_base"
REFERENCE_KEYS = [dg.AssetKey(["summaries", "references"]), dg.AssetKey(["summaries", "reference_rejects"])]
_OWNERS = ["team:clinical-nlp"]


def written_key(stage: WrittenStage) -> dg.AssetKey:
    """Return the key of what a model writes."""
    return dg.AssetKey(stage.as_stage.table.split("/"))


def writer_adapter_key(entry: ModelEntry) -> dg.AssetKey:
    """Return the key of a model's adapter for summaries."""
    return dg.AssetKey(["adapters", f"{SUMMARIES_TASK}_{entry.name}"])


def build_written_assets(stages: list[WrittenStage], note_scope: dg.AssetKey) -> list[dg.AssetsDefinition]:
    """Return an asset for each model and stage. `note_scope` is the asset of the notes in scope of labelling."""
    return [_written(stage, note_scope) for stage in stages]


def _written(stage: WrittenStage, note_scope: dg.AssetKey) -> dg.AssetsDefinition:
    entry, verbose = stage.entry, stage.stage == "verbose"
    needs_adapter = verbose and entry.summary_adapter == "required"
    deps = [note_scope, *([dg.AssetKey(stage.first_table.split("/"))] if stage.first_table else [])]
    what = (
        "Stage 1, all that a note says" if verbose else f"Stage 2, what summaries/verbose_{stage.follows} says, shorter"
    )

    @dg.asset(
        key=written_key(stage),
        deps=[*deps, *([writer_adapter_key(entry)] if needs_adapter else [])],
        partitions_def=NOTE_BATCHES,
        group_name="summaries",
        owners=_OWNERS,
        kinds={"python", "parquet", "huggingface" if entry.backend != "server" else "openai"}
        | ({"gpu"} if entry.profile == "gpu" else set()),
        pool=GPU_POOL,
        # A new adapter is no reason to write the past anew: that is a backfill, which a person starts.
        tags={
            "clinical/profile": entry.profile,
            "clinical/backend": entry.backend,
            **({"clinical/automation": "keep_history"} if needs_adapter else {}),
        },
        metadata={"model": entry.model or "", "licence": entry.licence},
        code_version="1",
        description=f"{what}, written by {entry.description}. One row per note in scope, or per person and window, with its "
        "text (lake only). Read by stage 2 and by people.",
    )
    def written_summaries(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        language_models: LanguageModelsResource,
    ) -> dg.MaterializeResult:
        study, usage = deployment.load_study(), Usage()
        adapter = required_adapter(deployment.settings().models, entry) if verbose else ""
        prompt = wordings_of(study.summaries).verbose if verbose else None
        given: dict[str, Any] = {"adapter": adapter, "prompt": prompt, "log": context.log.info, "usage": usage}
        with warehouse.reader().get_connection() as connection:
            run = write_batch(
                lake.open(),
                stage,
                study,
                context.partition_key,
                notes_in_scope(warehouse.reader(), context.partition_key),
                vocabulary_of(study, concept_names(connection)),
                backend_revision(entry, None),
                lambda: language_models.open_writer(entry, stage.decoding(study.summaries), **given),
                adapter=adapter,
                places=lambda persons: note_places(connection, persons) if persons else (),
                run_id=context.run_id,
                made_at=datetime.now(UTC),
                log=context.log.info,
            )
        return _result(run, usage, adapter)

    return written_summaries


def build_reference_assets(landed: dg.AssetKey) -> list[dg.AssetsDefinition]:
    """Return the reference summaries and what was refused of them. `landed` is the folder of annotations."""

    @dg.multi_asset(
        name="reference_summaries",
        specs=[
            dg.AssetSpec(
                key,
                deps=[landed, ["notes", "notes"]],
                group_name="summaries",
                owners=_OWNERS,
                kinds={"python", "parquet"},
                tags={"clinical/automation": "manual"},
                code_version="1",
                description=description,
            )
            for key, description in zip(
                REFERENCE_KEYS,
                (
                    "Summaries that people wrote, from landing/annotations/reference_summaries.*, with their text (lake only). One row "
                    "per note and author. Read by the adapters for summaries.",
                    "What landed as a reference summary and is not used. One row per file and reason. Read by people.",
                ),
                strict=True,
            )
        ],
    )
    def reference_summaries(
        context: dg.AssetExecutionContext, lake: LakeResource, deployment: DeploymentResource
    ) -> Iterator[dg.MaterializeResult]:
        """Read every landed file of reference summaries, and hold it against the notes."""
        folder, limits = deployment.settings().landing / "annotations", as_read_limits(deployment.load_study().limits)
        for key, written in zip(REFERENCE_KEYS, store_references(lake.open(), folder, limits), strict=True):
            yield dg.MaterializeResult(
                asset_key=key,
                data_version=dg.DataVersion(written.digest),
                metadata={"dagster/row_count": written.n_rows},
            )

    return [reference_summaries]


def build_writer_adapters(entries: list[ModelEntry]) -> list[dg.AssetsDefinition]:
    """Return the training of each model's adapter for stage 1, promoted where it is better than its base."""
    return [
        build_adapter_asset(
            entry,
            writer_adapter_key(entry),
            train_writer,
            deps=[REFERENCE_KEYS[0], dg.AssetKey(["notes", "notes"])],
            better=BETTER,
            description=f"LoRA adapter that writes summaries of stage 1, on {entry.description}. A folder (no row): safetensors and a "
            "card, named by the digest of references, settings, base and wording. Read by its summaries.",
            mend="No better than its base: more, or other, references are needed.",
        )
        for entry in entries
    ]


def _result(run: SummaryRun, usage: Usage, adapter: str) -> dg.MaterializeResult:
    tokens_in, numeric, entities = (run.totals[name] for name in ("n_tokens_in", "n_numeric", "n_entities"))
    memory = {
        "peak_memory_mb": usage.peak_bytes,
        "peak_rss_mb": usage.resident_bytes,
        "left_on_gpu_mb": usage.left_bytes,
    }
    return dg.MaterializeResult(
        data_version=dg.DataVersion(run.written.digest),
        metadata={
            "dagster/partition_row_count": run.written.n_rows,
            "n_cached": run.n_cached,
            "n_computed": run.n_computed,
            "seconds": run.seconds,
            "load_seconds": usage.load_seconds,
            "device": usage.device,
            **{name: round(n / 1e6, 1) for name, n in memory.items() if n is not None},
            **({"adapter_sha": adapter} if adapter else {}),
            "rows_by_status": dg.MetadataValue.json(run.by_status),
            **run.totals,
            **({"ratio": run.totals["n_tokens_out"] / tokens_in} if tokens_in else {}),
            **({"numeric_retention": run.totals["n_numeric_kept"] / numeric} if numeric else {}),
            **({"entity_retention": run.totals["n_entities_kept"] / entities} if entities else {}),
        },
    )
