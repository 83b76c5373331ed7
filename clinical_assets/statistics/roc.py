"""How well scores rank: areas under the ROC and precision-recall curves, with DeLong's and bootstrap limits.

Points are scikit-learn's definitions; here they take many rows of weights at once, which is what a bootstrap needs.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.bootstrap import interval, replicate
from clinical_assets.statistics.classification import as_flags

__all__ = [
    "Estimate",
    "auroc",
    "average_precision",
    "bootstrap_ranking",
    "delong",
    "delong_covariance",
    "delong_difference",
]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Estimate:
    """A number with its limits; nan where undefined. `p_value` is that of being zero, for differences."""

    value: float
    low: float
    high: float
    p_value: float = float("nan")


def auroc(gold: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Floats | float:
    """Return the share of pairs of a true and a false item in which the true one scores higher; ties count half.

    Parameters
    ----------
    gold
        Shape (n,), true or false.
    score
        Shape (n,), finite.
    weights
        Shape (n,) or (b, n), not negative; ones where None.

    Returns
    -------
    float or array
        A number, or shape (b,); nan where one class has no weight.

    Raises
    ------
    ValueError
        If lengths differ, or a value is missing.
    """
    truth, values = _checked(gold, score)
    rows = _rows(weights, truth.size)
    positive, negative = _by_score(truth, values, rows)
    below = np.cumsum(negative, axis=1) - negative
    pairs = positive.sum(axis=1) * negative.sum(axis=1)
    found = _over((positive * (below + negative / 2)).sum(axis=1), pairs)
    return found if weights is not None and np.ndim(weights) == 2 else float(found[0])


def average_precision(
    gold: npt.ArrayLike, score: npt.ArrayLike, weights: npt.ArrayLike | None = None
) -> Floats | float:
    """Return the mean precision at the true items, each with all that score as high (no interpolation).

    Parameters, result and errors as `auroc`. By chance it is the prevalence.
    """
    truth, values = _checked(gold, score)
    rows = _rows(weights, truth.size)
    positive, negative = (side[:, ::-1] for side in _by_score(truth, values, rows))
    hits, n = np.cumsum(positive, axis=1), np.cumsum(positive + negative, axis=1)
    precision = np.divide(hits, n, out=np.zeros_like(hits), where=n > 0)
    found = _over((positive * precision).sum(axis=1), positive.sum(axis=1))
    return found if weights is not None and np.ndim(weights) == 2 else float(found[0])


def delong_covariance(gold: npt.ArrayLike, scores: npt.ArrayLike) -> tuple[Floats, Floats]:
    """Return areas of several scores of the same items and their covariance (DeLong et al. 1988; Sun & Xu 2014).

    Parameters
    ----------
    gold
        Shape (n,), true or false; independent items, so one a person.
    scores
        Shape (k, n).

    Returns
    -------
    tuple of array
        Areas, shape (k,), and covariance, shape (k, k); nan with fewer than 2 items of a class.

    Raises
    ------
    ValueError
        As `auroc`.
    """
    from scipy.stats import rankdata

    given = np.atleast_2d(np.asarray(scores, dtype=np.float64))
    truth = _checked(gold, given[0])[0]
    positive, negative = given[:, truth == 1], given[:, truth == 0]
    m, n, k = positive.shape[1], negative.shape[1], given.shape[0]
    if min(m, n) < 2:
        return np.full(k, np.nan), np.full((k, k), np.nan)
    overall = rankdata(np.concatenate([positive, negative], axis=1), axis=1)
    v01 = (overall[:, :m] - rankdata(positive, axis=1)) / n
    v10 = 1.0 - (overall[:, m:] - rankdata(negative, axis=1)) / m
    covariance = np.atleast_2d(np.cov(v01)) / m + np.atleast_2d(np.cov(v10)) / n
    return v01.mean(axis=1), covariance


def delong(gold: npt.ArrayLike, score: npt.ArrayLike, level: float = 0.95) -> Estimate:
    """Return the area with limits on the logit scale, so that they stay within 0 and 1 (Pepe 2003, section 5.2.4).

    Raises
    ------
    ValueError
        As `auroc`.
    """
    areas, covariance = delong_covariance(gold, score)
    area, error = float(areas[0]), float(np.sqrt(covariance[0, 0]))
    if not 0 < area < 1 or not error > 0:
        return Estimate(area, *((area, area) if error == 0 else (float("nan"),) * 2))
    half = _z(level) * error / (area * (1 - area))
    logit = np.log(area / (1 - area))
    low, high = (1 / (1 + np.exp(-(logit + sign * half))) for sign in (-1, 1))
    return Estimate(area, float(low), float(high))


def delong_difference(gold: npt.ArrayLike, a: npt.ArrayLike, b: npt.ArrayLike, level: float = 0.95) -> Estimate:
    """Return the area of `a` less that of `b` on the same items, with Wald limits and p value (DeLong et al. 1988).

    Raises
    ------
    ValueError
        As `auroc`, and if `a` and `b` differ in length.
    """
    from scipy.stats import norm

    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if first.shape != second.shape:
        raise ValueError(f"two scores of the same items are compared; got shapes {first.shape} and {second.shape}")
    areas, covariance = delong_covariance(gold, np.stack([first, second]))
    gained = float(areas[0] - areas[1])
    variance = float(covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1])
    if not variance > 1e-16:
        return Estimate(gained, gained, gained, 1.0 if gained == 0 else float("nan"))
    half = _z(level) * variance**0.5
    return Estimate(gained, gained - half, gained + half, float(2 * norm.sf(abs(gained) / variance**0.5)))


def bootstrap_ranking(
    gold: npt.ArrayLike,
    scores: npt.ArrayLike,
    persons: npt.ArrayLike,
    *,
    metric: str = "auroc",
    minus: npt.ArrayLike | None = None,
    n_replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> Estimate:
    """Return an area averaged over repeats, with limits from drawing persons; or the difference of two models.

    Parameters
    ----------
    gold, persons
        Shape (n,).
    scores
        Shape (n,) or (r, n): one row per repeat of a cross-validation; the area is the mean of the rows' areas.
    metric
        auroc or average_precision.
    minus
        Scores of another model for the same items, shape as `scores`; its area is taken off in each draw.
    n_replicates, seed, level
        As elsewhere in `bootstrap`.

    Raises
    ------
    ValueError
        As `auroc`, and if there is no such metric.
    """
    functions = {"auroc": auroc, "average_precision": average_precision}
    if metric not in functions:
        raise ValueError(f"metric is {metric!r}; expected one of {', '.join(functions)}")
    of = functions[metric]

    def mean(given: npt.ArrayLike, weights: Floats) -> Floats:
        return np.mean([np.asarray(of(gold, row, weights)) for row in np.atleast_2d(np.asarray(given))], axis=0)

    def statistic(weights: Floats) -> Floats:
        return mean(scores, weights) - (mean(minus, weights) if minus is not None else 0.0)

    size = np.asarray(gold).size
    estimate = float(statistic(np.ones((1, size)))[0])
    draws = replicate(persons, statistic, n_replicates=n_replicates, seed=seed)
    return Estimate(estimate, *interval(draws, level))


def _by_score(truth: Floats, values: Floats, rows: Floats) -> tuple[Floats, Floats]:
    """Weight of true and of false items at each distinct score, ascending; shapes (b, distinct)."""
    order = np.argsort(values, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(values[order]) != 0])) if values.size else np.zeros(0, int)
    ordered, flags = rows[:, order], truth[order]
    if not values.size:
        return np.zeros((rows.shape[0], 0)), np.zeros((rows.shape[0], 0))
    return np.add.reduceat(ordered * flags, starts, axis=1), np.add.reduceat(ordered * (1 - flags), starts, axis=1)


def _rows(weights: npt.ArrayLike | None, n: int) -> Floats:
    rows = np.ones((1, n)) if weights is None else np.atleast_2d(np.asarray(weights, dtype=np.float64))
    if rows.shape[-1] != n:
        raise ValueError(f"weights must be one per item, shape (..., {n}); got shape {rows.shape}")
    return rows


def _over(above: Floats, below: Floats) -> Floats:
    return np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)


def _checked(gold: npt.ArrayLike, score: npt.ArrayLike) -> tuple[Floats, Floats]:
    truth, values = as_flags(gold, name="gold"), np.asarray(score, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape:
        raise ValueError(f"gold and score must be two lists of one length; got shapes {truth.shape} and {values.shape}")
    if np.isnan(truth).any() or not np.all(np.isfinite(values)):
        raise ValueError(
            "gold must be true or false and every score finite; leave out or fill in what is missing before"
        )
    return truth, values


def _z(level: float) -> float:
    from statistics import NormalDist

    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, e.g. 0.95")
    return NormalDist().inv_cdf(0.5 + level / 2)
