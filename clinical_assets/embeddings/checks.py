"""Asset checks of the embeddings: nothing of the future, codes have names, vectors are whole, every note has one."""

from collections.abc import Iterator

import dagster as dg
import pyarrow as pa

from clinical_assets.embeddings.assets import CODE_TEXT_KEY, NOTE_VECTORS_KEY, PERSON_VECTORS_KEY, encoders_for
from clinical_assets.embeddings.verdicts import (
    MOST_UNMAPPED,
    n_on_or_after_index,
    note_cover,
    share_unmapped,
    vector_faults,
)
from clinical_assets.labels.scope import notes_in_scope
from resources.deployment import DeploymentResource
from resources.gpu import GpuResource
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES
from resources.warehouse import WarehouseResource

__all__ = ["build_embedding_checks"]

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
_WHOLE, _COVERED = "vectors_have_one_dimension_and_no_nan", "every_note_has_a_vector"
_VECTOR_COLUMNS = ["settings_sha", "dimension", "vector"]


def build_embedding_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks."""
    return [
        no_text_tells_of_the_index_date_or_later,
        codes_have_names,
        person_vectors_are_whole,
        _note_checks(),
    ]


@dg.asset_check(asset=CODE_TEXT_KEY, blocking=True)
def no_text_tells_of_the_index_date_or_later(lake: LakeResource) -> dg.AssetCheckResult:
    """Fail if a chronology holds a record on or after its index date: a model would see the future."""
    rows = lake.open().read_all("embeddings/code_text", ["index_date", "last_date"])
    n = n_on_or_after_index(rows)
    return dg.AssetCheckResult(passed=n == 0, severity=_ERROR, metadata={"n_rows": rows.num_rows, "n_from_index_on": n})


@dg.asset_check(asset=CODE_TEXT_KEY)
def codes_have_names(lake: LakeResource) -> dg.AssetCheckResult:
    """Warn if many records have codes without a name, which are not in the texts."""
    share = share_unmapped(lake.open().read_all("embeddings/code_text", ["n_records", "n_unmapped"]))
    passed = share is None or share <= MOST_UNMAPPED
    return dg.AssetCheckResult(
        passed=passed,
        severity=_WARN,
        metadata={"most": MOST_UNMAPPED, **({} if share is None else {"share_unmapped": share})},
        description=None if passed else "Land the vocabulary (omop concept) or names of codes (landing/terminology).",
    )


@dg.asset_check(asset=PERSON_VECTORS_KEY, name=_WHOLE, blocking=True)
def person_vectors_are_whole(lake: LakeResource) -> dg.AssetCheckResult:
    """Fail if a vector has another length than its encoder's, or holds what is no number."""
    return _whole(lake.open().read_all("embeddings/person_vectors", _VECTOR_COLUMNS), PERSON_VECTORS_KEY)


def _note_checks() -> dg.AssetChecksDefinition:
    # Made when asked for: a check per partition warns that it is a preview, which the definitions silence.
    @dg.multi_asset_check(
        name="note_vectors_are_whole",
        specs=[
            dg.AssetCheckSpec(name, asset=NOTE_VECTORS_KEY, blocking=True, partitions_def=NOTE_BATCHES)
            for name in (_WHOLE, _COVERED)
        ],
    )
    def note_vectors_are_whole(
        context: dg.AssetCheckExecutionContext,
        lake: LakeResource,
        warehouse: WarehouseResource,
        deployment: DeploymentResource,
        gpu: GpuResource,
    ) -> Iterator[dg.AssetCheckResult]:
        """Fail if a note in scope has no vector of its present text by the study's encoder, or a vector is not whole."""
        store, batch, whole = lake.open(), context.partition_key, deployment.load_study()
        study = whole.embeddings
        rows = store.read("embeddings/notes", batch)
        yield _whole(rows, NOTE_VECTORS_KEY)
        with warehouse.reader().get_connection() as connection:
            encoder = encoders_for(
                deployment, gpu, whole, connection, [study.note_encoder] if study.note_encoder else []
            )[0]
        notes = store.read("notes/notes", batch, ["note_id", "text_sha256"])
        cover = note_cover(rows, notes, notes_in_scope(warehouse.reader(), batch), encoder.sha(study.instructions.note))
        passed = cover.n_missing + cover.n_stale == 0
        yield dg.AssetCheckResult(
            asset_key=NOTE_VECTORS_KEY,
            check_name=_COVERED,
            passed=passed,
            severity=_ERROR,
            metadata={"n_notes": cover.n_notes, "n_missing": cover.n_missing, "n_stale": cover.n_stale},
            description=None
            if passed
            else "Materialize embeddings/notes of this batch again: notes, scope or encoder changed.",
        )

    return note_vectors_are_whole


def _whole(rows: pa.Table, key: dg.AssetKey) -> dg.AssetCheckResult:
    faults = vector_faults(rows)
    return dg.AssetCheckResult(
        asset_key=key,
        check_name=_WHOLE,
        passed=faults.n_wrong_dimension + faults.n_not_finite == 0 and faults.n_dimensions <= 1,
        severity=_ERROR,
        metadata={
            "n_vectors": faults.n_vectors,
            "n_wrong_dimension": faults.n_wrong_dimension,
            "n_not_finite": faults.n_not_finite,
        },
    )
