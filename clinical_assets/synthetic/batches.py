"""Which notes arrive when and how: dated batches per site in several formats, and a few rows that cannot be used."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from clinical_assets.synthetic.concepts import cid
from clinical_assets.synthetic.config import HospitalConfig
from clinical_assets.synthetic.note_writer import Landed
from clinical_assets.synthetic.omop_schema import EPOCH, NOTE_DELIVERY, assemble

__all__ = ["BAD_ROWS_BATCH", "BATCHES", "BadRow", "Batch", "plan_bad_rows", "split_notes"]


@dataclass(frozen=True)
class Batch:
    """A delivery of one site: all its notes up to the day before, not delivered earlier. ``form`` is a file format."""

    name: str
    form: str

    @property
    def day(self) -> int:
        """Return the day of delivery."""
        return dt.date.fromisoformat(self.name[:10]).toordinal()

    @property
    def site(self) -> str:
        """Return the delivering site."""
        return self.name[11:]


# In order of delivery; a site's last batch takes everything that is left.
BATCHES: tuple[Batch, ...] = (
    Batch("2019-01-14_northgate", "parquet"),
    Batch("2020-02-03_harbour", "csv"),
    Batch("2021-09-06_riverside", "jsonl.gz"),
    Batch("2025-07-01_harbour", "parquet"),
    Batch("2025-07-01_northgate", "folder"),
    Batch("2025-07-01_riverside", "parquet"),
)
BAD_ROWS_BATCH = "2020-02-03_harbour"


@dataclass(frozen=True)
class BadRow:
    """A row that must not become a note: where it is put (1-based row of the file), why, and its cells as bytes."""

    batch: str
    row_number: int
    reason: str
    cells: dict[str, bytes]


def _table(notes: Sequence[Landed]) -> pa.Table:
    n = len(notes)
    return assemble(
        NOTE_DELIVERY,
        {
            "note_id": [note.note_id for note in notes],
            "person_id": [note.person_id for note in notes],
            "note_date": [note.day for note in notes],
            # Written during working hours of the day, one minute per id so that order is plain.
            "note_datetime": [
                (note.day - EPOCH) * 86_400_000_000 + (8 * 60 + note.note_id % 540) * 60_000_000 for note in notes
            ],
            "note_type_concept_id": [cid("ehr")] * n,
            "note_class_concept_id": [cid("clinical_note")] * n,
            "note_title": [note.title or None for note in notes],
            "note_text": [note.text for note in notes],
            "encoding_concept_id": [cid("utf8")] * n,
            "language_concept_id": [
                cid("other_language" if note.status == "not_english" else "english") for note in notes
            ],
            "visit_occurrence_id": [note.visit_occurrence_id for note in notes],
            "note_source_value": [note.note_type for note in notes],
            "site": [note.site for note in notes],
        },
        n,
    )


def split_notes(notes: Sequence[Landed]) -> dict[str, tuple[pa.Table, list[Landed]]]:
    """Return each batch's good rows as a table and as notes, ordered by date and id; batches may be empty."""
    parts: dict[str, list[Landed]] = {batch.name: [] for batch in BATCHES}
    for note in notes:
        own = [batch for batch in BATCHES if batch.site == note.site]
        chosen = next((batch for batch in own if note.day < batch.day), own[-1])
        parts[chosen.name].append(note)
    result = {}
    for name, part in parts.items():
        part.sort(key=lambda note: (note.day, note.note_id))
        result[name] = (_table(part), part)
    return result


_ABSENT_PERSON = 99_999_999


def plan_bad_rows(good: Sequence[Landed], config: HospitalConfig) -> list[BadRow]:
    """Return the unusable rows of the CSV batch; none when it has fewer than 40 good rows."""
    if not config.bad_rows or len(good) < 40:
        return []
    someone, someone_else = good[5], good[len(good) // 2]
    date = dt.date.fromordinal(someone.day).isoformat()
    future = (config.extraction_date + dt.timedelta(days=9_000)).isoformat()
    older = dt.date.fromordinal(someone_else.day - 3).isoformat()
    text = b"Synthetic row that is planted to be refused."
    plan: list[tuple[str, str, int, str, bytes]] = [
        ("orphan_person", "900000001", _ABSENT_PERSON, date, text),
        ("orphan_person", "900000002", _ABSENT_PERSON + 1, date, text),
        ("bad_date", "900000003", someone.person_id, "2019-13-45", text),
        ("bad_date", "900000004", someone.person_id, "unknown", text),
        ("future_date", "900000005", someone.person_id, future, text),
        ("future_date", "900000006", someone_else.person_id, future, text),
        ("bad_note_id", "N-17", someone.person_id, date, text),
        ("bad_note_id", "abc", someone.person_id, date, text),
        # An older version of a note that the batch also holds: the newer one stands.
        ("duplicate_note_id", str(someone_else.note_id), someone_else.person_id, older, text),
        ("invalid_utf8", "900000007", someone.person_id, date, text + b" caf\xe9 \xff\xfe"),
    ]
    rows = []
    step = max(1, len(good) // (len(plan) + 1))
    for number, (reason, note_id, person_id, day, body) in enumerate(plan):
        cells = {
            "note_id": note_id.encode(),
            "person_id": str(person_id).encode(),
            "note_date": day.encode(),
            "note_type_concept_id": str(cid("ehr")).encode(),
            "note_class_concept_id": str(cid("clinical_note")).encode(),
            "note_text": body,
            "encoding_concept_id": str(cid("utf8")).encode(),
            "language_concept_id": str(cid("english")).encode(),
            "note_source_value": b"Progress Notes",
            "site": someone.site.encode(),
        }
        # Rows before this one: the good ones up to its place, and the bad ones already planted.
        rows.append(BadRow(BAD_ROWS_BATCH, (number + 1) * step + number + 1, reason, cells))
    return rows
