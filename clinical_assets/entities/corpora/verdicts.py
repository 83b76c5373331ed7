"""What the checks of the corpora ask, as plain functions."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

__all__ = ["Verdict", "baseline_verdict", "n_misplaced"]


class Verdict(NamedTuple):
    """F1 above the baseline by corpus and split, and where there is no gain."""

    gains: dict[str, float]
    worse: list[str]


def n_misplaced(documents: pa.Table, mentions: pa.Table) -> int:
    """Return how many mentions are of no document, empty, outside their text, or overlap the one before."""
    lengths = {(row["corpus"], row["doc_id"]): len(row["text"]) for row in documents.to_pylist()}
    places: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for row in mentions.select(["corpus", "doc_id", "start", "end"]).to_pylist():
        places[row["corpus"], row["doc_id"]].append((row["start"], row["end"]))
    n = 0
    for key, spans in places.items():
        last = 0
        for start, end in sorted(spans):
            n += not (last <= start < end <= lengths.get(key, -1))
            last = max(last, end)
    return n


def baseline_verdict(rows: Iterable[Mapping[str, Any]]) -> Verdict:
    """Compare the trained model with the names of the train split: strict micro F1 over all types."""
    f1: dict[str, dict[str, float]] = defaultdict(dict)
    for row in rows:
        if (row["task"], row["entity_type"], row["matching"], row["average"]) == ("mentions", "all", "strict", "micro"):
            f1[f"{row['corpus']} {row['split']}"][row["extractor"]] = row["f1"] or 0.0
    gains = {
        where: round(by["spacy"] - by["gazetteer"], 4)
        for where, by in sorted(f1.items())
        if {"spacy", "gazetteer"} <= set(by)
    }
    return Verdict(gains, [where for where, gain in gains.items() if gain <= 0])
