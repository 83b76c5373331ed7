"""Verbatim summaries: which spans of a source were kept, how they read.

A summary is its spans: :func:`render` makes the same text of them again, for ever. Only white space and, where a sentence
was shortened, a semicolon stand between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

__all__ = ["Span", "joined", "render"]


class Span(NamedTuple):
    """Characters [start, end) of the text of a note."""

    note_id: int
    start: int
    end: int


def joined(text: str, spans: Sequence[tuple[int, int]]) -> str:
    """Return the text that spans of one note make, in their order."""
    out: list[str] = []
    before = None
    for start, end in spans:
        if before is not None:
            gap = text[before:start]
            if not gap.strip():
                out.append("\n" if "\n" in gap else gap and " ")
            elif "\n" in gap:
                out.append("\n")
            else:
                out.append(" " if out[-1][-1:] in ".;:!?" else "; ")
        out.append(text[start:end])
        before = end
    return "".join(out)


def render(texts: dict[int, str], spans: Sequence[Span]) -> str:
    """Return the summary that spans make of the texts of notes: notes in the order of the spans, a blank line between them."""
    by_note: dict[int, list[tuple[int, int]]] = {}
    for span in spans:
        by_note.setdefault(span.note_id, []).append((span.start, span.end))
    return "\n\n".join(joined(texts[note_id], parts) for note_id, parts in by_note.items())
