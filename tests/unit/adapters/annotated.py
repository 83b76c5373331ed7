"""A lake with annotated notes, without a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from hashlib import sha256

import pyarrow as pa

from clinical_assets.storage.contracts import LAKE_TABLES, NOTES
from clinical_assets.storage.lake import Lake

FIELDS = ("imatinib_mentioned", "cml_diagnosed")


@dataclass
class Annotated:
    """Notes with human labels, as the rooms before this one leave them in the lake."""

    lake: Lake
    notes: list[dict[str, object]] = field(default_factory=list)
    splits: list[dict[str, object]] = field(default_factory=list)
    answers: list[dict[str, object]] = field(default_factory=list)
    said: list[dict[str, object]] = field(default_factory=list)

    def add(
        self,
        note_id: int,
        split: str,
        values: Sequence[bool | None],
        *,
        text: str = "",
        status: str = "usable",
        batch: str = "one",
        annotated_text: str | None = None,
        seen: datetime = datetime(2026, 1, 1, tzinfo=UTC),
    ) -> None:
        text = text or f"Synthetic note {note_id}."
        digest = sha256((annotated_text or text).encode()).hexdigest()
        now = datetime(2026, 1, 1, tzinfo=UTC)
        self.notes.append(
            {
                "note_id": note_id, "person_id": note_id // 2, "note_date": date(2026, 1, 1), "text": text,
                "text_sha256": sha256(text.encode()).hexdigest(), "n_chars": len(text), "status": status, "batch": batch,
                "source_file_sha256": "0" * 64, "ingested_at": now, "conversions": [],
            }
        )  # fmt: skip
        self.splits.append(
            {
                "note_id": note_id, "person_id": note_id // 2, "text_sha256": digest, "group_id": note_id // 2,
                "split": split, "reason": None, "seed": 1, "assigned_at": now, "is_annotated": True,
            }
        )  # fmt: skip
        self.answers += [
            {
                "note_id": note_id, "person_id": note_id // 2, "text_sha256": digest, "field": name, "value": value,
                "status": "single" if value is not None else "disagreed", "n_annotators": 1,
            }
            for name, value in zip(FIELDS, values, strict=True)
        ]  # fmt: skip
        self.said += [
            {
                "note_id": note_id, "person_id": note_id // 2, "text_sha256": digest, "annotator": "a", "field": name,
                "value": bool(value), "answered_at": None, "source_file": "a.json", "source_format": "json",
                "source_sha256": "0" * 64, "first_seen_at": seen, "version": 1, "is_current": True,
            }
            for name, value in zip(FIELDS, values, strict=True)
        ]  # fmt: skip

    def write(self) -> Lake:
        for batch in sorted({str(note["batch"]) for note in self.notes}):
            rows = [note for note in self.notes if note["batch"] == batch]
            self.lake.write("notes/notes", pa.Table.from_pylist(rows, NOTES), NOTES, batch=batch)
            sections = LAKE_TABLES["notes/sections"]
            self.lake.write("notes/sections", sections.empty_table(), sections, batch=batch)
        for table, rows in (
            ("annotations/splits", self.splits),
            ("annotations/adjudicated", self.answers),
            ("annotations/human_labels", self.said),
        ):
            schema = LAKE_TABLES[table]
            self.lake.write(table, pa.Table.from_pylist(rows, schema), schema)
        return self.lake
