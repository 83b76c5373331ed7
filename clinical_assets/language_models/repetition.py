"""Where a text begins to repeat itself without end: how a language model fails that does not find its end."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

__all__ = ["cut_loop", "find_loop"]

_LONGEST = 200  # items of a block that may be repeated
_COPIES = 3  # of a block in a row that make it a loop
_LEAST = 24  # items that are repeated: dashes under a heading and "no, no, no" are no loop
_WORD = re.compile(r"[^\W_]+|[^\w\s]")


def find_loop(items: Sequence[int]) -> int | None:
    """Return how many items stand before the first repetition, the first copy counted; None if nothing is in a loop.

    A loop is a block of at most 200 items that stands there three times in a row or more, and repeats at least 24 items.
    """
    row = np.asarray(items)
    found: int | None = None
    for period in range(1, min(_LONGEST, len(row) // _COPIES) + 1):
        same = row[period:] == row[:-period]
        if not same[-1] and int(same.sum()) < _LEAST:
            continue
        # starts and lengths of the runs in which each item is the one a period before
        edges = np.flatnonzero(np.diff(np.concatenate(([0], same.astype(np.int8), [0]))))
        starts, ends = edges[::2], edges[1::2]
        long = starts[(ends - starts) >= max(_LEAST, (_COPIES - 1) * period)]
        if len(long) and (found is None or long[0] + period < found):
            found = int(long[0] + period)
    return found


def cut_loop(text: str) -> str | None:
    """Return a text up to where it begins to repeat itself, the first copy kept; None if it does not."""
    words = list(_WORD.finditer(text))
    numbers: dict[str, int] = {}
    place = find_loop([numbers.setdefault(word[0], len(numbers)) for word in words])
    return None if place is None else text[: words[place - 1].end()]
