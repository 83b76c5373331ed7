"""Entities of one note batch: ask the ledger, extract from what is new, find links and assertions, replace both partitions.

Extraction is what costs; it is put by regularly, so that a run that is killed goes on where it was. All else of a row (normal form,
assertion, section, link) is found anew at every write, so that another vocabulary or lexicon needs no model.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.entities.answers import IDENTITY, SHELF, SPANS, TABLES, Answers, identity_digest
from clinical_assets.entities.choice import ChosenExtractor, ExtractorError, opened
from clinical_assets.entities.extraction import Extraction
from clinical_assets.entities.linker import Linker
from clinical_assets.entities.mention_rows import NoteSpans, mention_rows, rows_stamp
from clinical_assets.entities.windows import ExtractionError, extract_texts
from clinical_assets.labels.assertion import SectionIndex
from clinical_assets.labels.regex_labels import section_finder
from clinical_assets.privacy import withhold_messages
from clinical_assets.progress import Progress
from clinical_assets.storage.entity_contracts import ENTITY_NOTES, MENTIONS
from clinical_assets.storage.failpoints import failpoint
from clinical_assets.storage.lake import ContractError, Lake, Written, content_digest
from clinical_assets.study.model import Study

__all__ = ["EntityRun", "extract_batch", "model_errors", "wanted_notes"]

_STAMP = "rows"  # in a partition's metadata: digest of what its rows are made of besides the answers
_PUT_BY_SECONDS = 30.0
_CHUNK = 2_000  # notes whose texts are held at a time
_COLUMNS = ["note_id", "person_id", "note_date", "text_sha256", "n_chars", "status", "batch"]
Log = Callable[[str], None]


@dataclass
class EntityRun:
    """What a run did, in numbers."""

    notes: Written
    mentions: Written
    n_cached: int
    n_computed: int
    seconds: float
    n_linked: int = 0
    by_status: dict[str, int] = field(default_factory=dict)
    by_type: dict[str, int] = field(default_factory=dict)
    by_assertion: dict[str, int] = field(default_factory=dict)


def wanted_notes(lake: Lake, batch: str, scope: Collection[int] | None) -> pa.Table:
    """Return the notes of a batch that are read, without their texts, by note_id: those in scope; every usable one for None."""
    notes = lake.read("notes/notes", batch, _COLUMNS)
    if scope is None:
        return notes.filter(pc.equal(notes["status"], "usable")).sort_by("note_id")
    return notes.filter(pc.is_in(notes["note_id"], value_set=pa.array(sorted(scope), pa.int64()))).sort_by("note_id")


def extract_batch(
    lake: Lake,
    chosen: ChosenExtractor,
    linker: Linker,
    study: Study,
    batch: str,
    scope: Collection[int] | None,
    *,
    run_id: str,
    extracted_at: datetime,
    log: Log = lambda line: None,
) -> EntityRun:
    """Extract from the notes of a batch, and replace the partitions of entities/mentions and entities/notes.

    Parameters
    ----------
    scope
        note_ids that are read; None for every usable note.

    Raises
    ------
    FileNotFoundError
        If the batch is not in the lake.
    ExtractorError, ExtractionError
        If the extractor is another one than was chosen, or breaks its contract. What was extracted until then is put by.
    ModelError, ServerError, TaggerError
        If a model cannot be used.
    """
    started = time.monotonic()
    work = _Work(lake, chosen, linker, study, batch, wanted_notes(lake, batch, scope), run_id, extracted_at)
    for tables in (TABLES, SHELF):
        work.answers.read(lake, tables, batch, work.texts, chosen.identity)
    n_cached = len(work.answers.notes)
    with withhold_messages(ContractError, OSError, ExtractorError, ExtractionError, *model_errors()):
        n_computed = work.extract(log)
        notes, mentions = work.write()
    return _told(lake, batch, EntityRun(notes, mentions, n_cached, n_computed, round(time.monotonic() - started, 3)))


def _told(lake: Lake, batch: str, run: EntityRun) -> EntityRun:
    rows = lake.read("entities/mentions", batch, ["entity_type", "assertion", "concept_id"])
    run.n_linked = rows.num_rows - rows["concept_id"].null_count
    run.by_type = dict(sorted(Counter(rows["entity_type"].to_pylist()).items()))
    run.by_assertion = dict(sorted(Counter(rows["assertion"].to_pylist()).items()))
    run.by_status = dict(sorted(Counter(lake.read("entities/notes", batch, ["status"])["status"].to_pylist()).items()))
    return run


def model_errors() -> tuple[type[Exception], ...]:
    """Return the errors of models: their messages are ours, and hold no text of a note."""
    from clinical_assets.entities.tagger_store import TaggerError
    from clinical_assets.language_models.devices import DeviceError
    from clinical_assets.language_models.loading import ModelError
    from clinical_assets.language_models.server import ServerError

    return ModelError, ServerError, DeviceError, TaggerError


class _Work:
    """The notes of one batch while they are read."""

    def __init__(
        self,
        lake: Lake,
        chosen: ChosenExtractor,
        linker: Linker,
        study: Study,
        batch: str,
        notes: pa.Table,
        run_id: str,
        extracted_at: datetime,
    ) -> None:
        self._lake, self._chosen, self._linker, self._batch = lake, chosen, linker, batch
        self._most = study.entities.most_chars
        self._run: dict[str, Any] = {"run_id": run_id, "extracted_at": extracted_at}
        self._rows = {row["note_id"]: row for row in notes.to_pylist()}
        self.texts: dict[int, str] = {note_id: row["text_sha256"] for note_id, row in self._rows.items()}
        self.answers = Answers()
        self._sections = lake.read("notes/sections", batch)
        self._stamp = rows_stamp(linker.sha, study.entities.least_link_score, content_digest(self._sections))
        self._put_by_at = time.monotonic()

    def extract(self, log: Log) -> int:
        """Extract from what has no answer yet; return from how many notes."""
        waiting = []
        for note_id, row in self._rows.items():
            if row["status"] != "usable" or row["n_chars"] > self._most:
                self._add(note_id, Extraction((), "no_text" if row["status"] != "usable" else "too_long"))
            elif note_id not in self.answers.notes:
                waiting.append(note_id)
        if not waiting:
            return 0
        progress = Progress("notes read", len(waiting), log)
        with opened(self._chosen, log) as extractor:
            new = False
            try:
                for ids, texts in self._texts_of(set(waiting)):
                    for note_id, extraction in zip(ids, extract_texts(extractor, texts), strict=True):
                        self._add(note_id, extraction)
                        progress.add(1)
                        new = not self._put_by_now()
            except Exception:
                if new:
                    self._put_by()
                raise
        return len(waiting)

    def _texts_of(self, ids: set[int]) -> Iterator[tuple[list[int], list[str]]]:
        for chunk in self._lake.iter_chunks("notes/notes", self._batch, rows=_CHUNK, columns=["note_id", "text"]):
            rows = [(row["note_id"], row["text"]) for row in chunk.to_pylist() if row["note_id"] in ids]
            if rows:
                yield [note_id for note_id, _ in rows], [text for _, text in rows]

    def _columns(self, note_id: int) -> dict[str, Any]:
        row = self._rows[note_id]
        return {
            **self._chosen.identity,
            "note_id": note_id,
            "note_sha256": row["text_sha256"],
            "person_id": row["person_id"],
            "note_date": row["note_date"],
            "batch": self._batch,
        }

    def _add(self, note_id: int, extraction: Extraction) -> None:
        self.answers.add({**self._columns(note_id), **self._run}, extraction)

    def _put_by_now(self) -> bool:
        if time.monotonic() - self._put_by_at < _PUT_BY_SECONDS:
            return False
        self._put_by()
        return True

    def _put_by(self) -> None:
        metadata = {IDENTITY: identity_digest(self._chosen.identity)}
        self._lake.write(SHELF[1], self.answers.spans_table(), SPANS, batch=self._batch, metadata=metadata)
        self._lake.write(SHELF[0], self.answers.notes_table(), ENTITY_NOTES, batch=self._batch, metadata=metadata)
        self._put_by_at = time.monotonic()
        failpoint("entities.after_put_by")

    def write(self) -> tuple[Written, Written]:
        """Replace both partitions, unless they stand as they would be written."""
        notes = self.answers.notes_table()
        metadata = {IDENTITY: identity_digest(self._chosen.identity), _STAMP: self._stamp}
        if not self._stands(notes, metadata):
            self._lake.write(TABLES[1], self._mentions(), MENTIONS, batch=self._batch, metadata=metadata)
            failpoint("entities.between_tables")
            self._lake.write(TABLES[0], notes, ENTITY_NOTES, batch=self._batch, metadata=metadata)
        for table in SHELF:
            self._lake.remove(table, self._batch)
        return self._lake.written(TABLES[0], self._batch), self._lake.written(TABLES[1], self._batch)

    def _stands(self, notes: pa.Table, metadata: dict[str, str]) -> bool:
        for table in TABLES:
            if not self._lake.has(table, self._batch):
                return False
            held = self._lake.metadata(table, self._batch)
            if any(held.get(name) != value for name, value in metadata.items()):
                return False
        n_mentions = sum(row["n_mentions"] or 0 for row in self.answers.notes.values())
        same = content_digest(self._lake.read(TABLES[0], self._batch)) == content_digest(notes)
        return same and self._lake.n_rows(TABLES[1], self._batch) == n_mentions

    def _mentions(self) -> Iterator[pa.Table]:
        found = {note_id for note_id, row in self.answers.notes.items() if row["n_mentions"]}
        for ids, texts in self._texts_of(found):
            of_chunk = pa.table({"note_id": ids, "text_sha256": [self.texts[note_id] for note_id in ids]})
            finder = section_finder(self._sections, of_chunk)
            spans = [
                self._spans(note_id, text, finder(row))
                for row, (note_id, text) in enumerate(zip(ids, texts, strict=True))
            ]
            yield mention_rows(spans, self._linker, **self._run)

    def _spans(self, note_id: int, text: str, sections: Callable[[], SectionIndex]) -> NoteSpans:
        row = self.answers.notes[note_id]
        made = {"run_id": row["run_id"], "extracted_at": row["extracted_at"]}
        return NoteSpans({**self._columns(note_id), **made}, text, sections, self.answers.found(note_id))
