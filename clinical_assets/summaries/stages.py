"""The two offline stages for one note batch: what is new is summarized, what stands is carried over, the partition is replaced."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from clinical_assets.labels.regex_labels import ENGINE_VERSION
from clinical_assets.privacy import withhold_messages
from clinical_assets.storage.lake import ContractError, Lake, Written
from clinical_assets.storage.summary_contracts import SUMMARIES, SUMMARY_IDENTITY
from clinical_assets.study.model import Study
from clinical_assets.study.summarizing import Summaries
from clinical_assets.summaries.clauses import CLAUSES_VERSION, compress
from clinical_assets.summaries.extraction import EXTRACTOR_VERSION, FactExtractor, extractor_for
from clinical_assets.summaries.extractive import EXTRACTIVE_VERSION, Draft, fact_id, summarize
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.sentence_vectors import encoder_name, sentence_encoder
from clinical_assets.summaries.source import Source, read_sources
from clinical_assets.summaries.spans import Span, render
from clinical_assets.summaries.text_metrics import count_tokens
from clinical_assets.summaries.vocabulary import Vocabulary

__all__ = [
    "COMPRESSED",
    "VERBOSE",
    "Stage",
    "StaleStageError",
    "SummaryRun",
    "kept_counts",
    "settings_sha",
    "summarize_batch",
    "summary_row",
]


@dataclass(frozen=True)
class Stage:
    """A table and who makes it."""

    table: str
    summarizer: str


VERBOSE = Stage("summaries/verbose_extractive", "extractive")
COMPRESSED = Stage("summaries/compressed_extractive", "extractive_clauses")


@dataclass(frozen=True)
class SummaryRun:
    """What a run did, in numbers."""

    written: Written
    n_cached: int
    n_computed: int
    by_status: dict[str, int]
    seconds: float
    totals: dict[str, int]


def settings_sha(stage: Stage, study: Study, vocabulary: Vocabulary) -> str:
    """Return the digest of everything but the text that a summary depends on."""
    rules = study.summaries
    said: dict[str, Any] = {
        "versions": [EXTRACTOR_VERSION, EXTRACTIVE_VERSION, ENGINE_VERSION],
        "vocabulary": vocabulary.sha,
        "unit": rules.unit,
        "window_days": rules.window_days if rules.unit == "person_window" else None,
        "verbose": [rules.verbose_ratio, rules.verbose_max_tokens],
        "similarity": encoder_name(rules.similarity),
        "focus": rules.focus.model_dump() if rules.focus.share else rules.focus.facts,
    }
    if stage is COMPRESSED:
        said["compressed"] = [rules.compressed_ratio, CLAUSES_VERSION]
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def summarize_batch(
    lake: Lake,
    stage: Stage,
    study: Study,
    batch: str,
    scope: Collection[int],
    vocabulary: Callable[[], Vocabulary],
    *,
    places: Callable[[Collection[int]], Sequence[Mapping[str, Any]]] = lambda persons: (),
    run_id: str,
    made_at: datetime,
) -> SummaryRun:
    """Summarize what is in scope of a batch, and replace the partition of the stage's table.

    Parameters
    ----------
    scope
        note_ids of the batch in scope of labelling.
    vocabulary
        The names to look for.
    places
        Takes person_ids; says where their notes are. Asked only with ``unit: person_window``.

    Raises
    ------
    FileNotFoundError
        For stage 2, if stage 1 of the batch is not in the lake.
    ValueError
        For stage 2, if stage 1 is of other texts or settings than these: it has to be made anew first.
    """
    started = time.monotonic()
    names = vocabulary()
    work = _Work(lake, stage, study, batch, names, run_id, made_at)
    persons = work.persons(scope) if study.summaries.unit == "person_window" else []
    with withhold_messages(ContractError, OSError, StaleStageError):
        sources = read_sources(lake, batch, scope, study.summaries, places(persons) if persons else ())
        known = work.standing()
        first = work.first_stage() if stage is COMPRESSED else {}
        rows, n_computed = [], 0
        for source in sources:
            row = known.get((source.note_id, source.sha256))
            if row is None:
                row = work.row(source, first.get((source.note_id, source.sha256)))
                n_computed += 1
            rows.append(row)
        if n_computed or not lake.has(stage.table, batch) or lake.n_rows(stage.table, batch) != len(rows):
            written = lake.write(stage.table, pa.Table.from_pylist(rows, schema=SUMMARIES), SUMMARIES, batch=batch)
        else:
            written = lake.written(stage.table, batch)
    totals = {
        name: sum(row[name] for row in rows if row["text"] is not None)
        for name in SUMMARIES.names
        if name.startswith(("n_tokens", "n_entities", "n_numeric"))
    }
    by_status = dict(Counter(row["status"] for row in rows))
    seconds = round(time.monotonic() - started, 3)
    return SummaryRun(written, len(rows) - n_computed, n_computed, by_status, seconds, totals)


class StaleStageError(ValueError):
    """Stage 1 does not fit what stage 2 is to be made of. Names a batch, never a text."""


class _Work:
    """One stage on one batch."""

    def __init__(
        self, lake: Lake, stage: Stage, study: Study, batch: str, names: Vocabulary, run_id: str, made_at: datetime
    ) -> None:
        self._lake, self._stage, self._batch = lake, stage, batch
        self._rules = study.summaries
        self._sha = settings_sha(stage, study, names)
        self._first_sha = settings_sha(VERBOSE, study, names)
        self._names = names
        self._extractor: FactExtractor | None = None
        self._made = {"run_id": run_id, "made_at": made_at}

    @property
    def extractor(self) -> FactExtractor:
        """The extractor; not built where nothing is new."""
        if self._extractor is None:
            self._extractor = extractor_for(self._names)
        return self._extractor

    def persons(self, scope: Collection[int]) -> list[int]:
        """Return the persons whose notes are in scope."""
        rows = self._lake.read("notes/notes", self._batch, ["note_id", "person_id"]).to_pylist()
        return sorted({row["person_id"] for row in rows if row["note_id"] in scope})

    def standing(self) -> dict[tuple[int, str], dict[str, Any]]:
        """Return the rows of the partition that were made the same way, by note and source."""
        if not self._lake.has(self._stage.table, self._batch):
            return {}
        identity = dict(zip(SUMMARY_IDENTITY[2:], (self._stage.summarizer, self._sha), strict=True))
        rows = self._lake.read(self._stage.table, self._batch).to_pylist()
        return {
            (row["note_id"], row["source_sha256"]): row
            for row in rows
            if all(row[name] == value for name, value in identity.items())
        }

    def first_stage(self) -> dict[tuple[int, str], dict[str, Any]]:
        """Return the rows of stage 1, made with the settings that hold."""
        rows = self._lake.read(VERBOSE.table, self._batch).to_pylist()
        return {(row["note_id"], row["source_sha256"]): row for row in rows if row["settings_sha"] == self._first_sha}

    def row(self, source: Source, first: Mapping[str, Any] | None) -> dict[str, Any]:
        """Summarize one source."""
        if self._stage is COMPRESSED and first is None:
            raise StaleStageError(
                f"summaries of stage 1 of batch {self._batch!r} are of other texts or settings: materialize {VERBOSE.table} first"
            )
        row = summary_row(
            self._stage, source, first, rules=self._rules, sha=self._sha, extractor=lambda: self.extractor
        )
        return {**row, "batch": self._batch, **self._made}


def summary_row(
    stage: Stage,
    source: Source,
    first: Mapping[str, Any] | None,
    *,
    rules: Summaries,
    sha: str,
    extractor: Callable[[], FactExtractor],
) -> dict[str, Any]:
    """Summarize one source: a row of the SUMMARIES contract but for batch, run_id and made_at.

    Parameters
    ----------
    first
        Row of stage 1 of the same source; None makes stage 1.
    sha
        :func:`settings_sha` of the stage.
    extractor
        Returns the extractor; not asked where the source has no text to read.
    """
    started = time.monotonic()
    draft = Draft((), source.status, None, None, "none")
    facts: dict[int, list[Fact]] = {}
    if source.status == "ready":
        facts = {note.note_id: extractor().extract(note.text, note.index) for note in source.notes}
        draft = _draft(source, facts, first, rules, extractor)
    text = render(source.texts, draft.spans) if draft.spans else None
    found = extractor().extract(text) if text is not None else []
    n_source = sum(count_tokens(note.text) for note in source.notes)
    before = [fact for each in facts.values() for fact in each]
    return {
        "note_id": source.note_id,
        "source_sha256": source.sha256,
        "summarizer": stage.summarizer,
        "settings_sha": sha,
        "person_id": source.person_id,
        "unit": rules.unit,
        "n_notes": len(source.notes),
        "status": draft.status,
        "text": text,
        "text_sha256": hashlib.sha256(text.encode("utf-8")).hexdigest() if text is not None else None,
        "spans": [span._asdict() for span in draft.spans],
        "n_spans": len(draft.spans),
        "similarity": draft.similarity,
        "target_ratio": rules.compressed_ratio if first else rules.verbose_ratio,
        "n_tokens_source": n_source,
        "n_tokens_in": first["n_tokens_out"] if first else n_source,
        "n_tokens_out": count_tokens(text or ""),
        **kept_counts(before, found),
        "coverage": draft.coverage,
        "bound": draft.bound,
        "seconds": round(time.monotonic() - started, 6),
    }


def _draft(
    source: Source,
    facts: Mapping[int, list[Fact]],
    first: Mapping[str, Any] | None,
    rules: Summaries,
    extractor: Callable[[], FactExtractor],
) -> Draft:
    if first is None:
        return summarize(
            source,
            facts,
            ratio=rules.verbose_ratio,
            max_tokens=rules.verbose_max_tokens,
            focus=rules.focus,
            encoder=sentence_encoder(rules.similarity),
        )
    spans = [Span(**span) for span in first["spans"]]
    return compress(source, spans, facts, extractor().extract, ratio=rules.compressed_ratio)


def kept_counts(before: Sequence[Fact], after: Sequence[Fact]) -> dict[str, int]:
    """Count distinct facts of a source, and those that the text of its summary says too."""
    counts: dict[str, int] = {}
    for name, numeric in (("n_entities", False), ("n_numeric", True)):
        was = {fact_id(fact) for fact in before if fact.is_numeric == numeric}
        now = {fact_id(fact) for fact in after if fact.is_numeric == numeric}
        counts |= {name: len(was), f"{name}_kept": len(was & now)}
    return counts
