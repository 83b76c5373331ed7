"""Rank correlation of two quantities of the same items, with limits from drawing persons."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.bootstrap import interval, person_weights

__all__ = ["spearman"]


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
    estimate = _of_ranks(a, b)
    if np.isnan(estimate) or np.unique(people).size < 2:
        return estimate, float("nan"), float("nan")
    weights, index = person_weights(people, n_replicates, seed)
    drawn = [np.repeat(np.arange(a.size), row[index]) for row in weights]
    return estimate, *interval([_of_ranks(a[items], b[items]) for items in drawn], level)


def _of_ranks(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> float:
    from scipy.stats import rankdata

    if a.size < 3 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])
