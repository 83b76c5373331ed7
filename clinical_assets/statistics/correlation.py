"""Rank correlation of two quantities of the same items, with limits from drawing persons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.bootstrap import interval, person_weights

__all__ = ["spearman"]

_Floats = npt.NDArray[np.float64]


def spearman(
    x: npt.ArrayLike,
    y: npt.ArrayLike,
    persons: npt.ArrayLike,
    *,
    n_replicates: int = 500,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return Spearman's correlation (1904) with percentile limits; ranks are made anew in each draw of persons.

    Parameters
    ----------
    x, y, persons
        Shape (n,), finite; ties get their mean rank.
    n_replicates, seed, level
        Replicates, seed and level of the limits.

    Returns
    -------
    tuple of float
        Estimate, low, high; nan below 3 items or where one of the two is constant, limits nan below two persons.

    Raises
    ------
    ValueError
        If lengths differ or a value is not finite.
    """
    a, b = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    people = np.asarray(persons)
    if a.ndim != 1 or a.shape != b.shape or a.shape != people.shape:
        raise ValueError(
            f"x, y and persons must be three lists of one length; got {a.shape}, {b.shape}, {people.shape}"
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all()):
        raise ValueError("x and y must be finite; leave out what is undefined before")
    if a.size < 3:
        return float("nan"), float("nan"), float("nan")
    first, second = _Ranked(a), _Ranked(b)
    estimate = _of_ranks(first, second, np.ones(a.size))
    if np.isnan(estimate) or np.unique(people).size < 2:
        return estimate, float("nan"), float("nan")
    weights, index = person_weights(people, n_replicates, seed)
    return estimate, *interval([_of_ranks(first, second, row[index].astype(np.float64)) for row in weights], level)


class _Ranked:
    """Values that are sorted once: how often each item is drawn then gives all ranks without sorting again."""

    def __init__(self, values: _Floats) -> None:
        found, self._code = np.unique(values, return_inverse=True)
        self._n_values = found.size

    def ranks(self, drawn: _Floats) -> _Floats | None:
        """Return the mean rank of each item where item i stands `drawn[i]` times; None where all that is drawn is of one value."""
        held = np.bincount(self._code, drawn, self._n_values)
        if np.count_nonzero(held) < 2:
            return None
        ranks: _Floats = (np.cumsum(held) - (held - 1) / 2)[self._code]
        return ranks


def _of_ranks(a: _Ranked, b: _Ranked, drawn: _Floats) -> float:
    n = drawn.sum()
    x, y = a.ranks(drawn), b.ranks(drawn)
    if n < 3 or x is None or y is None:
        return float("nan")
    x, y = x - drawn @ x / n, y - drawn @ y / n
    return float((drawn * x) @ y / np.sqrt(((drawn * x) @ x) * ((drawn * y) @ y)))
