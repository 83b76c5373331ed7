"""Scores of the summaries of one note batch: every summarizer beside the beginning of its source and its whole source.

All metrics come from `metrics.row_metrics`; facts of every text are found once. A summary whose text, source and settings were
scored already is not scored again. Where no reference summary or first stage exists, metrics that need one have no rows.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import pyarrow as pa

from clinical_assets.labels.regex_labels import ENGINE_VERSION
from clinical_assets.privacy import withhold_messages
from clinical_assets.storage.lake import ContractError, Lake, Written
from clinical_assets.storage.summary_contracts import SUMMARY_SCORES
from clinical_assets.study.model import Study
from clinical_assets.summaries.evaluation.follow_up import follow_up_retention
from clinical_assets.summaries.extraction import EXTRACTOR_VERSION, FactExtractor, extractor_for
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.metrics import SummaryRow, copy_baseline, lead_baseline, row_metrics
from clinical_assets.summaries.ratios import Ratio, plain_value
from clinical_assets.summaries.source import Source, read_sources
from clinical_assets.summaries.stages import COMPRESSED, VERBOSE
from clinical_assets.summaries.text_metrics import SHORT_TOKENS
from clinical_assets.summaries.vocabulary import Vocabulary

__all__ = ["OFFLINE", "SCORES", "SOURCE_ITSELF", "ScoreRun", "ScoredTable", "score_batch", "scorer_sha"]

SCORES = "summaries/scores"
SOURCE_ITSELF = "(source)"
REFERENCES = "summaries/references"  # summaries that people wrote, where there are any
# Raise it whenever the same texts and vocabulary could get other scores.
SCORER_VERSION = "1"
_BERT = ("precision", "recall", "f1")

BertScorer = Callable[[Sequence[str], Sequence[str]], tuple[Sequence[Sequence[float]], str]]


@dataclass(frozen=True)
class ScoredTable:
    """A table of summaries (contract SUMMARIES), and that of the longer summaries which it shortens; None for a first stage."""

    table: str
    first: str | None = None


OFFLINE = (ScoredTable(VERBOSE.table), ScoredTable(COMPRESSED.table, VERBOSE.table))


@dataclass(frozen=True)
class ScoreRun:
    """What a run did, in numbers: summaries scored and carried over, by summarizer how many there are."""

    written: Written
    n_cached: int
    n_computed: int
    by_summarizer: dict[str, int]
    n_with_bertscore: int
    seconds: float


def scorer_sha(study: Study, vocabulary: Vocabulary) -> str:
    """Return the digest of everything but the texts that scores depend on."""
    bert = study.summaries.bertscore
    said = {
        "versions": [SCORER_VERSION, EXTRACTOR_VERSION, ENGINE_VERSION, SHORT_TOKENS],
        "vocabulary": vocabulary.sha,
        "bertscore": bert.model_dump() if bert else None,
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def score_batch(
    lake: Lake,
    tables: Sequence[ScoredTable],
    study: Study,
    batch: str,
    scope: Collection[int],
    vocabulary: Callable[[], Vocabulary],
    *,
    places: Callable[[Collection[int]], Sequence[Mapping[str, Any]]] = lambda persons: (),
    bertscore: BertScorer | None = None,
    run_id: str,
    made_at: datetime,
) -> ScoreRun:
    """Score the summaries of a batch, of all tables that there are, and replace the partition of ``summaries/scores``.

    Parameters
    ----------
    tables
        Tables of summaries; one that has nothing of this batch is passed over.
    scope
        note_ids of the batch in scope: what is not, or whose text changed since it was summarized, gets no score.
    places
        As for `stages.summarize_batch`.
    bertscore
        Takes candidates and references; returns precision, recall and F1 of each pair, and the encoder's identity. Asked only
        where the study wants it.

    Raises
    ------
    FileNotFoundError
        If no table has summaries of the batch.
    """
    started = time.monotonic()
    present = [one for one in tables if lake.has(one.table, batch)]
    if not present:
        wanted = ", ".join(one.table for one in tables)
        raise FileNotFoundError(f"no summaries of batch {batch!r} in the lake: materialize one of {wanted} first")
    names = vocabulary()
    work = _Scoring(names, {"scorer_sha": scorer_sha(study, names)}, {"run_id": run_id, "made_at": made_at})
    with withhold_messages(ContractError, OSError):
        work.references = _references(lake)
        by_table = {one.table: _summaries(lake, one.table, batch) for one in present}
        for first in {one.first for one in present if one.first} - by_table.keys():
            by_table[first] = _summaries(lake, first, batch)
        persons: set[int] = set()
        if study.summaries.unit == "person_window":
            persons = {row["person_id"] for rows in by_table.values() for row in rows.values()}
        sources = read_sources(lake, batch, scope, study.summaries, places(sorted(persons)) if persons else ())
        known = _standing(lake, batch)
        for source in sources:
            if source.status == "ready":
                work.score(source, [(one, by_table) for one in present], known)
        n_bert = 0
        if study.summaries.bertscore and bertscore:
            n_bert = work.add_bertscore(bertscore, study.summaries.bertscore.most_notes)
        rows = sorted(work.rows(), key=lambda row: (row["note_id"], row["summarizer"], row["variant"], row["metric"]))
        for row in rows:
            row["batch"] = batch
        written = lake.write(SCORES, pa.Table.from_pylist(rows, schema=SUMMARY_SCORES), SUMMARY_SCORES, batch=batch)
    seconds = round(time.monotonic() - started, 3)
    return ScoreRun(written, work.n_cached, work.n_computed, work.by_summarizer, n_bert, seconds)


Key = tuple[Any, ...]
_IDENTITY = ("note_id", "summarizer", "source_sha256", "text_sha256", "first_sha256", "reference_sha256", "scorer_sha")


def _summaries(lake: Lake, table: str, batch: str) -> dict[tuple[int, str], dict[str, Any]]:
    columns = ["note_id", "source_sha256", "summarizer", "person_id", "text", "text_sha256"]
    rows = lake.read(table, batch, columns).to_pylist() if lake.has(table, batch) else []
    return {(row["note_id"], row["source_sha256"]): row for row in rows if row["text"] is not None}


def _references(lake: Lake) -> dict[tuple[int, str], tuple[str, str]]:
    """Return (note_id, digest of what was summarized) -> text and digest of a person's summary: the first by author."""
    if not lake.has(REFERENCES):
        return {}
    columns = ["note_id", "note_sha256", "author", "text", "text_sha256"]
    rows = sorted(lake.read(REFERENCES, columns=columns).to_pylist(), key=lambda row: str(row["author"]), reverse=True)
    return {(row["note_id"], row["note_sha256"]): (row["text"], row["text_sha256"]) for row in rows}


def _standing(lake: Lake, batch: str) -> dict[Key, list[dict[str, Any]]]:
    """Return the rows of the partition as it stands, by what they are scores of."""
    found: dict[Key, list[dict[str, Any]]] = {}
    if lake.has(SCORES, batch):
        for row in lake.read(SCORES, batch).to_pylist():
            found.setdefault(tuple(row[name] for name in _IDENTITY), []).append(row)
    return found


def _whole(source: Source, extractor: FactExtractor) -> tuple[str, list[Fact]]:
    """Return the texts of a source as one, with its facts at their places there."""
    parts: list[str] = []
    facts: list[Fact] = []
    at = 0
    for note in source.notes:
        found = extractor.extract(note.text, note.index)
        facts += [replace(fact, start=fact.start + at, end=fact.end + at) for fact in found] if at else found
        parts.append(note.text)
        at += len(note.text) + 2
    return "\n\n".join(parts), facts


class _Scoring:
    """Rows of one batch as they come about."""

    def __init__(self, names: Vocabulary, identity: Mapping[str, str], made: Mapping[str, Any]) -> None:
        self._names, self._identity, self._made = names, dict(identity), dict(made)
        self._kept: list[dict[str, Any]] = []
        self._new: list[tuple[dict[str, Any], str, SummaryRow, dict[str, Ratio], str | None]] = []
        self.n_cached = self.n_computed = 0
        self.references: Mapping[tuple[int, str], tuple[str, str]] = {}
        self.by_summarizer: dict[str, int] = {}

    def score(
        self, source: Source, given: Sequence[tuple[ScoredTable, Mapping[str, Any]]], known: Mapping[Key, Any]
    ) -> None:
        """Score what there is of one source, or carry it over."""
        whole: tuple[str, list[Fact]] | None = None
        at = (source.note_id, source.sha256)
        wanted: list[tuple[dict[str, Any], dict[str, Any] | None, dict[str, Any] | None]] = []
        for one, by_table in given:
            row = by_table[one.table].get(at)
            first = by_table[one.first].get(at) if one.first else None
            if row is not None and (one.first is None or first is not None):
                wanted.append((self._head(source, row["summarizer"], row["text_sha256"], first), row, first))
        if wanted:
            wanted.append((self._head(source, SOURCE_ITSELF, source.sha256, None), None, None))
        for head, row, first in wanted:
            self.by_summarizer[head["summarizer"]] = self.by_summarizer.get(head["summarizer"], 0) + 1
            standing = known.get(tuple(head[name] for name in _IDENTITY))
            if standing is not None:
                self._kept += standing
                self.n_cached += 1
                continue
            self.n_computed += 1
            extractor = extractor_for(self._names)
            whole = whole or _whole(source, extractor)
            text, facts = whole
            if row is None:
                self._add(
                    head,
                    "copy",
                    copy_baseline(
                        SummaryRow(str(source.person_id), text, facts, "", (), reference=self._reference(source)[0])
                    ),
                )
                continue
            summary = SummaryRow(
                str(source.person_id),
                text,
                facts,
                row["text"],
                extractor.extract(row["text"]),
                first["text"] if first else None,
                extractor.extract(first["text"]) if first else None,
                self._reference(source)[0],
            )
            self._add(head, "summary", summary)
            self._add(head, "lead", lead_baseline(summary))

    def add_bertscore(self, score: BertScorer, most: int) -> int:
        """Add the BERTScore of what is new, of at most so many notes; return how many notes these are."""
        notes = sorted({(head["source_sha256"], head["note_id"]) for head, *_ in self._new})[:most]
        chosen = [entry for entry in self._new if (entry[0]["source_sha256"], entry[0]["note_id"]) in set(notes)]
        pairs = [(head, variant, row) for head, variant, row, _, _ in chosen if variant != "copy"]
        if not pairs:
            return 0
        scores, encoder = score([row.summary for *_, row in pairs], [row.source for *_, row in pairs])
        for (head, variant, row), values in zip(pairs, scores, strict=True):
            named = {
                f"bertscore_{part}_vs_source": plain_value(value) for part, value in zip(_BERT, values, strict=True)
            }
            self._new.append((head, variant, row, named, encoder))
        return len(notes)

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield all rows, those carried over first."""
        yield from self._kept
        for head, variant, _, found, encoder in self._new:
            for metric, ratio in found.items():
                yield {
                    **head,
                    "variant": variant,
                    "metric": metric,
                    "numerator": float(ratio.numerator),
                    "denominator": float(ratio.denominator),
                    "value": ratio.value,
                    "flagged": ratio.flagged,
                    "encoder": encoder,
                    **self._made,
                }

    def _head(self, source: Source, summarizer: str, text_sha: str, first: Mapping[str, Any] | None) -> dict[str, Any]:
        return {
            "note_id": source.note_id,
            "summarizer": summarizer,
            "source_sha256": source.sha256,
            "text_sha256": text_sha,
            "first_sha256": first["text_sha256"] if first else None,
            "reference_sha256": self._reference(source)[1],
            "person_id": source.person_id,
            "n_notes": len(source.notes),
            **self._identity,
        }

    def _reference(self, source: Source) -> tuple[str, str] | tuple[None, None]:
        return self.references.get((source.note_id, source.sha256), (None, None))

    def _add(self, head: dict[str, Any], variant: str, row: SummaryRow) -> None:
        absent = ("rouge",) if row.reference is None else ()
        end = ("_vs_first_stage",) if row.first_stage is None else ()
        found = {
            name: ratio
            for name, ratio in row_metrics(row).items()
            if not (absent and name.startswith(absent)) and not (end and name.endswith(end))
        }
        found["retention_follow_up_vs_source"] = follow_up_retention(row.source, row.summary)
        self._new.append((head, variant, row, found, None))
