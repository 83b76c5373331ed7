"""Dagster assets of the entities: diseases and chemicals in the notes of a batch."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from clinical_assets.entities.batch import EntityRun, extract_batch
from clinical_assets.entities.choice import ChosenExtractor, choose_extractor
from clinical_assets.entities.concepts import Vocabulary, concept_names
from clinical_assets.entities.linker import Linker
from clinical_assets.entities.llm_extractor import llm_extractors
from clinical_assets.entities.llm_task import train_lister
from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.language_models.catalogue import ENTITIES_TASK, ModelEntry
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.promotion import PromotedAdapter
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study
from resources.adapter_training import build_adapter_asset
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource

__all__ = [
    "ENTITY_KEYS",
    "MENTIONS_KEY",
    "build_entity_adapters",
    "build_entity_assets",
    "entity_adapter_key",
    "scope_of",
    "vocabulary_and_extractor",
]

_BETTER = "adapter_lists_better_than_its_base"

NOTES_KEY, MENTIONS_KEY = (dg.AssetKey(["entities", name]) for name in ("notes", "mentions"))
ENTITY_KEYS = [MENTIONS_KEY, NOTES_KEY]
_COMMON: Mapping[str, Any] = {
    "group_name": "entities",
    "owners": ["team:clinical-nlp"],
    "kinds": {"python", "parquet"},
    "code_version": "1",
}


def scope_of(study: Study, warehouse: WarehouseResource, batch: str) -> set[int] | None:
    """Return the notes of a batch that are read; None for every usable one."""
    return None if study.entities.scope == "all" else notes_in_scope(warehouse.reader(), batch)


def vocabulary_and_extractor(
    deployment: DeploymentResource, study: Study, connection: Any
) -> tuple[Vocabulary, ChosenExtractor]:
    """Return the names of the vocabulary and the study's extractor; `connection` reads the warehouse."""
    names, settings = concept_names(connection), deployment.settings()
    return names, choose_extractor(study, names, settings.models, llm_extractors(settings, study))


def build_entity_assets(note_scope: dg.AssetKey, model: dg.AssetKey | None = None) -> list[dg.AssetsDefinition]:
    """Return the assets. `note_scope` is the asset of the notes in scope of labelling, `model` that of the trained tagger."""
    # not on omop/concept: the build of the warehouse reads mentions, and would ask for all of them again for ever
    deps = [note_scope, *([model] if model else [])]
    descriptions = {
        MENTIONS_KEY: "Diseases and chemicals in the notes of a batch, with offsets, assertion, section and linked concept. One row per "
        "mention, with its words (lake only). Read by relations, the knowledge graph and entities.note_mentions.",
        NOTES_KEY: "Who read which note, and what came of it: nothing found is not nothing known. One row per note in scope. Read by "
        "entities.note_extractions.",
    }

    @dg.multi_asset(
        name="mentions_of_notes",
        specs=[
            # the tagger is trained by hand and not every study wants it: what is missing of it holds up nothing
            dg.AssetSpec(
                key,
                deps=deps,
                partitions_def=NOTE_BATCHES,
                description=text,
                tags={"clinical/automation": "what_there_is"},
                **_COMMON,
            )
            for key, text in descriptions.items()
        ],
        pool=GPU_POOL,
    )
    def mentions_of_notes(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
    ) -> Iterator[dg.MaterializeResult]:
        """Extract, normalise, assess and link what the notes of a batch name. What was extracted before is not extracted again."""
        study, batch = deployment.load_study(), context.partition_key
        with warehouse.reader().get_connection() as connection:
            names, chosen = vocabulary_and_extractor(deployment, study, connection)
        linker = Linker(names, deployment.settings().models, study.entities.least_link_score, context.log.info)
        run = extract_batch(
            lake.open(),
            chosen,
            linker,
            study,
            batch,
            scope_of(study, warehouse, batch),
            run_id=context.run_id,
            extracted_at=datetime.now(UTC),
            log=context.log.info,
        )
        yield from _results(run, chosen)

    return [mentions_of_notes]


def _results(run: EntityRun, chosen: ChosenExtractor) -> Iterator[dg.MaterializeResult]:
    numbers: dict[str, Any] = {
        "extractor": chosen.identity["extractor"],
        "n_cached": run.n_cached,
        "n_computed": run.n_computed,
        "seconds": run.seconds,
    }
    yield dg.MaterializeResult(
        asset_key=MENTIONS_KEY,
        data_version=dg.DataVersion(run.mentions.digest),
        metadata={
            "dagster/partition_row_count": run.mentions.n_rows,
            **numbers,
            "rows_by_type": dg.MetadataValue.json(run.by_type),
            "rows_by_assertion": dg.MetadataValue.json(run.by_assertion),
            "n_linked": run.n_linked,
        },
    )
    yield dg.MaterializeResult(
        asset_key=NOTES_KEY,
        data_version=dg.DataVersion(run.notes.digest),
        metadata={
            "dagster/partition_row_count": run.notes.n_rows,
            **numbers,
            "rows_by_status": dg.MetadataValue.json(run.by_status),
        },
    )


def entity_adapter_key(entry: ModelEntry) -> dg.AssetKey:
    """Return the key of a model's adapter for entities."""
    return dg.AssetKey(["adapters", f"{ENTITIES_TASK}_{entry.name}"])


def build_entity_adapters(entries: list[ModelEntry], corpora: Sequence[dg.AssetKey] = ()) -> list[dg.AssetsDefinition]:
    """Return the training of each model's adapter for entities, promoted where it is better than its base.

    `corpora` are the assets of the annotated documents (entities/corpus_documents, corpus_mentions, corpus_relations).
    """
    return [
        build_adapter_asset(
            entry,
            entity_adapter_key(entry),
            _train,
            deps=corpora,
            better=_BETTER,
            description=f"LoRA adapter that lists chemicals, diseases and influences, on {entry.description}. A folder (no row): "
            "safetensors and a card, named by the digest of documents, settings, base and wording. Read by entities/mentions.",
            mend="No better than its base: more annotated documents are needed.",
        )
        for entry in entries
    ]


def _train(lake: Lake, entry: ModelEntry, study: Study, settings: LoraSettings, **where: Any) -> PromotedAdapter:
    # the wording of entities is no part of a study
    return train_lister(lake, entry, settings, **where)
