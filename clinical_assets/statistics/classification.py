"""How well a labeller's true/false values match a gold standard, from the four cells of the confusion table.

A missing value (a labeller that gave none, or one that could not be read) is wrong: it is a false negative where gold is
true and a false positive where gold is false. How many were missing is counted apart. What is undefined is nan, never 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = [
    "Counts",
    "Metrics",
    "as_flags",
    "cells",
    "clopper_pearson",
    "count",
    "macro_f1_of_positives",
    "metrics",
    "rogan_gladen",
    "wilson",
]

Floats = npt.NDArray[np.float64]
Quantity = float | npt.NDArray[np.float64]

_ROUNDING = 1e-12


@dataclass(frozen=True)
class Counts:
    """A confusion table, or many: each cell is a number or an array, all of one shape.

    Attributes
    ----------
    tp, fp, fn, tn
        Items by gold and value; missing values are in `fp` and `fn`.
    n_missing
        How many of those had no value.
    """

    tp: Quantity
    fp: Quantity
    fn: Quantity
    tn: Quantity
    n_missing: Quantity


@dataclass(frozen=True)
class Metrics:
    """What is read off a confusion table; numbers, or arrays of the shape of the counts. Nan where undefined.

    Attributes
    ----------
    n, n_positive
        Items, and those whose gold is true.
    prevalence
        Share of items whose gold is true.
    majority_baseline
        Accuracy of always giving the commoner gold value.
    accuracy, precision, recall, specificity, npv
        Shares of the items that are right: of all, of those valued true, gold true, gold false, valued false.
    f1
        ``2 tp / (2 tp + fp + fn)``; nan where nothing is true in gold or in the values (van Rijsbergen 1979).
    balanced_accuracy
        Mean of recall and specificity (Brodersen et al. 2010).
    mcc
        Correlation of gold and value (Matthews 1975); nan where either is constant.
    kappa
        Agreement beyond chance of gold and value (Cohen 1960); nan where both are constant and equal.
    """

    n: Quantity
    n_positive: Quantity
    prevalence: Quantity
    majority_baseline: Quantity
    accuracy: Quantity
    precision: Quantity
    recall: Quantity
    specificity: Quantity
    npv: Quantity
    f1: Quantity
    balanced_accuracy: Quantity
    mcc: Quantity
    kappa: Quantity


def as_flags(values: npt.ArrayLike, *, name: str = "values") -> Floats:
    """Return true/false/missing values as 1, 0 and nan, in the same shape.

    Parameters
    ----------
    values
        Any shape: booleans, 0 and 1; nan, None and pandas.NA are missing.
    name
        What to call them in an error.

    Raises
    ------
    ValueError
        If a value is anything else, e.g. a text.
    """
    given = np.asarray(values)
    if given.dtype == object:
        import pandas as pd

        missing = np.asarray(pd.isna(given), dtype=bool)
        kinds = {type(one) for one in given[~missing].tolist()}
        wrong = sorted(kind.__name__ for kind in kinds if not issubclass(kind, bool | int | float | np.generic))
        if wrong:
            raise ValueError(f"{name} must be true, false or missing; found values of type {', '.join(wrong)}")
        given = np.where(missing, np.nan, given)
    elif given.dtype.kind not in "biuf":
        raise ValueError(f"{name} must be true, false or missing; found an array of {given.dtype}")
    flags = given.astype(np.float64)
    other = flags[~(np.isnan(flags) | (flags == 0) | (flags == 1))]
    if other.size:
        raise ValueError(f"{name} must be true, false or missing; found {other[0]:g}")
    return flags


def cells(gold: npt.ArrayLike, value: npt.ArrayLike) -> Floats:
    """Return which cell of the table each item is in, so that any sum over items is a product with it.

    Parameters
    ----------
    gold
        Shape (n,), true or false.
    value
        Shape (n,), true, false or missing (see `as_flags`).

    Returns
    -------
    array
        Shape (n, 5), 0 or 1: tp, fp, fn, tn, missing.

    Raises
    ------
    ValueError
        If lengths differ, gold has a missing value, or either holds something else than true and false.
    """
    truth, found = as_flags(gold, name="gold"), as_flags(value, name="value")
    if truth.ndim != 1 or truth.shape != found.shape:
        raise ValueError(f"gold and value must be two lists of one length; got shapes {truth.shape} and {found.shape}")
    if np.isnan(truth).any():
        raise ValueError(f"gold must be true or false; {int(np.isnan(truth).sum())} of {truth.size} are missing")
    missing = np.isnan(found)
    positive, right = truth == 1, found == truth  # nan equals nothing, so missing is wrong
    columns = [positive & right, ~positive & ~right, positive & ~right, ~positive & right, missing]
    return np.stack(columns, axis=1).astype(np.float64)


def count(gold: npt.ArrayLike, value: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Counts:
    """Return the confusion table of a labeller against gold; missing values count as wrong.

    Parameters
    ----------
    gold
        Shape (n,), true or false.
    value
        Shape (n,), true, false or missing (see `as_flags`).
    weights
        Shape (n,) or (..., n), how often each item counts; once where None. Several rows give tables of shape (...).

    Raises
    ------
    ValueError
        As `cells`, and if weights are negative, not finite, or not one per item.
    """
    which = cells(gold, value)
    if weights is None:
        return Counts(*(int(total) for total in which.sum(axis=0)))
    weight = np.asarray(weights, dtype=np.float64)
    if weight.ndim == 0 or weight.shape[-1] != which.shape[0]:
        raise ValueError(f"weights must be one per item, shape (..., {which.shape[0]}); got shape {weight.shape}")
    if not np.all(np.isfinite(weight)) or np.any(weight < 0):
        raise ValueError("weights must be finite and not negative")
    totals = weight @ which
    return Counts(*(_plain(totals[..., column]) for column in range(totals.shape[-1])))


def metrics(counts: Counts) -> Metrics:
    """Return all metrics of one table, or of many at once (elementwise).

    Returns
    -------
    Metrics
        Plain numbers for one table, arrays of the shape of the counts for many; nan where undefined.

    Raises
    ------
    ValueError
        If a count is negative or not finite.
    """
    tp, fp, fn, tn = np.broadcast_arrays(*map(np.asarray, (counts.tp, counts.fp, counts.fn, counts.tn)))
    n, n_positive = tp + fp + fn + tn, tp + fn
    if not np.all(np.isfinite(n)) or any(np.any(cell < 0) for cell in (tp, fp, fn, tn)):
        raise ValueError("counts must be finite and not negative")
    tp, fp, fn, tn = (cell.astype(np.float64) for cell in (tp, fp, fn, tn))  # products overflow whole numbers
    prevalence = _ratio(tp + fn, n)
    recall, specificity = _ratio(tp, tp + fn), _ratio(tn, tn + fp)
    cross = tp * tn - fp * fn
    spread = np.sqrt((tp + fp) * (tp + fn)) * np.sqrt((tn + fp) * (tn + fn))
    found = {
        "n": n,
        "n_positive": n_positive,
        "prevalence": prevalence,
        "majority_baseline": np.maximum(prevalence, 1 - prevalence),
        "accuracy": _ratio(tp + tn, n),
        "precision": _ratio(tp, tp + fp),
        "recall": recall,
        "specificity": specificity,
        "npv": _ratio(tn, tn + fn),
        "f1": _ratio(2 * tp, 2 * tp + fp + fn),
        "balanced_accuracy": (recall + specificity) / 2,
        "mcc": _ratio(cross, spread),
        # the chance-corrected ratio times n squared, so that "no room beyond chance" is exactly 0
        "kappa": _ratio(2 * cross, (tp + fp) * (fp + tn) + (tp + fn) * (fn + tn)),
    }
    return Metrics(**{name: _plain(values) for name, values in found.items()})


def macro_f1_of_positives(counts: Counts, axis: int = -1) -> Quantity:
    """Return the mean F1 over the fields with at least one true gold answer: there F1 is defined whatever was answered.

    A field without one would enter the mean of a labeller that wrongly says true there, as 0, and be left out of that of one
    that does not: labellers would be compared over different fields.

    Parameters
    ----------
    counts
        Tables of many fields.
    axis
        Where the fields are.

    Returns
    -------
    float or array
        The shape of the counts without that axis; nan where no field has a true gold answer.
    """
    f1, positive = np.asarray(metrics(counts).f1), np.asarray(counts.tp) + np.asarray(counts.fn) > 0
    total = np.where(positive, f1, 0.0).sum(axis=axis)
    return _plain(_ratio(total, positive.sum(axis=axis)))


def wilson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return score limits of a share (Wilson 1927), without continuity correction; (nan, nan) where ``n`` is 0.

    Raises
    ------
    ValueError
        If successes are not within 0 to n, or the level not between 0 and 1.
    """
    from statistics import NormalDist

    _check_share(successes, n, level)
    if n == 0:
        return float("nan"), float("nan")
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / n
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * (share * (1 - share) / n + z**2 / (4 * n**2)) ** 0.5
    # exact at the ends, where the difference of two floats may miss 0 and 1
    return (0.0 if successes == 0 else centre - half), (1.0 if successes == n else centre + half)


def clopper_pearson(successes: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return exact binomial limits of a share (Clopper & Pearson 1934); (nan, nan) where ``n`` is 0.

    Raises
    ------
    ValueError
        If successes are not within 0 to n, or the level not between 0 and 1.
    """
    from scipy.stats import beta

    _check_share(successes, n, level)
    if n == 0:
        return float("nan"), float("nan")
    tail = (1 - level) / 2
    low = 0.0 if successes == 0 else float(beta.ppf(tail, successes, n - successes + 1))
    high = 1.0 if successes == n else float(beta.ppf(1 - tail, successes + 1, n - successes))
    return low, high


def rogan_gladen(prevalence: npt.ArrayLike, sensitivity: npt.ArrayLike, specificity: npt.ArrayLike) -> Quantity:
    """Return the true prevalence behind an apparent one (Rogan & Gladen 1978), elementwise.

    Parameters
    ----------
    prevalence
        Share that the labeller calls true.
    sensitivity, specificity
        Of the labeller.

    Returns
    -------
    float or array
        Clipped to 0 to 1; nan where the labeller is no better than chance (sensitivity + specificity <= 1).

    Raises
    ------
    ValueError
        If one of them is outside 0 to 1 (nan passes through).
    """
    shares = [np.asarray(given, dtype=np.float64) for given in (prevalence, sensitivity, specificity)]
    for name, share in zip(("prevalence", "sensitivity", "specificity"), shares, strict=True):
        if np.any((share < 0) | (share > 1)):
            raise ValueError(f"{name} must be between 0 and 1; found {share[(share < 0) | (share > 1)].flat[0]:g}")
    apparent, se, sp = shares
    youden = se + sp - 1
    return _plain(np.clip(_ratio(apparent + sp - 1, np.where(youden > _ROUNDING, youden, np.nan)), 0.0, 1.0))


def _ratio(over: npt.ArrayLike, under: npt.ArrayLike) -> Floats:
    """Divide; nan where there is nothing to divide by."""
    a, b = np.broadcast_arrays(np.asarray(over, dtype=np.float64), np.asarray(under, dtype=np.float64))
    return np.divide(a, b, out=np.full(a.shape, np.nan), where=b > 0)


def _plain(values: npt.NDArray[np.float64]) -> Quantity:
    """A number where there is only one."""
    return values.item() if np.ndim(values) == 0 else values


def _check_share(successes: float, n: float, level: float) -> None:
    if not 0 <= successes <= n:
        raise ValueError(f"successes must be between 0 and n; got {successes} of {n}")
    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, e.g. 0.95")
