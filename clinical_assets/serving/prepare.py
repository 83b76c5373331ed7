"""Texts of a call as the intake would store them: mended, normalised, judged, cut into sections, with the way back."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from clinical_assets.labels.assertion import Section
from clinical_assets.notes.decoding import SURROGATES_REPLACED, mend_surrogates
from clinical_assets.notes.normalise import normalise_column
from clinical_assets.notes.offsets import to_raw
from clinical_assets.notes.sections import sections_table
from clinical_assets.notes.status import status_column
from clinical_assets.study.model import IntakeLimits

__all__ = ["Prepared", "prepare"]

_SECTION_COLUMNS = ("section", "heading_start", "body_start", "body_end")


@dataclass(frozen=True)
class Prepared:
    """Texts that are ready to be read.

    Attributes
    ----------
    ids
        The caller's names of the texts.
    notes
        One row per text: note_id (its position), person_id (0), text, text_sha256, status, batch, conversions, offset_map.
    """

    ids: tuple[str, ...]
    notes: pa.Table

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries."""
        return self.notes.to_pylist()

    @cached_property
    def sections(self) -> pa.Table:
        """Sections of all texts, SECTIONS contract."""
        return sections_table(self.notes)

    @cached_property
    def sections_of(self) -> list[list[Section]]:
        """Sections of each text."""
        found: list[list[Section]] = [[] for _ in self.ids]
        for row in self.sections.select(["note_id", *_SECTION_COLUMNS]).to_pylist():
            found[row["note_id"]].append(Section(*(row[name] for name in _SECTION_COLUMNS)))
        return found

    def read(self, index: int) -> dict[str, Any]:
        """Return what every answer says of its text; see `models.TextRead`."""
        row = self.rows[index]
        return {
            "id": self.ids[index],
            "text_sha256": row["text_sha256"],
            "note_status": row["status"],
            "conversions": row["conversions"] or [],
        }

    def span(self, index: int, start: int | None, end: int | None) -> tuple[int | None, int | None]:
        """Return where characters [start, end) of the normalised text stand in the text as sent."""
        if start is None or end is None:
            return start, end
        anchors = self.rows[index]["offset_map"]
        if not anchors:
            return start, end
        steps = [(anchor["stored"], anchor["raw"]) for anchor in anchors]
        return to_raw(steps, start), to_raw(steps, end - 1) + 1 if end > start else to_raw(steps, end)


def prepare(ids: Sequence[str], texts: Sequence[str], limits: IntakeLimits) -> Prepared:
    """Return texts as the intake stores notes."""
    size = len(texts)
    mended = [mend_surrogates(text) for text in texts]
    how = [SURROGATES_REPLACED if new != old else None for new, old in zip(mended, texts, strict=True)]
    clean = normalise_column(pa.array(mended, pa.large_string()), pa.array(how, pa.string()))
    notes = {
        "note_id": pa.array(range(size), pa.int64()),
        "person_id": pa.repeat(pa.scalar(0, pa.int64()), size),
        "text": clean.text,
        "text_sha256": pa.array([hashlib.sha256(t.encode()).hexdigest() for t in clean.text.to_pylist()], pa.string()),
        "status": status_column(
            clean.text, min_usable_chars=limits.min_usable_chars, languages_enabled=limits.languages_enabled
        ),
        "batch": pa.repeat(pa.scalar("", pa.string()), size),
        "conversions": clean.conversions,
        "offset_map": clean.offset_map,
    }
    return Prepared(tuple(ids), pa.table(notes))
