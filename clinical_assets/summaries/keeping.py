"""What the checks of summaries ask: is every source summarized, short enough, with its numbers. Read anew from the texts."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study
from clinical_assets.summaries.extraction import extractor_for
from clinical_assets.summaries.fact_metrics import retention
from clinical_assets.summaries.source import read_sources
from clinical_assets.summaries.stages import Stage
from clinical_assets.summaries.vocabulary import Vocabulary

__all__ = ["LEAST_NUMERIC", "Kept", "kept_in"]

LEAST_NUMERIC = 0.95


@dataclass(frozen=True)
class Kept:
    """Counts of one batch. Retention is the mean over summaries of what has a numeric fact; None where nothing has."""

    n_sources: int
    n_missing: int
    n_stale: int
    n_shortened: int
    n_over: int
    ratio: float | None
    n_with_numbers: int
    retention: float | None
    n_below: int


def kept_in(
    lake: Lake,
    stage: Stage,
    study: Study,
    batch: str,
    scope: Collection[int],
    vocabulary: Vocabulary,
    places: Callable[[Collection[int]], Sequence[Mapping[str, Any]]] = lambda persons: (),
) -> Kept:
    """Compare the summaries of a batch with their sources: facts of both are found anew, nothing that the rows say is believed."""
    rows = {row["note_id"]: row for row in lake.read(stage.table, batch).to_pylist()}
    persons = {row["person_id"] for row in rows.values()} if study.summaries.unit == "person_window" else set()
    sources = read_sources(lake, batch, scope, study.summaries, places(persons) if persons else ())
    extract = extractor_for(vocabulary).extract
    missing = stale = over = n_in = n_out = shortened = 0
    shares = []
    for source in sources:
        row = rows.pop(source.note_id, None)
        if row is None or row["source_sha256"] != source.sha256:
            missing += row is None
            stale += row is not None
            continue
        if row["text"] is None:
            continue
        if row["status"] != "one_line":
            shortened += 1
            n_in, n_out = n_in + row["n_tokens_in"], n_out + row["n_tokens_out"]
            over += row["n_tokens_out"] > row["target_ratio"] * row["n_tokens_in"]
        was = [fact for note in source.notes for fact in extract(note.text, note.index)]
        share = retention(was, extract(row["text"]))["numeric"].value
        if share is not None:
            shares.append(share)
    return Kept(
        n_sources=len(sources),
        n_missing=missing,
        n_stale=stale + len(rows),
        n_shortened=shortened,
        n_over=over,
        ratio=n_out / n_in if n_in else None,
        n_with_numbers=len(shares),
        retention=sum(shares) / len(shares) if shares else None,
        n_below=sum(share < LEAST_NUMERIC for share in shares),
    )
