"""Offset maps: where stored text and landed text run in step.

Put here how a map is built, composed and read. A map is a sequence of anchors (stored offset, raw offset), ascending in
the stored offset; from an anchor on, both texts advance together until the next. Offsets count Unicode characters.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

__all__ = ["OffsetMap", "TextBuilder", "compose", "to_raw"]

OffsetMap = tuple[tuple[int, int], ...]


def to_raw(offset_map: Sequence[tuple[int, int]] | None, offset: int) -> int:
    """Return the raw offset of a stored offset; None is the map of identical texts.

    For a character that was put in place of something else (a line end for a ``<br>``), this is where that begins.
    """
    if not offset_map:
        return offset
    at = bisect_right(offset_map, offset, key=lambda anchor: anchor[0]) - 1
    stored, raw = offset_map[max(at, 0)]
    return raw + offset - stored


def compose(outer: OffsetMap, inner: OffsetMap | None) -> OffsetMap:
    """Return the map stored -> raw out of ``outer`` (stored -> middle) and ``inner`` (middle -> raw)."""
    if inner is None:
        return outer
    joined: list[tuple[int, int]] = []
    for index, (stored, middle) in enumerate(outer):
        length = outer[index + 1][0] - stored if index + 1 < len(outer) else None
        _add(joined, stored, to_raw(inner, middle))
        first = bisect_right(inner, middle, key=lambda anchor: anchor[0])
        for inner_middle, raw in inner[first:]:
            if length is not None and inner_middle >= middle + length:
                break
            _add(joined, stored + inner_middle - middle, raw)
    return tuple(joined)


def _add(anchors: list[tuple[int, int]], stored: int, raw: int) -> None:
    if anchors and anchors[-1][0] - anchors[-1][1] == stored - raw:
        return
    anchors.append((stored, raw))


class TextBuilder:
    """Builds a stored text out of a raw one, piece by piece from left to right, and its offset map."""

    def __init__(self, raw: str) -> None:
        self._raw = raw
        self._parts: list[str] = []
        self._anchors: list[tuple[int, int]] = []
        self._length = 0
        self.last = ""

    def copy(self, start: int, end: int) -> None:
        """Take over ``raw[start:end]``."""
        if end > start:
            self._put(self._raw[start:end], start)

    def put(self, text: str, at: int) -> None:
        """Put characters that stand for what begins at raw offset ``at``."""
        for character in text:
            self._put(character, at)

    def _put(self, text: str, at: int) -> None:
        _add(self._anchors, self._length, at)
        self._parts.append(text)
        self._length += len(text)
        self.last = text[-1]

    def result(self) -> tuple[str, OffsetMap]:
        """Return the stored text and its map."""
        return "".join(self._parts), tuple(self._anchors)
