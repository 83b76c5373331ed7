"""What an annotated document is, whatever file it came from. Knows no format."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

__all__ = ["AnnotatedDocument", "CorpusError", "Mention", "Parsed", "Reject", "without_overlaps"]


class CorpusError(ValueError):
    """Corpora that cannot be used; the message says what, where, what is expected and how to mend it."""


@dataclass(frozen=True, order=True)
class Mention:
    """Characters [start, end) that annotators marked, their type, and the codes they gave (none: an empty tuple)."""

    start: int
    end: int
    entity_type: str
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class AnnotatedDocument:
    """One document with its gold.

    Attributes
    ----------
    mentions
        By start, without overlaps.
    relations
        (code of the chemical, code of the disease), distinct.
    split
        Where the file itself says so, else None.
    line_number
        1-based line of the file where it starts.
    """

    doc_id: str
    text: str
    mentions: tuple[Mention, ...] = ()
    relations: tuple[tuple[str, str], ...] = ()
    split: str | None = None
    line_number: int = 1


@dataclass(frozen=True)
class Reject:
    """What was set aside; `detail` says what was expected and how to mend it, and never repeats text."""

    line_number: int | None
    doc_id: str | None
    reason: str
    detail: str


@dataclass
class Parsed:
    """What one file says."""

    documents: list[AnnotatedDocument] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)


def without_overlaps(mentions: Iterable[Mention]) -> tuple[list[Mention], list[Mention]]:
    """Return (kept by start, others): of mentions that overlap, the longest stays, of equals the first, of the same twice one."""
    kept: list[Mention] = []
    others: list[Mention] = []
    for one in sorted(mentions, key=lambda m: (m.start - m.end, m)):
        free = all(one.end <= other.start or one.start >= other.end for other in kept)
        (kept if free else others).append(one)
    return sorted(kept), sorted(others)
