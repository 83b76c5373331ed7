"""What the checks of mentions ask: every note read, offsets that stand in the text, nothing twice. Read anew from the texts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from clinical_assets.entities.answers import TABLES
from clinical_assets.storage.lake import Lake

__all__ = ["MOST_FAILED", "MOST_UNLINKED", "Cover", "Faults", "note_cover", "span_faults"]

MOST_UNLINKED = 0.5
MOST_FAILED = 0.05
_CHUNK = 2_000
_NOT_FAILED = ("extracted", "no_text")


@dataclass(frozen=True)
class Cover:
    """Notes of a batch that should be read, and what is there of them. `n_foreign`: rows of notes that nobody asked for."""

    n_notes: int
    n_missing: int
    n_stale: int
    n_foreign: int
    n_failed: int

    @property
    def failed(self) -> float | None:
        """Share of notes of which nothing is known although they have a text; None without notes."""
        return self.n_failed / self.n_notes if self.n_notes else None


@dataclass(frozen=True)
class Faults:
    """Mentions of a batch, and what is wrong with them."""

    n_mentions: int
    n_outside: int
    n_other_words: int
    n_overlapping: int
    n_without_note: int
    n_unlinked: int


def note_cover(rows: pa.Table, notes: pa.Table, identity: dict[str, str]) -> Cover:
    """Compare the rows of entities/notes of a batch with the notes that should be read (note_id, text_sha256)."""
    now = dict(zip(notes["note_id"].to_pylist(), notes["text_sha256"].to_pylist(), strict=True))
    columns = ["note_id", "note_sha256", "status", *identity]
    missing, stale, foreign, failed = set(now), 0, 0, 0
    for row in rows.select(columns).to_pylist():
        if row["note_id"] not in now:
            foreign += 1
            continue
        missing.discard(row["note_id"])
        same = all(row[name] == value for name, value in identity.items())
        stale += not same or row["note_sha256"] != now[row["note_id"]]
        failed += row["status"] not in _NOT_FAILED
    return Cover(len(now), len(missing), stale, foreign, failed)


def span_faults(lake: Lake, batch: str) -> Faults:
    """Hold every mention of a batch against the text of its note."""
    by_note: dict[int, list[dict[str, Any]]] = {}
    columns = ["note_id", "note_sha256", "start", "end", "entity_type", "text", "concept_id", "mention_index"]
    mentions = lake.read(TABLES[1], batch, columns).sort_by([("note_id", "ascending"), ("mention_index", "ascending")])
    for row in mentions.to_pylist():
        by_note.setdefault(row["note_id"], []).append(row)
    left = set(by_note)
    outside = other = overlapping = 0
    for chunk in lake.iter_chunks("notes/notes", batch, rows=_CHUNK, columns=["note_id", "text", "text_sha256"]):
        for note in chunk.to_pylist():
            rows = by_note.get(note["note_id"], [])
            left.discard(note["note_id"])
            edge: dict[str, int] = {}
            for row in rows:
                start, end = row["start"], row["end"]
                inside = 0 <= start < end <= len(note["text"])
                outside += not inside
                other += inside and (
                    note["text"][start:end] != row["text"] or row["note_sha256"] != note["text_sha256"]
                )
                overlapping += start < edge.get(row["entity_type"], 0)
                edge[row["entity_type"]] = max(end, edge.get(row["entity_type"], 0))
    unlinked = mentions["concept_id"].null_count
    return Faults(
        mentions.num_rows, outside, other, overlapping, sum(len(by_note[note_id]) for note_id in left), unlinked
    )
