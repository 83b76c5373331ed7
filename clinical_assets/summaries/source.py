"""What is summarised: a note, or a person's notes in a window, loss-less and with their sections; and what cannot be.

Nothing is taken away from a text: digits, punctuation and negations are what a summary is for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.assertion import Section, SectionIndex
from clinical_assets.labels.sentences import sentence_spans
from clinical_assets.storage.lake import Lake
from clinical_assets.study.summarizing import Summaries

__all__ = ["Source", "SourceNote", "Unit", "note_places", "note_source", "read_sources"]

_NOTE_COLUMNS = ["note_id", "person_id", "note_date", "text", "text_sha256", "status"]
_NO_TEXT = frozenset({"blank", "stub", "scanned_pointer"})


@dataclass(frozen=True)
class Unit:
    """A sentence of a source, or a heading. Offsets in the text of its note."""

    note_id: int
    start: int
    end: int
    section: str


@dataclass(frozen=True)
class SourceNote:
    """One note of a source."""

    note_id: int
    text: str
    text_sha256: str
    sections: tuple[Section, ...]

    @property
    def index(self) -> SectionIndex:
        """The sections by position."""
        return SectionIndex(self.sections)

    def headings(self) -> list[Unit]:
        """Return the headings that are words, in order."""
        found = (self._unit(s.heading_start, s.body_start, s.name) for s in self.sections)
        return [unit for unit in found if unit.start < unit.end]

    def sentences(self) -> list[Unit]:
        """Return the sentences in order; none crosses the border of a section."""
        parts = [(section.body_start, section.body_end, section.name) for section in self.sections]
        low = 0
        out: list[tuple[int, int, str]] = []
        for start, end, name in sorted(parts):
            head = next(s.heading_start for s in self.sections if s.body_start == start and s.body_end == end)
            out += [(low, head, "other"), (start, end, name)]
            low = max(low, end)
        out.append((low, len(self.text), "other"))
        return [
            Unit(self.note_id, start, end, name)
            for begin, stop, name in out
            for start, end in sentence_spans(self.text, begin, stop)
        ]

    def _unit(self, start: int, end: int, name: str) -> Unit:
        part = self.text[start:end]
        return Unit(self.note_id, start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip())), name)


@dataclass(frozen=True)
class Source:
    """What one summary is of. `status` is ready, or says why there is none: no_text | not_english."""

    note_id: int
    person_id: int
    notes: tuple[SourceNote, ...]
    status: str

    @property
    def sha256(self) -> str:
        """Digest of what is summarised: of the texts, in their order; of one note that of its text."""
        if len(self.notes) == 1:
            return self.notes[0].text_sha256
        return hashlib.sha256("\n".join(note.text_sha256 for note in self.notes).encode()).hexdigest()

    @property
    def texts(self) -> dict[int, str]:
        """The text of each note."""
        return {note.note_id: note.text for note in self.notes}


def note_places(connection: Any, persons: Collection[int]) -> list[dict[str, Any]]:
    """Return note_id, person_id, note_date and batch of the current notes of persons, from the warehouse's note_index."""
    rows = connection.execute(
        "select note_id, person_id, note_date, batch from notes.note_index where person_id in (select unnest(?::bigint[]))",
        [sorted(persons)],
    ).fetchall()
    return [dict(zip(("note_id", "person_id", "note_date", "batch"), row, strict=True)) for row in rows]


def read_sources(
    lake: Lake,
    batch: str,
    scope: Collection[int],
    rules: Summaries,
    places: Sequence[Mapping[str, Any]] = (),
) -> list[Source]:
    """Return what is to be summarised of a batch, by note_id.

    Parameters
    ----------
    scope
        note_ids of the batch in scope of labelling.
    places
        With ``unit: person_window``: where all notes of their persons are (:func:`note_places`). A person's summary stands in the
        batch, and under the id, of their latest note in scope there.
    """
    notes = _read(lake, batch, scope)
    if rules.unit == "note":
        indexed = _sections(lake, batch, notes)
        return [_source(row, [row], {row["note_id"]: indexed}) for row in notes]
    anchors: dict[int, dict[str, Any]] = {}
    for row in notes:
        known = anchors.get(row["person_id"])
        if known is None or (row["note_date"], row["note_id"]) > (known["note_date"], known["note_id"]):
            anchors[row["person_id"]] = row
    wanted: dict[str, set[int]] = {}
    for place in places:
        anchor = anchors.get(place["person_id"])
        days = timedelta(days=rules.window_days)
        if anchor is not None and anchor["note_date"] - days <= place["note_date"] <= anchor["note_date"]:
            wanted.setdefault(place["batch"], set()).add(place["note_id"])
    found = {row["note_id"]: row for row in anchors.values()}
    sections: dict[int, dict[tuple[int, str], list[Section]]] = {}
    for other in sorted({*wanted, batch}):
        here = _read(
            lake, other, wanted.get(other, set()) | ({r["note_id"] for r in notes} if other == batch else set())
        )
        indexed = _sections(lake, other, here)
        found |= {row["note_id"]: row for row in here}
        sections |= {row["note_id"]: indexed for row in here}
    ids = {note_id for group in wanted.values() for note_id in group} | {row["note_id"] for row in anchors.values()}
    out = []
    for anchor in sorted(anchors.values(), key=lambda row: row["note_id"]):
        own = [found[i] for i in ids if i in found and found[i]["person_id"] == anchor["person_id"]]
        out.append(_source(anchor, sorted(own, key=lambda row: (row["note_date"], row["note_id"])), sections))
    return out


def note_source(row: Mapping[str, Any], sections: Sequence[Section]) -> Source:
    """Return the source that is one note.

    Parameters
    ----------
    row
        note_id, person_id, text, text_sha256 and status of the note.
    sections
        Its sections.
    """
    return _source(row, [row], {row["note_id"]: {(row["note_id"], row["text_sha256"]): sections}})


def _source(
    anchor: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], sections: Mapping[int, Mapping[tuple[int, str], Any]]
) -> Source:
    usable = [row for row in rows if row["status"] == "usable" and row["text"]]
    status = "ready"
    if not usable:
        # all of them are unusable: a foreign language is said before nothing at all
        foreign = any(row["status"] not in _NO_TEXT and row["text"] for row in rows)
        status, usable = ("not_english" if foreign else "no_text"), list(rows)
    return Source(
        anchor["note_id"],
        anchor["person_id"],
        tuple(
            SourceNote(
                row["note_id"],
                row["text"] or "",
                row["text_sha256"],
                tuple(sections[row["note_id"]].get((row["note_id"], row["text_sha256"]), ())),
            )
            for row in usable
        ),
        status,
    )


def _read(lake: Lake, batch: str, note_ids: Collection[int]) -> list[dict[str, Any]]:
    if not lake.has("notes/notes", batch):
        return []
    notes = lake.read("notes/notes", batch, _NOTE_COLUMNS)
    chosen = notes.filter(pc.is_in(notes["note_id"], value_set=pa.array(sorted(note_ids), pa.int64())))
    return sorted(chosen.to_pylist(), key=lambda row: row["note_id"])


def _sections(lake: Lake, batch: str, notes: Sequence[Mapping[str, Any]]) -> dict[tuple[int, str], list[Section]]:
    """Return (note_id, text_sha256) -> sections, so that sections of an older text are not taken for those of this one."""
    if not lake.has("notes/sections", batch):
        return {}
    columns = ["note_id", "text_sha256", "section", "heading_start", "body_start", "body_end"]
    rows = lake.read("notes/sections", batch, columns)
    ids = pa.array(sorted(row["note_id"] for row in notes), pa.int64())
    out: dict[tuple[int, str], list[Section]] = {}
    for row in rows.filter(pc.is_in(rows["note_id"], value_set=ids)).to_pylist():
        section = Section(row["section"], row["heading_start"], row["body_start"], row["body_end"])
        out.setdefault((row["note_id"], row["text_sha256"]), []).append(section)
    return out
