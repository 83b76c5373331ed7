"""What a file says: claims of annotators, collected row by row from the exports of annotation tools.

Only the common shape belongs here, and what all tools share: how a task names its note, and which words mean yes or no.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

__all__ = ["CLAIMS", "NO_FIELD", "Claims", "Parsed", "as_mapping", "note_key", "sha256_of", "time_of", "truth"]

CLAIMS = pa.schema(
    [
        pa.field("note_id", pa.int64()),
        pa.field("text_sha256", pa.string()),
        pa.field("annotator", pa.string()),
        pa.field("field", pa.string()),
        pa.field("value", pa.bool_()),
        pa.field("answered_at", pa.timestamp("us", tz="UTC")),
    ]
)
NO_FIELD = "none_of_these"  # an option that says: I looked, and no field is true

_TRUE, _FALSE = frozenset({"true", "yes", "y", "t", "1"}), frozenset({"false", "no", "n", "f", "0"})
_OPEN = frozenset({"", "unsure", "unknown", "unclear", "skip", "null", "none", "na", "n/a"})
_DIGEST = re.compile(r"[0-9a-f]{64}")
_TEXTS = ("text", "note_text", "note")


@dataclass(frozen=True)
class Parsed:
    """Content of one file: its format, its claims (`CLAIMS`), and rows or tasks that cannot be used, counted by reason."""

    format: str
    claims: pa.Table
    problems: Mapping[str, int]


@dataclass
class Claims:
    """Claims of one export as they are read; `n_tasks` counts tasks, `n_keyed` those that name their note."""

    rows: list[tuple[Any, ...]] = field(default_factory=list)
    problems: Counter[str] = field(default_factory=Counter)
    n_tasks: int = 0
    n_keyed: int = 0

    def key(self, *places: Mapping[str, Any]) -> tuple[int, str] | None:
        """Return the note and digest that a task names, and count it; None, with the problem counted, if it names none."""
        self.n_tasks += 1
        found = note_key(*places)
        self.n_keyed += any("note_id" in place for place in places)
        if isinstance(found, str):
            self.problems[found] += 1
            return None
        return found

    def said(self, word: object) -> bool | None:
        """Return what a word says, as `truth`; a word that says neither yes nor no is counted, and no answer."""
        try:
            return truth(word)
        except ValueError:
            self.problems["bad_value"] += 1
            return None

    def add(
        self, key: tuple[int, str], annotator: object, values: Mapping[str, bool | None], at: datetime | None
    ) -> None:
        """Add one annotator's answers on one note; a value of None is no answer."""
        name = str(annotator).strip() if annotator is not None else ""
        if not name:
            self.problems["no_annotator"] += 1
            return
        self.rows += [(*key, name, which, value, at) for which, value in values.items() if value is not None]

    def add_choices(
        self,
        key: tuple[int, str],
        annotator: object,
        offered: Iterable[str],
        chosen: Iterable[str],
        at: datetime | None,
    ) -> None:
        """Add a multi-label answer: what was chosen is true, what was offered and not chosen is false."""
        picked = set(chosen) - {NO_FIELD}
        self.add(key, annotator, {name: name in picked for name in sorted((set(offered) | picked) - {NO_FIELD})}, at)

    def parsed(self, format: str) -> Parsed:
        """Return what was collected."""
        columns: list[Any] = list(zip(*self.rows, strict=True)) or [[] for _ in CLAIMS]
        arrays = [pa.array(values, kind.type) for values, kind in zip(columns, CLAIMS, strict=True)]
        return Parsed(format, pa.Table.from_arrays(arrays, schema=CLAIMS), dict(self.problems))


def as_mapping(value: Any) -> Mapping[str, Any]:
    """Return a mapping, or an empty one for anything else: exports leave parts out, or write null."""
    return value if isinstance(value, Mapping) else {}


def note_key(*places: Mapping[str, Any]) -> tuple[int, str] | str:
    """Return (note_id, text_sha256) from the first places that have them, or why there is none.

    A digest that is not given is computed from the text that is. The text itself goes no further.
    """
    note_id = next((place["note_id"] for place in places if place.get("note_id") is not None), None)
    if note_id is None:
        return "no_note_id"
    if isinstance(note_id, bool) or not re.fullmatch(r"\d{1,18}", str(note_id).strip()):
        return "bad_note_id"
    digest = next((place["text_sha256"] for place in places if place.get("text_sha256")), None)
    if digest is None:
        text = next((place[n] for place in places for n in _TEXTS if isinstance(place.get(n), str)), None)
        if text is None:
            return "no_text_digest"
        digest = sha256_of(text)
    if not _DIGEST.fullmatch(digest := str(digest).strip().lower()):
        return "bad_text_digest"
    return int(str(note_id)), digest


def sha256_of(text: str) -> str:
    """Return the SHA-256 (hex) of a text as UTF-8; what cannot be encoded counts as it is stored, replaced."""
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()


def truth(word: object) -> bool | None:
    """Return what a word says; None for no answer.

    Raises
    ------
    ValueError
        If it says neither. The word is not repeated: it may be text of a note.
    """
    if word is None or isinstance(word, bool):
        return word
    said = str(word).strip().lower()
    if said in _OPEN:
        return None
    if said in _TRUE or said in _FALSE:
        return said in _TRUE
    raise ValueError("neither yes nor no")


def time_of(value: object) -> datetime | None:
    """Return a time from ISO 8601 (UTC where it names no zone) or seconds since 1970; None if it is neither."""
    try:
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            return datetime.fromtimestamp(value, UTC)
        if isinstance(value, str) and value.strip():
            found = datetime.fromisoformat(value.strip().replace(" UTC", "+00:00"))
            return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return None
