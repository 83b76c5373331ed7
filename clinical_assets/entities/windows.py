"""Long texts in windows for extractors that read no more at once, and what was found put together again.

A window ends where a sentence does, so that no mention is cut; together the windows are the text.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from clinical_assets.entities.extraction import Extraction, Extractor, Found
from clinical_assets.labels.parts import parts_of
from clinical_assets.labels.sentences import sentence_spans
from clinical_assets.storage.entity_contracts import ENTITY_NOTE_STATUSES, ENTITY_TYPES

__all__ = ["WINDOW", "ExtractionError", "combined", "extract_texts", "windows_of"]

WINDOW = 20_000  # characters


class ExtractionError(RuntimeError):
    """An extractor gave what its contract forbids; the message holds no text."""


def windows_of(text: str, room: int = WINDOW) -> list[tuple[int, int]]:
    """Return (start, end) of the windows of a text, in order and without gaps, each of at most `room` characters."""
    if len(text) <= room:
        return [(0, len(text))]
    breaks = [start for start, _ in sentence_spans(text)]
    return parts_of(text, (), room, len, overlap=0.0, breaks=breaks)


def extract_texts(extractor: Extractor, texts: Sequence[str], room: int = WINDOW) -> Iterator[Extraction]:
    """Yield one extraction a text, in order. Extractors with ``whole_texts = True`` get texts as they are.

    Raises
    ------
    ExtractionError
        If an extractor names characters that are not there, mentions that overlap, or types and statuses that nobody knows.
    """
    whole = getattr(extractor, "whole_texts", False)
    cuts = [[(0, len(text))] if whole else windows_of(text, room) for text in texts]
    pieces = extractor.extract([text[a:b] for text, spans in zip(texts, cuts, strict=True) for a, b in spans])
    for text, spans in zip(texts, cuts, strict=True):
        parts = [(start, next(pieces)) for start, _ in spans]
        yield _checked(parts[0][1] if len(parts) == 1 else combined(parts), len(text))


def combined(parts: Sequence[tuple[int, Extraction]]) -> Extraction:
    """Return what was found in a text from what was found in its windows, given with their starts.

    If a window failed nothing is known of the text: what was found in the others would pass for all there is.
    """
    failed = next((part for _, part in parts if part.status != "extracted"), None)
    found = tuple(_moved(one, start) for start, part in parts for one in part.found)
    counts = [[getattr(part, name) for _, part in parts] for name in ("n_input_tokens", "n_output_tokens")]
    n_in, n_out = (None if None in numbers else sum(numbers) for numbers in counts)
    return Extraction(
        () if failed else found,
        failed.status if failed else "extracted",
        sum(part.n_dropped for _, part in parts),
        n_in,
        n_out,
    )


def _moved(one: Found, by: int) -> Found:
    influences = None if one.influences is None else tuple(start + by for start in one.influences)
    return one._replace(start=one.start + by, end=one.end + by, influences=influences)


def _checked(extraction: Extraction, n_chars: int) -> Extraction:
    edge = 0
    for one in extraction.found:
        if not edge <= one.start < one.end <= n_chars or one.entity_type not in ENTITY_TYPES:
            raise ExtractionError(_fault(one, edge, n_chars))
        edge = one.end
    if extraction.status not in ENTITY_NOTE_STATUSES:
        raise ExtractionError(f"status {extraction.status!r}; expected one of {', '.join(ENTITY_NOTE_STATUSES)}")
    return extraction


def _fault(one: Found, edge: int, n_chars: int) -> str:
    return (
        f"a mention at [{one.start}, {one.end}) of type {one.entity_type!r} in a text of {n_chars} characters, after one that ends at "
        f"{edge}; expected mentions in order, inside the text, without overlaps, of type {' or '.join(ENTITY_TYPES)}"
    )
