"""Intervals from drawing persons, not items, with replacement, as items of one person are not independent.

This is the cluster bootstrap (Davison & Hinkley 1997, section 3.8; Field & Welsh 2007) with percentile limits (Efron &
Tibshirani 1993, chapter 13). A replicate draws as many persons as there are; each brings all of its items every time it is
drawn. All that is estimated here is a function of sums over items, so that a replicate is a row of person weights, and all
replicates are one matrix product with the sums of each person.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.classification import Counts, Metrics, cells, metrics

__all__ = [
    "bootstrap_difference",
    "bootstrap_metrics",
    "interval",
    "intervals",
    "macro_f1",
    "person_weights",
    "replicate",
    "replicate_sums",
]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_BATCH = 2**22  # weights held at once, so that many persons do not need gigabytes


def person_weights(persons: npt.ArrayLike, n_replicates: int, seed: int) -> tuple[Whole, Whole]:
    """Draw persons with replacement.

    Parameters
    ----------
    persons
        Shape (n,), the person of each item; any labels.
    n_replicates
        How often to draw.
    seed
        The same seed gives the same draws.

    Returns
    -------
    weights
        Shape (n_replicates, n_persons), how often each person is drawn; a row adds up to n_persons. Columns are the
        distinct persons, sorted.
    index
        Shape (n,), the column of each item's person: ``weights[:, index]`` are the weights of the items.

    Raises
    ------
    ValueError
        If there are no items, a person is missing, or n_replicates is below 1.
    """
    index, n_persons = _index(persons)
    return np.concatenate(list(_draws(n_persons, n_replicates, seed))), index


def replicate_sums(persons: npt.ArrayLike, columns: npt.ArrayLike, *, n_replicates: int, seed: int) -> Floats:
    """Return the sum over items of each column in each replicate.

    Parameters
    ----------
    persons
        Shape (n,), the person of each item.
    columns
        Shape (n, k), finite numbers.
    n_replicates, seed
        As for `person_weights`, whose draws these are.

    Returns
    -------
    array
        Shape (n_replicates, k).

    Raises
    ------
    ValueError
        As `person_weights`, and if columns are not one row per item or not finite.
    """
    index, n_persons = _index(persons)
    values = np.asarray(columns, dtype=np.float64)
    if values.ndim != 2 or values.shape[0] != index.size:
        raise ValueError(f"columns must have a row for each of {index.size} items; got shape {values.shape}")
    if not np.all(np.isfinite(values)):
        raise ValueError("columns must be finite; leave out or fill in what is missing before")
    of_person = np.zeros((n_persons, values.shape[1]))
    np.add.at(of_person, index, values)
    return np.concatenate([weights @ of_person for weights in _draws(n_persons, n_replicates, seed)])


def replicate(persons: npt.ArrayLike, statistic: Callable[[Floats], Floats], *, n_replicates: int, seed: int) -> Floats:
    """Return any statistic of weighted items in each replicate, where it is no function of sums (ranks, say).

    Parameters
    ----------
    persons
        Shape (n,), the person of each item.
    statistic
        Takes weights of shape (b, n), how often each item is drawn, and returns shape (b, ...). Called with some replicates at a time.
    n_replicates, seed
        As for `person_weights`, whose draws these are.

    Returns
    -------
    array
        Shape (n_replicates, ...).

    Raises
    ------
    ValueError
        As `person_weights`.
    """
    index, n_persons = _index(persons)
    return np.concatenate(
        [statistic(weights[:, index].astype(np.float64)) for weights in _draws(n_persons, n_replicates, seed)]
    )


def interval(replicates: npt.ArrayLike, level: float = 0.95) -> tuple[float, float]:
    """Return percentile limits (Efron & Tibshirani 1993), leaving out replicates where the quantity is undefined.

    Parameters
    ----------
    replicates
        Shape (n_replicates,), nan where undefined.
    level
        Confidence level.

    Returns
    -------
    tuple of float
        Low and high; (nan, nan) if there are none or more than half are nan.

    Raises
    ------
    ValueError
        If replicates are not one list, or the level is not between 0 and 1.
    """
    values = np.asarray(replicates, dtype=np.float64)
    if values.ndim != 1:
        raise ValueError(f"replicates must be one list; got shape {values.shape}")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, e.g. 0.95")
    undefined = np.isnan(values)
    if undefined.sum() * 2 > values.size or not values.size:
        return float("nan"), float("nan")
    low, high = np.quantile(values[~undefined], [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def intervals(replicates: npt.ArrayLike, level: float = 0.95) -> tuple[Floats, Floats]:
    """Return `interval` of many quantities at once.

    Parameters
    ----------
    replicates
        Shape (n_replicates, ...), nan where undefined.
    level
        Confidence level.

    Returns
    -------
    tuple of array
        Low and high, shape (...); nan where there are no replicates or more than half are nan.

    Raises
    ------
    ValueError
        If the level is not between 0 and 1.
    """
    values = np.sort(np.asarray(replicates, dtype=np.float64), axis=0)  # nan comes last
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, e.g. 0.95")
    n_defined = (~np.isnan(values)).sum(axis=0)
    enough = (n_defined * 2 >= values.shape[0]) & (n_defined > 0)
    limits = []
    for share in ((1 - level) / 2, (1 + level) / 2):
        place = share * np.maximum(n_defined - 1, 0)
        below = np.floor(place).astype(np.int64)
        above = np.minimum(below + 1, np.maximum(n_defined - 1, 0))
        if not values.shape[0]:
            limits.append(np.full(n_defined.shape, np.nan))
            continue
        low, high = (np.take_along_axis(values, at[None], axis=0)[0] for at in (below, above))
        limits.append(np.where(enough, low + (high - low) * (place - below), np.nan))
    return limits[0], limits[1]


def bootstrap_metrics(
    gold: npt.ArrayLike,
    value: npt.ArrayLike,
    persons: npt.ArrayLike,
    *,
    n_replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> dict[str, tuple[float, float]]:
    """Return limits of every metric of `Metrics`, by name.

    Parameters
    ----------
    gold, value, persons
        Shape (n,); a missing value is wrong, as in `classification.count`.
    n_replicates, seed, level
        How often to draw persons, from which seed, and the confidence level.

    Raises
    ------
    ValueError
        As `classification.cells`, `person_weights` and `interval`.
    """
    found = _metrics(replicate_sums(persons, cells(gold, value), n_replicates=n_replicates, seed=seed))
    names = [field.name for field in dataclasses.fields(Metrics)]
    return {name: interval(getattr(found, name), level) for name in names}


def bootstrap_difference(
    gold: npt.ArrayLike,
    a: npt.ArrayLike,
    b: npt.ArrayLike,
    persons: npt.ArrayLike,
    metric: str = "f1",
    *,
    n_replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return how much better labeller `a` is than `b`, with limits, both on the same draws of persons.

    Parameters
    ----------
    gold, a, b, persons
        Shape (n,); `a` and `b` are values of two labellers for the same items.
    metric
        A name in `Metrics`.
    n_replicates, seed, level
        As for `bootstrap_metrics`.

    Returns
    -------
    tuple of float
        The metric of `a` less that of `b`, low, high; nan where undefined.

    Raises
    ------
    ValueError
        As `bootstrap_metrics`, and if there is no such metric.
    """
    names = [field.name for field in dataclasses.fields(Metrics)]
    if metric not in names:
        raise ValueError(f"metric is {metric!r}; expected one of {', '.join(names)}")
    first, second = cells(gold, a), cells(gold, b)
    sums = replicate_sums(persons, np.hstack([first, second]), n_replicates=n_replicates, seed=seed)
    sums = np.vstack([np.hstack([first, second]).sum(axis=0), sums])  # the estimate is row 0
    half = first.shape[1]
    gained = getattr(_metrics(sums[:, :half]), metric) - getattr(_metrics(sums[:, half:]), metric)
    return float(gained[0]), *interval(gained[1:], level)


def macro_f1(
    golds: Mapping[str, npt.ArrayLike],
    values: Mapping[str, npt.ArrayLike],
    persons: npt.ArrayLike,
    *,
    n_replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> tuple[float, float, float]:
    """Return the mean F1 over fields, with limits.

    Fields whose F1 is undefined (nothing true in gold or in the values) are left out of the mean, in each replicate anew.

    Parameters
    ----------
    golds, values
        Field -> shape (n,), for the same items in the same order.
    persons
        Shape (n,).
    n_replicates, seed, level
        As for `bootstrap_metrics`.

    Returns
    -------
    tuple of float
        Estimate, low, high; nan where no field has an F1.

    Raises
    ------
    ValueError
        As `bootstrap_metrics`, and if there are no fields or golds and values are of different ones.
    """
    fields = sorted(golds)
    if not fields or fields != sorted(values):
        raise ValueError(f"golds and values must be of the same fields; got {fields} and {sorted(values)}")
    which = np.hstack([cells(golds[field], values[field]) for field in fields])
    sums = replicate_sums(persons, which, n_replicates=n_replicates, seed=seed)
    sums = np.vstack([which.sum(axis=0), sums])
    tables = sums.reshape(sums.shape[0], len(fields), -1)
    f1 = np.asarray(_metrics(tables).f1)
    defined = ~np.isnan(f1)
    total, n = np.where(defined, f1, 0.0).sum(axis=1), defined.sum(axis=1)
    mean = np.divide(total, n, out=np.full(total.shape, np.nan), where=n > 0)
    return float(mean[0]), *interval(mean[1:], level)


def _metrics(sums: Floats) -> Metrics:
    """Metrics of sums whose last axis is that of `cells`."""
    return metrics(Counts(*np.moveaxis(sums, -1, 0)))


def _index(persons: npt.ArrayLike) -> tuple[Whole, int]:
    """The place of each item's person among the distinct ones, and how many these are."""
    given = np.asarray(persons)
    if given.ndim != 1 or not given.size:
        raise ValueError(f"persons must be a list with the person of each item; got shape {given.shape}")
    if given.dtype.kind in "Of":
        import pandas as pd

        missing = int(np.asarray(pd.isna(given)).sum())
        if missing:
            raise ValueError(f"every item needs a person; {missing} of {given.size} are missing")
    distinct, index = np.unique(given, return_inverse=True)
    return index.astype(np.int64), distinct.size


def _draws(n_persons: int, n_replicates: int, seed: int) -> Iterator[Whole]:
    """Yield the weights of some replicates at a time; how many makes no difference to what is drawn."""
    if n_replicates < 1:
        raise ValueError(f"n_replicates is {n_replicates}; expected at least 1")
    generator = np.random.default_rng(seed)
    step = max(1, _BATCH // n_persons)
    even = np.full(n_persons, 1 / n_persons)
    for start in range(0, n_replicates, step):
        yield generator.multinomial(n_persons, even, size=min(step, n_replicates - start))
