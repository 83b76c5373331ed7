"""Is the size of a batch usual, given the batches before it?"""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["Volume", "usual_volume"]

_TRAILING = 20  # batches
_AT_LEAST = 4  # fewer tell nothing about what is usual
_FACTOR = 4.0  # times the median, up or down


@dataclass(frozen=True)
class Volume:
    """A batch's notes against the range that trailing batches make usual (both in notes)."""

    n_stored: int
    low: float
    high: float
    n_before: int
    usual: bool


def usual_volume(stored: Mapping[str, int], batch: str) -> Volume:
    """Compare `batch` with the median of up to 20 batches before it in name order.

    The range is median / 4 to median * 4: deliveries differ by weekday and site, and a warning that cries often is read
    by nobody. With fewer than four batches before it everything is usual.
    """
    before = [n for name, n in sorted(stored.items()) if name < batch][-_TRAILING:]
    n = stored[batch]
    if len(before) < _AT_LEAST:
        return Volume(n, 0.0, float("inf"), len(before), usual=True)
    median = statistics.median(before)
    low, high = median / _FACTOR, median * _FACTOR
    return Volume(n, low, high, len(before), usual=low <= n <= high)
