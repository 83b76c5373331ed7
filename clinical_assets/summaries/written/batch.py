"""One stage of written summaries for one note batch: what stands is kept, what is new is written, the partition is replaced.

The model is opened only if something has to be written. What is written is put by regularly, so that a run that is killed, or
whose server dies, goes on where it was.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa

from clinical_assets.language_models.texts import Writer
from clinical_assets.privacy import withhold_messages
from clinical_assets.progress import Progress
from clinical_assets.storage.failpoints import failpoint
from clinical_assets.storage.lake import ContractError, Lake, Written
from clinical_assets.storage.summary_contracts import SUMMARY_IDENTITY, WRITTEN_SUMMARIES
from clinical_assets.study.model import Study
from clinical_assets.summaries.extraction import EXTRACTOR_VERSION, FactExtractor, extractor_for
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.source import Source, read_sources
from clinical_assets.summaries.stages import StaleStageError, SummaryRun, kept_counts
from clinical_assets.summaries.text_metrics import count_tokens
from clinical_assets.summaries.vocabulary import Vocabulary
from clinical_assets.summaries.written.density import FirstStage, compress_summaries
from clinical_assets.summaries.written.map_reduce import Drafted, document_of, write_summaries
from clinical_assets.summaries.written.stage import WrittenStage, settings_sha, wordings_of

__all__ = ["write_batch"]

_PUT_BY_SECONDS = 30.0
_CHUNK = 64  # sources that are written together
_FACTS = "facts"  # in a partition's metadata: what facts of its rows were counted with
_AGAIN = frozenset({"unavailable"})  # statuses that are asked again the next time


@dataclass
class _Task:
    """What is to be written of one source."""

    source: Source
    first: Mapping[str, Any] | None


def write_batch(
    lake: Lake,
    stage: WrittenStage,
    study: Study,
    batch: str,
    scope: Collection[int],
    vocabulary: Vocabulary,
    revision: str,
    open_writer: Callable[[], AbstractContextManager[Writer]],
    *,
    adapter: str = "",
    places: Callable[[Collection[int]], Sequence[Mapping[str, Any]]] = lambda persons: (),
    run_id: str,
    made_at: datetime,
    log: Callable[[str], None] = lambda line: None,
    chunk: int = _CHUNK,
) -> SummaryRun:
    """Write the summaries of what is in scope of a batch, and replace the partition of the stage's table.

    Parameters
    ----------
    scope
        note_ids of the batch in scope of labelling.
    vocabulary
        The names to look for.
    revision
        What tells the weights from others.
    open_writer
        Opens the model; called only if something has to be written.
    adapter
        Digest of the adapter that the model wears; empty for none.
    places
        Takes person_ids; says where their notes are. Asked only with ``unit: person_window``.
    chunk
        Sources that are written together, and lost together by a run that is killed.

    Raises
    ------
    FileNotFoundError
        For stage 2, if the stage 1 that it shortens is not in the lake.
    StaleStageError
        For stage 2, if that is of other texts.
    Whatever the writer raises (ModelError, ServerError): what was written until then is put by.
    """
    started = time.monotonic()
    made = {"model_revision": revision, "adapter_sha": adapter, "run_id": run_id, "made_at": made_at}
    work = _Work(
        lake, stage, study, batch, vocabulary, settings_sha(stage, study, revision, adapter, vocabulary.sha), made
    )
    table = stage.as_stage.table
    with withhold_messages(ContractError, OSError, StaleStageError, *_writer_errors()):
        sources = read_sources(lake, batch, scope, study.summaries, places(work.persons(scope)))
        firsts = work.first_stage(sources)
        rows = work.standing(sources, firsts)
        todo = [_Task(source, firsts.get(source.note_id)) for source in sources if source.note_id not in rows]
        put_by_at = time.monotonic()
        new = False
        try:
            for written in work.write(todo, open_writer, log, chunk):
                rows |= written
                new = time.monotonic() - put_by_at < _PUT_BY_SECONDS
                if not new:
                    work.put_by(rows)
                    put_by_at = time.monotonic()
                    failpoint("written_summaries.after_put_by")
        except BaseException:
            if new:
                work.put_by(rows)
            raise
        ordered = [rows[source.note_id] for source in sources]
        if todo or lake.has(stage.put_by, batch) or not work.stands(len(ordered)):
            written_ = work.save(table, ordered)
            lake.remove(stage.put_by, batch)
        else:
            written_ = lake.written(table, batch)
    return _run(written_, ordered, len(todo), time.monotonic() - started)


def _run(written: Written, rows: Sequence[Mapping[str, Any]], n_computed: int, seconds: float) -> SummaryRun:
    names = [n for n in WRITTEN_SUMMARIES.names if n.startswith(("n_tokens", "n_entities", "n_numeric"))]
    totals = {name: sum(row[name] for row in rows if row["text"] is not None) for name in names}
    by_status = dict(Counter(row["status"] for row in rows))
    return SummaryRun(written, len(rows) - n_computed, n_computed, by_status, round(seconds, 3), totals)


def _writer_errors() -> tuple[type[Exception], ...]:
    # Their messages are ours, and hold no text of a note.
    from clinical_assets.language_models.devices import DeviceError
    from clinical_assets.language_models.loading import ModelError
    from clinical_assets.language_models.prompts import EmptySlotError
    from clinical_assets.language_models.server_client import ServerError

    return ModelError, ServerError, DeviceError, EmptySlotError


class _Work:
    """One stage on one batch."""

    def __init__(
        self,
        lake: Lake,
        stage: WrittenStage,
        study: Study,
        batch: str,
        names: Vocabulary,
        sha: str,
        made: dict[str, Any],
    ) -> None:
        self._lake, self._stage, self._batch, self._sha = lake, stage, batch, sha
        self._rules, self._words, self._made = study.summaries, wordings_of(study.summaries), made
        self._names = names
        self._stamp = f"{EXTRACTOR_VERSION}:{names.sha}"
        self._decoding = stage.decoding(study.summaries).name

    @property
    def _extractor(self) -> FactExtractor:
        return extractor_for(self._names)

    def persons(self, scope: Collection[int]) -> list[int]:
        """Return the persons whose notes are in scope, where a summary is of a person's window."""
        if self._rules.unit != "person_window":
            return []
        rows = self._lake.read("notes/notes", self._batch, ["note_id", "person_id"]).to_pylist()
        return sorted({row["person_id"] for row in rows if row["note_id"] in scope})

    def first_stage(self, sources: Sequence[Source]) -> dict[int, dict[str, Any]]:
        """Return the rows of the stage 1 that is shortened, by note; none for stage 1 itself."""
        table = self._stage.first_table
        if table is None:
            return {}
        rows = {(row["note_id"], row["source_sha256"]): row for row in self._lake.read(table, self._batch).to_pylist()}
        if any((source.note_id, source.sha256) not in rows for source in sources):
            raise StaleStageError(
                f"summaries of stage 1 of batch {self._batch!r} are of other texts: materialize {table} first"
            )
        return {source.note_id: rows[source.note_id, source.sha256] for source in sources}

    def standing(self, sources: Sequence[Source], firsts: Mapping[int, Mapping[str, Any]]) -> dict[int, dict[str, Any]]:
        """Return the rows that were made of the same texts in the same way, from the partition and what was put by."""
        wanted = {
            source.note_id: (source.sha256, firsts[source.note_id]["text_sha256"] if firsts else None)
            for source in sources
        }
        identity = dict(zip(SUMMARY_IDENTITY[2:], (self._stage.name, self._sha), strict=True))
        by_id = {source.note_id: source for source in sources}
        kept: dict[int, dict[str, Any]] = {}
        for table in (self._stage.as_stage.table, self._stage.put_by):
            if not self._lake.has(table, self._batch):
                continue
            recount = self._lake.metadata(table, self._batch).get(_FACTS) != self._stamp
            for row in self._lake.read(table, self._batch).to_pylist():
                same = all(row[name] == value for name, value in identity.items())
                if not same or row["status"] in _AGAIN:
                    continue
                if wanted.get(row["note_id"]) == (row["source_sha256"], row["input_sha256"]):
                    kept[row["note_id"]] = row | self._counts(by_id[row["note_id"]], row["text"]) if recount else row
        return kept

    def write(
        self,
        todo: Sequence[_Task],
        open_writer: Callable[[], AbstractContextManager[Writer]],
        log: Callable[[str], None],
        chunk: int,
    ) -> Iterator[dict[int, dict[str, Any]]]:
        """Yield rows by note: first those for which no model is needed, then chunk by chunk."""
        given = [(task, self._without_model(task)) for task in todo]
        yield {task.source.note_id: self._row(task, draft) for task, draft in given if draft is not None}
        asked = [task for task, draft in given if draft is None]
        if not asked:
            return
        progress = Progress("summaries written", len(asked), log)
        with open_writer() as writer:
            for start in range(0, len(asked), chunk):
                some = asked[start : start + chunk]
                if self._stage.stage == "verbose":
                    documents = [document_of(task.source) for task in some]
                    drafts = write_summaries(writer, documents, self._words, self._rules.written)
                else:
                    firsts = [FirstStage(task.first["text"], self._facts(task.source)) for task in some if task.first]
                    drafts = compress_summaries(writer, firsts, self._words, self._rules, self._extractor.extract)
                progress.add(len(some))
                yield {task.source.note_id: self._row(task, draft) for task, draft in zip(some, drafts, strict=True)}

    def put_by(self, rows: Mapping[int, Mapping[str, Any]]) -> None:
        """Keep what is written so far."""
        self.save(self._stage.put_by, list(rows.values()))

    def save(self, table: str, rows: Sequence[Mapping[str, Any]]) -> Written:
        """Replace the batch's partition of a table."""
        return self._lake.write(
            table,
            pa.Table.from_pylist(list(rows), schema=WRITTEN_SUMMARIES),
            WRITTEN_SUMMARIES,
            batch=self._batch,
            metadata={_FACTS: self._stamp},
        )

    def stands(self, n: int) -> bool:
        """Tell whether the partition is there, holds so many rows, and counts facts by the vocabulary as it is."""
        table = self._stage.as_stage.table
        if not self._lake.has(table, self._batch) or self._lake.n_rows(table, self._batch) != n:
            return False
        return self._lake.metadata(table, self._batch).get(_FACTS) == self._stamp

    def _without_model(self, task: _Task) -> Drafted | None:
        """Return the summary of what needs none; None where a model has to write."""
        source, first = task.source, task.first
        if source.status != "ready":
            return Drafted(source.status, None, n_rounds=0)
        if first is not None:
            if first["text"] is None or first["status"] == "one_line":
                return Drafted(first["status"], first["text"], n_rounds=0)
            if count_tokens(first["text"]) < self._rules.written.least_tokens:
                return Drafted("too_short", first["text"], n_rounds=0)
            return None
        if sum(len(note.sentences()) for note in source.notes) <= 1:
            whole = "\n\n".join(note.text.strip() for note in source.notes)
            return Drafted("one_line", whole, n_rounds=0)
        return None

    def _facts(self, source: Source) -> list[Fact]:
        return [fact for note in source.notes for fact in self._extractor.extract(note.text, note.index)]

    def _counts(self, source: Source, text: str | None) -> dict[str, int]:
        facts = self._facts(source) if source.status == "ready" else []
        return kept_counts(facts, self._extractor.extract(text) if text is not None else [])

    def _row(self, task: _Task, draft: Drafted) -> dict[str, Any]:
        source, first, text = task.source, task.first, draft.text
        n_source = sum(count_tokens(note.text) for note in source.notes)
        n_in = first["n_tokens_out"] if first else n_source
        n_out, target = count_tokens(text or ""), self._rules.compressed_ratio if first else self._rules.verbose_ratio
        status, reason = draft.status, draft.reason
        if status in {"summarized", "facts_lost"} and n_out > target * n_in:
            status = "over_target"
        if reason is None and first is not None and first["status"] in {"truncated", "looping"}:
            reason = f"stage_1_{first['status']}"
        return {
            "note_id": source.note_id,
            "source_sha256": source.sha256,
            "summarizer": self._stage.name,
            "settings_sha": self._sha,
            "person_id": source.person_id,
            "batch": self._batch,
            "unit": self._rules.unit,
            "n_notes": len(source.notes),
            "status": status,
            "text": text,
            "text_sha256": hashlib.sha256(text.encode("utf-8")).hexdigest() if text is not None else None,
            "spans": None,
            "n_spans": 0,
            "similarity": "none",
            "target_ratio": target,
            "n_tokens_source": n_source,
            "n_tokens_in": n_in,
            "n_tokens_out": n_out,
            **self._counts(source, text),
            "coverage": None,
            "bound": None,
            "seconds": round(draft.seconds, 6),
            "input_sha256": first["text_sha256"] if first else None,
            "decoding": self._decoding,
            "n_parts": draft.n_parts,
            "n_rounds": draft.n_rounds,
            "rounds": draft.rounds,
            "n_input_tokens": draft.n_input_tokens,
            "n_output_tokens": draft.n_output_tokens,
            "reason": reason,
            **self._made,
        }
