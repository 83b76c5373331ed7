"""Has the rate of a label changed against the batches before? A question asked of every new batch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from clinical_assets.statistics.agreement import holm

__all__ = ["RateChange", "rate_changes"]


@dataclass(frozen=True)
class RateChange:
    """A field whose rate differs: true of all with a value, in this batch and in the trailing ones; p adjusted by Holm."""

    field: str
    rate: float
    trailing_rate: float
    n: int
    n_trailing: int
    p: float


def rate_changes(
    now: Mapping[str, tuple[int, int]],
    before: Mapping[str, tuple[int, int]],
    *,
    level: float = 0.01,
    smallest_change: float = 0.1,
) -> list[RateChange]:
    """Return the fields whose rate changed: by Fisher's exact test at `level` after Holm, and by at least `smallest_change`.

    Parameters
    ----------
    now, before
        Field -> (number true, number with a value), of the batch and of the trailing batches together.
    """
    from scipy.stats import fisher_exact

    tested = [name for name, (_, n) in now.items() if n and before.get(name, (0, 0))[1]]
    if not tested:
        return []
    p_values = []
    for name in tested:
        (true, n), (true_before, n_before) = now[name], before[name]
        p_values.append(float(fisher_exact([[true, n - true], [true_before, n_before - true_before]])[1]))
    found = []
    for name, p in zip(tested, holm(p_values), strict=True):
        (true, n), (true_before, n_before) = now[name], before[name]
        change = RateChange(name, true / n, true_before / n_before, n, n_before, float(p))
        if p < level and abs(change.rate - change.trailing_rate) >= smallest_change:
            found.append(change)
    return found
