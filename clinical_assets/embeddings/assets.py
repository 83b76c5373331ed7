"""Dagster assets of the embeddings: names of codes, chronologies, vectors of persons, vectors of notes."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import dagster as dg

from clinical_assets.embeddings.code_systems import DOMAINS
from clinical_assets.embeddings.code_text import CohortError, code_events, code_text
from clinical_assets.embeddings.cohort_input import read_cohort
from clinical_assets.embeddings.encoder_choice import Encoder, choose_encoders, vocabulary_names
from clinical_assets.embeddings.note_vectors import note_vectors
from clinical_assets.embeddings.person_vectors import person_vectors
from clinical_assets.embeddings.terminology import TerminologyError
from clinical_assets.embeddings.terminology_store import store_terminology
from clinical_assets.embeddings.verdicts import share_unmapped
from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.language_models.catalogue import CatalogueError, load_catalogue
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.server_client import ServerError
from clinical_assets.privacy import withhold_messages
from clinical_assets.storage.embedding_contracts import CODE_TEXT, NOTE_VECTORS, PERSON_VECTORS
from clinical_assets.storage.lake import ContractError
from clinical_assets.study.model import Study
from resources.deployment import DeploymentResource
from resources.gpu import GPU_POOL, GpuResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource

__all__ = ["NOTE_VECTORS_KEY", "PERSON_KEYS", "build_embedding_assets", "encoders_for"]

_COMMON: Mapping[str, Any] = {
    "group_name": "embeddings",
    "owners": ["team:clinical-nlp"],
    "kinds": {"python", "parquet"},
    "code_version": "1",
}
TERMINOLOGY_KEY, CODE_TEXT_KEY, PERSON_VECTORS_KEY, NOTE_VECTORS_KEY = (
    dg.AssetKey(["embeddings", name]) for name in ("terminology", "code_text", "person_vectors", "notes")
)
PERSON_KEYS = [TERMINOLOGY_KEY, CODE_TEXT_KEY, PERSON_VECTORS_KEY]
_SAFE = (CatalogueError, CohortError, ContractError, ModelError, OSError, ServerError, TerminologyError)


def encoders_for(
    deployment: DeploymentResource, gpu: GpuResource, study: Study, connection: Any, names: Sequence[str]
) -> list[Encoder]:
    """Return the encoders of these names, or the offline one, for a deployment; `connection` reads the warehouse."""
    settings = deployment.settings()
    # with the study's own terms: a hospital without a vocabulary has these
    terms = sorted({term.text for field in study.fields for term in field.terms})
    return choose_encoders(
        names,
        load_catalogue(settings.catalogue),
        lambda: [*vocabulary_names(connection), *terms],
        settings.models,
        gpu.wanted,
    )


@dg.asset(key=TERMINOLOGY_KEY, **_COMMON)
def terminology(lake: LakeResource, deployment: DeploymentResource) -> dg.MaterializeResult:
    """Names of codes from landing/terminology (tables of terms, RxNorm). One row per code system and code. Read by code_text.

    What was set aside, and why, is in embeddings/terminology_rejects. Unchanged files are not read again.
    """
    kept = store_terminology(lake.open(), deployment.settings().landing / "terminology")
    return dg.MaterializeResult(
        data_version=dg.DataVersion(kept.written.digest),
        metadata={"dagster/row_count": kept.written.n_rows, "n_rejected": kept.n_rejected, "read_anew": kept.read_anew},
    )


def build_embedding_assets(note_scope: dg.AssetKey, cohort: dg.AssetKey | None = None) -> list[dg.AssetsDefinition]:
    """Return the assets. `note_scope` is that of the notes in scope of labelling, `cohort` that of the lake table risk/cohort."""
    facts = [dg.AssetKey(["omop", name]) for name in (*(d.table.split(".")[1] for d in DOMAINS), "concept")]

    @dg.asset(key=CODE_TEXT_KEY, deps=[TERMINOLOGY_KEY, *facts, *([cohort] if cohort else [])], **_COMMON)
    def chronologies(lake: LakeResource, warehouse: WarehouseResource) -> dg.MaterializeResult:
        """What is on record strictly before the index date, as text: one row per person, index date and domain (lake only).

        Persons and dates are those of risk/cohort. Read by embeddings/person_vectors.
        """
        store = lake.open()
        with warehouse.reader().get_connection() as connection, withhold_messages(*_SAFE):
            terms = store.read_all("embeddings/terminology")
            rows = code_text(connection, code_events(connection, read_cohort(store), terms))
            written = store.write("embeddings/code_text", rows, CODE_TEXT)
        totals = {name: sum(rows.column(name).to_pylist()) for name in ("n_records", "n_lines", "n_unmapped")}
        share = share_unmapped(rows)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(written.digest),
            metadata={
                "dagster/row_count": written.n_rows,
                **totals,
                **({} if share is None else {"share_unmapped": share}),
            },
        )

    @dg.asset(key=PERSON_VECTORS_KEY, deps=[CODE_TEXT_KEY], pool=GPU_POOL, **_COMMON)
    def vectors_of_persons(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        gpu: GpuResource,
    ) -> dg.MaterializeResult:
        """Chronologies as vectors: one row per person, index date, domain and encoder. Read by the risk models.

        Vectors come from a cache of all that was ever encoded the same way (embeddings/vectors).
        """
        store, whole = lake.open(), deployment.load_study()
        study = whole.embeddings
        with warehouse.reader().get_connection() as connection, withhold_messages(*_SAFE):
            encoders = encoders_for(deployment, gpu, whole, connection, study.encoders)
            run = person_vectors(
                store,
                encoders,
                store.read_all("embeddings/code_text"),
                lambda: code_events(
                    connection, read_cohort(store), store.read_all("embeddings/terminology")
                ).to_arrow_table(),
                study,
                made_at=datetime.now(UTC),
                log=context.log.info,
            )
            written = store.write("embeddings/person_vectors", run.rows, PERSON_VECTORS)
        return dg.MaterializeResult(
            data_version=dg.DataVersion(written.digest),
            metadata={
                "dagster/row_count": written.n_rows,
                "encoders": dg.MetadataValue.json([encoder.name for encoder in encoders]),
                "n_distinct_texts": run.n_distinct,
                "n_computed": run.n_computed,
                "n_cached": run.n_distinct - run.n_computed,
            },
        )

    return [terminology, chronologies, vectors_of_persons, _notes(note_scope)]


def _notes(note_scope: dg.AssetKey) -> dg.AssetsDefinition:
    @dg.asset(key=NOTE_VECTORS_KEY, deps=[note_scope], partitions_def=NOTE_BATCHES, pool=GPU_POOL, **_COMMON)
    def vectors_of_notes(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        gpu: GpuResource,
    ) -> dg.MaterializeResult:
        """Notes in scope as vectors, for search: one row per note. Read by `clinical-assets nearest-notes` and SQL."""
        store, whole, batch = lake.open(), deployment.load_study(), context.partition_key
        study = whole.embeddings
        with warehouse.reader().get_connection() as connection:
            wanted = [study.note_encoder] if study.note_encoder else []
            encoder = encoders_for(deployment, gpu, whole, connection, wanted)[0]
        with withhold_messages(*_SAFE):
            run = note_vectors(
                store,
                batch,
                notes_in_scope(warehouse.reader(), batch),
                encoder,
                study.instructions.note,
                made_at=datetime.now(UTC),
                log=context.log.info,
            )
            written = store.write("embeddings/notes", run.rows, NOTE_VECTORS, batch=batch)
        statuses = run.rows.column("status").to_pylist()
        return dg.MaterializeResult(
            data_version=dg.DataVersion(written.digest),
            metadata={
                "dagster/partition_row_count": written.n_rows,
                "encoder": encoder.name,
                "n_computed": run.n_computed,
                "rows_by_status": dg.MetadataValue.json({name: statuses.count(name) for name in sorted(set(statuses))}),
            },
        )

    return vectors_of_notes
