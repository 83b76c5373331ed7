"""Row by row: what a landed note must be to be stored, and the reason why another is set aside.

Works on whole columns. The first reason that applies is given, and the texts themselves are never part of it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.notes.readers import RAW_REJECTS
from clinical_assets.study.model import IntakeLimits

__all__ = ["Validated", "parse_date", "validate", "whole_numbers"]

_NUMBER = r"^\d{1,18}(\.0+)?$"
_TIME = re.compile(
    r"[T ]\s*(?:[01]?\d|2[0-3]):[0-5]\d(?::[0-5]\d(?:\.\d+)?)?\s*(?:[AaPp][Mm])?\s*(?:Z|[+-]\d{2}:?\d{2})?\Z"
)
_DATE_FORMATS = ("%Y-%m-%d", "%Y%m%d", "%m/%d/%Y", "%Y/%m/%d", "%d.%m.%Y", "%d-%b-%Y")
_EXPONENT = re.compile(r"^\d(?:\.\d+)?e\+?\d{1,2}\Z")
_EARLIEST = date(1900, 1, 1)


@dataclass(frozen=True)
class Validated:
    """Rows to store (typed note_id, person_id, note_date beside the landed columns) and rows set aside (RAW_REJECTS)."""

    rows: pa.Table
    rejects: pa.Table


def whole_numbers(values: pa.ChunkedArray) -> pa.Array:
    """Return int64 for 0 and positive whole numbers as text (``12``, ``12.0``), null for anything else."""
    trimmed = pc.utf8_trim_whitespace(values.combine_chunks().cast(pa.string()))
    digits = pc.replace_substring_regex(trimmed, r"\.0+$", "")
    numbers = pc.if_else(pc.match_substring_regex(trimmed, _NUMBER), digits, None).cast(pa.int64())
    # Floats of 1e15 and more are printed with an exponent; up to 2^53 they are still exact whole numbers.
    odd = [
        int(float(text))
        if text and _EXPONENT.match(text) and float(text) <= 2**53 and float(text).is_integer()
        else None
        for text in trimmed.filter(pc.is_null(numbers)).to_pylist()
    ]
    return pc.replace_with_mask(numbers, pc.is_null(numbers), pa.array(odd, pa.int64()))


def parse_date(value: str | None) -> date | None:
    """Return the calendar day that a text names, as written (no shift between time zones), or None."""
    text = _TIME.sub("", (value or "").strip())
    for form in _DATE_FORMATS:
        try:
            return datetime.strptime(text, form).date()
        except ValueError:
            continue
    return None


def validate(rows: pa.Table, *, limits: IntakeLimits, persons: pa.Table | None, today: date) -> Validated:
    """Split landed rows (RAW) into those that can be stored and those set aside.

    Parameters
    ----------
    persons
        person_id, birth_date, death_date; None skips what needs them (no person table landed yet).
    today
        Day of the intake: notes may lie at most ``limits.future_days_allowed`` days after it.
    """
    checks = _Checks(rows.num_rows)
    note_id, person_id = whole_numbers(rows["note_id"]), whole_numbers(rows["person_id"])
    note_date = _dates(rows["note_date"])
    size = pc.utf8_length(rows["text"].combine_chunks())
    checks.reject(_missing(rows["note_id"]), "missing_note_id", "note_id is empty")
    checks.reject(note_id.is_null(), "bad_note_id", "note_id is no whole number from 0 to 10^18")
    checks.reject(_missing(rows["person_id"]), "missing_person_id", "person_id is empty")
    checks.reject(person_id.is_null(), "bad_person_id", "person_id is no whole number from 0 to 10^18")
    checks.reject(note_date.is_null(), "bad_date", "note_date is no date such as 2024-03-05")
    latest = today + timedelta(days=limits.future_days_allowed)
    checks.reject(pc.less(note_date, _EARLIEST), "implausible_date", "note_date is before 1900")
    checks.reject(
        pc.greater(note_date, latest),
        "future_date",
        f"note_date is more than {limits.future_days_allowed} days after the intake",
    )
    checks.reject(
        pc.greater(size, limits.max_note_chars), "too_large", f"text is longer than {limits.max_note_chars} characters"
    )
    if persons is not None:
        position = pc.index_in(person_id, value_set=persons["person_id"].combine_chunks())
        checks.reject(position.is_null(), "orphan_person", "person_id is not in the landed person table")
        born, died = (
            persons[name].combine_chunks().cast(pa.date32()).take(position) for name in ("birth_date", "death_date")
        )
        checks.reject(pc.less(note_date, born), "before_birth", "note_date is before the person can have been born")
        grace = pc.add(died.cast(pa.int32()), pa.scalar(limits.days_after_death_allowed, pa.int32())).cast(pa.date32())
        checks.reject(
            pc.greater(note_date, grace),
            "after_death",
            f"note_date is more than {limits.days_after_death_allowed} days after the person's death",
        )
    _reject_duplicates(checks, note_id, note_date, rows["text"])
    typed = rows
    for name, column in (("note_id", note_id), ("person_id", person_id), ("note_date", note_date)):
        typed = typed.set_column(typed.schema.get_field_index(name), name, column)
    kept = pa.array(checks.reason == None)  # noqa: E711 - element-wise
    return Validated(typed.filter(kept), checks.rejects(typed))


class _Checks:
    """The first reason per row, and its words."""

    def __init__(self, size: int) -> None:
        self.reason = np.full(size, None, dtype=object)
        self._detail: dict[str, str] = {}

    def reject(self, bad: pa.Array, reason: str, detail: str) -> None:
        mask = pc.fill_null(bad, False).to_numpy(zero_copy_only=False).astype(bool)
        self._detail[reason] = detail
        self.reason[mask & (self.reason == None)] = reason  # noqa: E711 - element-wise

    def rejects(self, rows: pa.Table) -> pa.Table:
        hit = np.flatnonzero(self.reason != None)  # noqa: E711 - element-wise
        reasons = self.reason[hit].tolist()
        taken = rows.select(["row_number", "source_file", "note_id"]).take(pa.array(hit))
        columns = [taken["row_number"], taken["source_file"], pa.array(reasons, pa.string())]
        columns += [pa.array([self._detail[reason] for reason in reasons], pa.string()), taken["note_id"]]
        return pa.table(columns, schema=RAW_REJECTS)


def _missing(values: pa.ChunkedArray) -> pa.Array:
    return pc.fill_null(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(values)), 0), True).combine_chunks()


def _dates(values: pa.ChunkedArray) -> pa.Array:
    encoded = values.combine_chunks().dictionary_encode()
    days = pa.array([parse_date(text) for text in encoded.dictionary.to_pylist()], pa.date32())
    return days.take(encoded.indices)


def _reject_duplicates(checks: _Checks, note_id: pa.Array, note_date: pa.Array, text: pa.ChunkedArray) -> None:
    """Of rows with one note_id keep the newest by date, then the later row; say which others are mere repetitions."""
    alive = np.flatnonzero(checks.reason == None)  # noqa: E711 - element-wise
    ids = note_id.take(pa.array(alive)).to_numpy(zero_copy_only=False)
    days = note_date.take(pa.array(alive)).cast(pa.int32()).to_numpy(zero_copy_only=False)
    order = np.lexsort((alive, days, ids))
    last = np.ones(len(order), dtype=bool)
    last[:-1] = ids[order][1:] != ids[order][:-1]
    winner = np.empty(len(order), dtype=np.int64)
    following = 0
    for place in range(len(order) - 1, -1, -1):
        following = place if last[place] else following
        winner[place] = following
    repeated, superseded = (np.zeros(len(checks.reason), dtype=bool) for _ in range(2))
    texts = text.combine_chunks()
    for place in np.flatnonzero(~last).tolist():
        row, kept = int(alive[order[place]]), int(alive[order[winner[place]]])
        same = texts[row].as_py() == texts[kept].as_py()
        (repeated if same else superseded)[row] = True
    checks.reject(pa.array(repeated), "duplicate_row", "another row has this note_id and the same text")
    checks.reject(
        pa.array(superseded),
        "superseded_duplicate",
        "a newer row (by date, then by position) has this note_id and another text",
    )
