"""Whether probabilities are as often right as they say, how to mend them, and where to cut them into true and false."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.classification import Counts, as_flags, metrics, wilson

__all__ = ["Bin", "Platt", "brier", "choose_threshold", "ece", "fit_platt", "reliability"]

Floats = npt.NDArray[np.float64]

_EDGE = 1e-6  # nearest to 0 and 1 that a probability may come, as logits there are infinite
_FEW = 5  # of either class: a threshold chosen from fewer is chance
_METRICS = ("accuracy", "balanced_accuracy", "f1", "kappa", "mcc")
_ROUNDING = 1e-12


@dataclass(frozen=True)
class Bin:
    """Items whose probability is above `low` and at most `high` (the first bin holds 0 too).

    Attributes
    ----------
    low, high
        Edges.
    n
        Items.
    mean_probability, observed
        Mean probability and share whose gold is true; nan in an empty bin.
    lower, upper
        95 % limits of `observed` (Wilson 1927); nan in an empty bin.
    """

    low: float
    high: float
    n: int
    mean_probability: float
    observed: float
    lower: float
    upper: float


@dataclass(frozen=True)
class Platt:
    """Recalibration ``1 / (1 + exp(-(intercept + slope * logit(p))))``; intercept 0 and slope 1 change nothing."""

    intercept: float
    slope: float

    def apply(self, probability: npt.ArrayLike) -> Floats:
        """Return recalibrated probabilities, same shape; p is first kept within 1e-6 and 1 - 1e-6.

        Raises
        ------
        ValueError
            If a probability is missing or outside 0 to 1.
        """
        from scipy.special import expit

        return np.asarray(expit(self.intercept + self.slope * _logit(_probabilities(probability))))


def brier(gold: npt.ArrayLike, probability: npt.ArrayLike) -> float:
    """Return the mean squared difference of probability and gold (Brier 1950, two classes halved); nan for no items.

    Parameters
    ----------
    gold, probability
        Shape (n,): true or false, and 0 to 1.

    Raises
    ------
    ValueError
        If lengths differ, gold is missing, or a probability is missing or outside 0 to 1.
    """
    truth, p = _checked(gold, probability)
    return float(np.mean((p - truth) ** 2)) if p.size else float("nan")


def reliability(gold: npt.ArrayLike, probability: npt.ArrayLike, n_bins: int = 10) -> list[Bin]:
    """Return observed against predicted in bins of equal width (DeGroot & Fienberg 1983), the empty ones too.

    Parameters
    ----------
    gold, probability
        As for `brier`.
    n_bins
        How many bins from 0 to 1.

    Raises
    ------
    ValueError
        As `brier`, and if n_bins is below 1.
    """
    truth, p = _checked(gold, probability)
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}; expected at least 1")
    edges = np.arange(n_bins + 1) / n_bins  # not a multiple of the width, so that 0.7 is the edge 0.7
    place = np.clip(np.searchsorted(edges, p, side="left") - 1, 0, None)
    n, n_true, total = (np.bincount(place, weights=of, minlength=n_bins) for of in (None, truth, p))
    bins = []
    for i in range(n_bins):
        means = (total[i] / n[i], n_true[i] / n[i]) if n[i] else (float("nan"), float("nan"))
        limits = wilson(float(n_true[i]), float(n[i]))
        bins.append(Bin(float(edges[i]), float(edges[i + 1]), int(n[i]), *map(float, (*means, *limits))))
    return bins


def ece(gold: npt.ArrayLike, probability: npt.ArrayLike, n_bins: int = 10) -> float:
    """Return the expected calibration error: |observed - mean probability|, averaged over items (Guo et al. 2017).

    The probability is that of true, not that of the likelier class, which is what Guo et al. bin. Nan for no items.

    Parameters
    ----------
    gold, probability, n_bins
        As for `reliability`.

    Raises
    ------
    ValueError
        As `reliability`.
    """
    filled = [one for one in reliability(gold, probability, n_bins) if one.n]
    n = sum(one.n for one in filled)
    return sum(one.n * abs(one.observed - one.mean_probability) for one in filled) / n if n else float("nan")


def fit_platt(gold: npt.ArrayLike, probability: npt.ArrayLike) -> Platt:
    """Fit a logistic recalibration of the logit, with Platt's smoothed targets (Platt 1999).

    A true item pulls towards ``(n_true + 1) / (n_true + 2)``, a false one towards ``1 / (n_false + 2)``, so that the fit is
    finite even where the probabilities tell the classes apart. Fit on other items than those to be judged.

    Parameters
    ----------
    gold, probability
        As for `brier`; probabilities are kept within 1e-6 and 1 - 1e-6.

    Returns
    -------
    Platt
        With slope 1 where all probabilities are the same, as nothing tells the slope then.

    Raises
    ------
    ValueError
        As `brier`, and if there are no items.
    RuntimeError
        If the fit does not converge.
    """
    from scipy.optimize import minimize
    from scipy.special import expit, logit

    truth, p = _checked(gold, probability)
    if not p.size:
        raise ValueError("nothing to fit: gold and probability are empty")
    n_true = truth.sum()
    target = np.where(truth == 1, (n_true + 1) / (n_true + 2), 1 / (p.size - n_true + 2))
    x = _logit(p)
    centre, scale = float(x.mean()), float(x.std())
    if scale < _ROUNDING:
        return Platt(float(logit(target.mean())) - centre, 1.0)
    design = np.stack([np.ones_like(x), (x - centre) / scale], axis=1)  # or steps are far apart in size

    def loss(beta: Floats) -> float:
        z = design @ beta
        return float(np.mean(np.logaddexp(0.0, z) - target * z))

    def slope(beta: Floats) -> Floats:
        return np.asarray(design.T @ (expit(design @ beta) - target) / x.size)

    def curvature(beta: Floats) -> Floats:
        fitted = expit(design @ beta)
        return np.asarray((design * (fitted * (1 - fitted))[:, None]).T @ design / x.size)

    options = {"gtol": 1e-9, "maxiter": 500}
    found = minimize(loss, np.zeros(2), jac=slope, hess=curvature, method="trust-exact", options=options)
    # the optimiser stops where the loss no longer changes in its last digit, which may be before gtol
    if not found.success and np.abs(found.jac).max() > 1e-6:
        raise RuntimeError(f"recalibration of {x.size} items did not converge: {found.message}")
    steep = float(found.x[1]) / scale
    return Platt(float(found.x[0]) - steep * centre, steep)


def choose_threshold(gold: npt.ArrayLike, probability: npt.ArrayLike, metric: str = "f1") -> float:
    """Return the threshold with the best metric where ``probability >= threshold`` is true.

    Candidates are the midpoints of neighbouring distinct probabilities, 0 and 1 among them, so that all true and all false
    are candidates too. Ties go to the one nearest 0.5, then to the lower. With fewer than 5 items true or fewer than 5 false
    in gold it is 0.5: too few to choose by. Choose on other items than those to be judged.

    Parameters
    ----------
    gold, probability
        As for `brier`.
    metric
        accuracy, balanced_accuracy, f1, kappa or mcc, as in `classification.Metrics`; thresholds where it is undefined
        are not chosen.

    Raises
    ------
    ValueError
        As `brier`, and if there is no such metric.
    """
    truth, p = _checked(gold, probability)
    if metric not in _METRICS:
        raise ValueError(f"metric is {metric!r}; expected one of {', '.join(_METRICS)}")
    n_true = int(truth.sum())
    if min(n_true, p.size - n_true) < _FEW:
        return 0.5
    ends = np.unique(np.concatenate([[0.0], p, [1.0]]))
    low, high = ends[:-1], ends[1:]
    middle = (low + high) / 2
    thresholds = np.where(middle > low, middle, high)  # no float lies between the nearest neighbours
    if p.min() == 0:
        thresholds = np.concatenate([[0.0], thresholds])  # all true
    fn, tn = (np.searchsorted(np.sort(p[truth == side]), thresholds, side="left").astype(np.float64) for side in (1, 0))
    found = metrics(Counts(n_true - fn, p.size - n_true - tn, fn, tn, 0))
    value = np.nan_to_num(np.asarray(getattr(found, metric)), nan=-np.inf)
    best = thresholds[value >= value.max() - _ROUNDING]
    return float(best[np.argmin(np.abs(best - 0.5))])


def _logit(p: Floats) -> Floats:
    from scipy.special import logit

    return np.asarray(logit(np.clip(p, _EDGE, 1 - _EDGE)))


def _probabilities(probability: npt.ArrayLike) -> Floats:
    p = np.asarray(probability, dtype=np.float64)
    wrong = p[~((p >= 0) & (p <= 1))]  # nan too
    if wrong.size:
        raise ValueError(f"probabilities must be between 0 and 1; {wrong.size} of {p.size} are not, e.g. {wrong[0]:g}")
    return p


def _checked(gold: npt.ArrayLike, probability: npt.ArrayLike) -> tuple[Floats, Floats]:
    truth, p = as_flags(gold, name="gold"), _probabilities(probability)
    if truth.ndim != 1 or truth.shape != p.shape:
        raise ValueError(
            f"gold and probability must be two lists of one length; got shapes {truth.shape} and {p.shape}"
        )
    if np.isnan(truth).any():
        raise ValueError(f"gold must be true or false; {int(np.isnan(truth).sum())} of {truth.size} are missing")
    return truth, p
