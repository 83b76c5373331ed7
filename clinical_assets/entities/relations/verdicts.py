"""What the checks of the relations ask of tables, in numbers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

__all__ = ["Evidence", "evidence_faults", "n_without_mentions", "worse_than_co_occurrence"]

_SIDES = ("chemical", "disease")


def n_without_mentions(relations: Iterable[Mapping[str, Any]], mentions: Iterable[Mapping[str, Any]]) -> int:
    """Count relations that do not name a chemical and a disease, by key and place, that were found in the same version of their note."""
    known = {
        (row["note_id"], row["note_sha256"], row["entity_type"], row["entity_key"], row["start"], row["end"])
        for row in mentions
    }
    return sum(
        any(
            (row["note_id"], row["note_sha256"], side, row[f"{side}_key"], row[f"{side}_start"], row[f"{side}_end"])
            not in known
            for side in _SIDES
        )
        for row in relations
    )


class Evidence(NamedTuple):
    """How many relations have evidence beyond their note's end, without its mentions in it, or with its cue outside of it."""

    n_outside_note: int
    n_without_mentions: int
    n_cue_outside: int


def evidence_faults(relations: Sequence[Mapping[str, Any]], lengths: Mapping[int, int]) -> Evidence:
    """Hold evidence against the lengths of the notes, characters by note_id; a note that is not there has none."""
    outside = without = cue = 0
    for row in relations:
        start, end = row["evidence_start"], row["evidence_end"]
        outside += not 0 <= start < end <= lengths.get(row["note_id"], 0)
        without += not all(start <= row[f"{side}_start"] < row[f"{side}_end"] <= end for side in _SIDES)
        told = (row["cue_start"], row["cue_end"])
        cue += (told != (None, None)) != (row["wording"] != "none") or (
            told[0] is not None and not start <= told[0] < (told[1] or 0) <= end
        )
    return Evidence(outside, without, cue)


def worse_than_co_occurrence(scores: Iterable[Mapping[str, Any]]) -> list[str]:
    """Return corpora, splits, tasks and models whose F1 is not above the better of the two baselines."""
    best: dict[tuple[str, ...], float] = {}
    model: dict[tuple[str, ...], float] = {}
    for row in scores:
        if row["average"] == "micro":
            key = (row["corpus"], row["split"], row["task"])
            if row["extractor"].startswith("co_occurrence"):
                best[key] = max(best.get(key, 0.0), row["f1"] or 0.0)
            else:
                model[(*key, row["extractor"])] = row["f1"] or 0.0
    return sorted(" ".join(key) for key, f1 in model.items() if f1 <= best.get(key[:3], 0.0))
