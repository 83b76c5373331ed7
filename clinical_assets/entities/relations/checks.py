"""Asset checks of the relations: they name what was found, their evidence lies in the note, the model is worth asking."""

from collections.abc import Iterator

import dagster as dg

from clinical_assets.entities.relations.assets import RELATION_MODEL_KEYS, RELATIONS_KEY, SCORE_BATCH, SCORE_TABLE
from clinical_assets.entities.relations.verdicts import evidence_faults, n_without_mentions, worse_than_co_occurrence
from resources.lake import LakeResource
from resources.partitions import NOTE_BATCHES

__all__ = ["build_relation_checks"]

_ERROR, _WARN = dg.AssetCheckSeverity.ERROR, dg.AssetCheckSeverity.WARN
_NAMED, _INSIDE = "every_relation_names_two_mentions_of_its_note", "evidence_lies_inside_the_note"
_MENTION_COLUMNS = ["note_id", "note_sha256", "entity_type", "entity_key", "start", "end"]


def build_relation_checks() -> list[dg.AssetChecksDefinition]:
    """Return the checks."""
    return [_per_batch(), model_finds_more_than_co_occurrence]


def _per_batch() -> dg.AssetChecksDefinition:
    # Made when asked for: a check per partition warns that it is a preview, which the definitions silence.
    @dg.multi_asset_check(
        name="relations_are_whole",
        specs=[
            dg.AssetCheckSpec(name, asset=RELATIONS_KEY, blocking=True, partitions_def=NOTE_BATCHES)
            for name in (_NAMED, _INSIDE)
        ],
    )
    def relations_are_whole(
        context: dg.AssetCheckExecutionContext, lake: LakeResource
    ) -> Iterator[dg.AssetCheckResult]:
        """Fail if a relation names what was not found in its note, or its evidence is not in the note."""
        store, batch = lake.open(), context.partition_key
        rows = store.read("entities/relations", batch).to_pylist()
        n = n_without_mentions(rows, store.read("entities/mentions", batch, _MENTION_COLUMNS).to_pylist())
        yield dg.AssetCheckResult(
            asset_key=RELATIONS_KEY,
            check_name=_NAMED,
            passed=n == 0,
            severity=_ERROR,
            metadata={"n_relations": len(rows), "n_without_mentions": n},
            description=None if n == 0 else "Mentions were made anew since: materialize entities/relations again.",
        )
        notes = store.read("notes/notes", batch, ["note_id", "n_chars"]).to_pylist()
        faults = evidence_faults(rows, {row["note_id"]: row["n_chars"] for row in notes})
        yield dg.AssetCheckResult(
            asset_key=RELATIONS_KEY,
            check_name=_INSIDE,
            passed=not any(faults),
            severity=_ERROR,
            metadata={"n_relations": len(rows), **faults._asdict()},
        )

    return relations_are_whole


@dg.asset_check(asset=RELATION_MODEL_KEYS[1])
def model_finds_more_than_co_occurrence(lake: LakeResource) -> dg.AssetCheckResult:
    """Warn if on documents that were not trained on the F1 of the model, or of a language model, is not above that of co-occurrence."""
    rows = lake.open().read(SCORE_TABLE, SCORE_BATCH).to_pylist()
    worse = worse_than_co_occurrence(rows)
    return dg.AssetCheckResult(
        passed=not worse, severity=_WARN, metadata={"n_scores": len(rows), "not_better": dg.MetadataValue.json(worse)}
    )
