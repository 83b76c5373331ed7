"""Logistic calibration of risks: intercept and slope, a smooth curve, its mean distance from the diagonal, and mending them.

`calibration.fit_platt` smooths its targets so that it is always finite; here the estimates are the maximum likelihood ones that
prediction models are reported with (Van Calster et al. 2019).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.calibration import Platt
from clinical_assets.statistics.classification import as_flags

__all__ = [
    "Calibration",
    "CalibrationErrors",
    "calibration",
    "calibration_errors",
    "logistic_fit",
    "recalibration",
    "smooth_curve",
]

Floats = npt.NDArray[np.float64]

_EDGE = 1e-6
_STEPS = 50
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Calibration:
    """Weak calibration. Perfect: intercept 0, slope 1.

    Attributes
    ----------
    intercept, intercept_error
        Calibration in the large: intercept where the slope is held at 1, and its standard error.
    slope, slope_error
        Of the logit in a logistic regression, below 1 where risks are too extreme.
    observed_expected
        Events over the sum of risks.
    """

    intercept: float
    intercept_error: float
    slope: float
    slope_error: float
    observed_expected: float


@dataclass(frozen=True)
class CalibrationErrors:
    """Distances of risks from the smooth curve (Austin & Steyerberg 2019): mean (ICI), median, 90th percentile, largest."""

    ici: float
    e50: float
    e90: float
    e_max: float


def calibration(gold: npt.ArrayLike, risk: npt.ArrayLike) -> Calibration:
    """Return calibration in the large and calibration slope (Cox 1958; Miller et al. 1993); nan with one class only.

    Parameters
    ----------
    gold, risk
        Shape (n,): true or false, and 0 to 1. Risks are kept within 1e-6 and 1 - 1e-6.

    Raises
    ------
    ValueError
        If lengths differ, or a value is missing or outside its range.
    """
    truth, p = _checked(gold, risk)
    ratio = float(truth.sum() / p.sum()) if p.sum() > 0 else float("nan")
    if truth.size == 0 or truth.min() == truth.max():
        return Calibration(*(float("nan"),) * 4, ratio)
    x = _logit(p)
    (intercept,), (intercept_error,) = logistic_fit(np.ones((x.size, 1)), truth, offset=x)
    if float(x.std()) < _TOLERANCE:
        return Calibration(float(intercept), float(intercept_error), float("nan"), float("nan"), ratio)
    (_, slope), (_, slope_error) = logistic_fit(np.stack([np.ones_like(x), x], axis=1), truth)
    return Calibration(float(intercept), float(intercept_error), float(slope), float(slope_error), ratio)


def recalibration(gold: npt.ArrayLike, risk: npt.ArrayLike, method: Literal["none", "intercept", "logistic"]) -> Platt:
    """Return how to mend risks of a frozen model at a new site: not at all, by its intercept, or by intercept and slope.

    Fit it on other persons than those it is judged on (Steyerberg 2019, chapter 20). With one class only, nothing is changed.

    Raises
    ------
    ValueError
        As `calibration`, and if there is no such method.
    """
    truth, p = _checked(gold, risk)
    if method not in ("none", "intercept", "logistic"):
        raise ValueError(f"method is {method!r}; expected none, intercept or logistic")
    if method == "none" or truth.size == 0 or truth.min() == truth.max():
        return Platt(0.0, 1.0)
    x = _logit(p)
    if method == "intercept" or float(x.std()) < _TOLERANCE:
        return Platt(float(logistic_fit(np.ones((x.size, 1)), truth, offset=x)[0][0]), 1.0)
    intercept, slope = logistic_fit(np.stack([np.ones_like(x), x], axis=1), truth)[0]
    return Platt(float(intercept), float(slope))


def smooth_curve(gold: npt.ArrayLike, risk: npt.ArrayLike, at: npt.ArrayLike, *, knots: int = 4) -> Floats:
    """Return observed risk at given risks: logistic regression on a restricted cubic spline of the logit (Harrell 2015).

    Knots are at the quantiles that Harrell recommends; where risks have too few distinct values, it is a straight line in the logit.

    Parameters
    ----------
    gold, risk
        As for `calibration`.
    at
        Risks at which to read the curve, any shape.
    knots
        3, 4 or 5.

    Raises
    ------
    ValueError
        As `calibration`, and for another number of knots.
    """
    from scipy.special import expit

    truth, p = _checked(gold, risk)
    if knots not in _QUANTILES:
        raise ValueError(f"knots is {knots}; expected 3, 4 or 5")
    points = _logit(np.asarray(at, dtype=np.float64))
    if truth.size == 0 or truth.min() == truth.max():
        return np.full(points.shape, np.nan)
    x = _logit(p)
    places = np.unique(np.quantile(x, _QUANTILES[knots]))
    if places.size < 3:
        places = np.zeros(0)
    beta, _ = logistic_fit(_spline(x, places), truth, ridge=1e-6)
    return np.asarray(expit(_spline(points.ravel(), places) @ beta)).reshape(points.shape)


def calibration_errors(gold: npt.ArrayLike, risk: npt.ArrayLike, *, knots: int = 4) -> CalibrationErrors:
    """Return ICI, E50, E90 and Emax: absolute differences of risk and smooth curve over the persons.

    Raises
    ------
    ValueError
        As `smooth_curve`.
    """
    _, p = _checked(gold, risk)
    if not p.size:
        return CalibrationErrors(*(float("nan"),) * 4)
    away = np.abs(smooth_curve(gold, p, p, knots=knots) - p)
    return CalibrationErrors(float(away.mean()), *(float(q) for q in np.quantile(away, [0.5, 0.9, 1.0])))


def logistic_fit(
    design: Floats, truth: Floats, *, offset: Floats | None = None, ridge: float = 0.0
) -> tuple[Floats, Floats]:
    """Return maximum likelihood coefficients and standard errors of a logistic regression, by Newton's method.

    Where classes are told apart perfectly there is no maximum: coefficients are then as large as a ridge of 1e-8 lets them be.

    Parameters
    ----------
    design
        Shape (n, k), a column of ones among them where an intercept is wanted.
    truth
        Shape (n,), 0 or 1.
    offset
        Shape (n,), added to the linear predictor.
    ridge
        Penalty of half the sum of squares, per item.

    Raises
    ------
    RuntimeError
        If it does not converge.
    """
    from scipy.special import expit

    n, k = design.shape
    base = np.zeros(n) if offset is None else offset
    penalty = max(ridge * n, 1e-8)

    def loss(at: Floats) -> float:
        z = design @ at + base
        return float(np.sum(np.logaddexp(0.0, z) - truth * z) + penalty * at @ at / 2)

    beta, now = np.zeros(k), loss(np.zeros(k))
    for _ in range(_STEPS * 2):
        fitted = expit(design @ beta + base)
        gradient = design.T @ (fitted - truth) + penalty * beta
        curvature = (design * (fitted * (1 - fitted))[:, None]).T @ design + penalty * np.eye(k)
        step = np.linalg.solve(curvature, gradient)
        if float(gradient @ step) / 2 <= _TOLERANCE * max(1.0, abs(now)):  # what a further step could gain at most
            return beta - step, np.sqrt(np.diag(np.linalg.inv(curvature)))
        size = 1.0
        while size > 1e-10 and loss(beta - size * step) > now:
            size /= 2
        if size <= 1e-10:  # no better in any digit
            return beta, np.sqrt(np.diag(np.linalg.inv(curvature)))
        beta, now = beta - size * step, loss(beta - size * step)
    raise RuntimeError(f"logistic regression of {n} items on {k} columns did not converge")


_QUANTILES: dict[int, tuple[float, ...]] = {
    3: (0.10, 0.50, 0.90),
    4: (0.05, 0.35, 0.65, 0.95),
    5: (0.05, 0.275, 0.50, 0.725, 0.95),
}


def _spline(x: Floats, knots: Floats) -> Floats:
    """Ones, x, and the restricted cubic terms: linear beyond the outer knots."""
    columns = [np.ones_like(x), x]
    if knots.size >= 3:
        last, before = knots[-1], knots[-2]
        scale = (last - knots[0]) ** 2
        columns += [
            (
                np.clip(x - knot, 0, None) ** 3
                - np.clip(x - before, 0, None) ** 3 * (last - knot) / (last - before)
                + np.clip(x - last, 0, None) ** 3 * (before - knot) / (last - before)
            )
            / scale
            for knot in knots[:-2]
        ]
    return np.stack(columns, axis=1)


def _logit(p: Floats) -> Floats:
    from scipy.special import logit

    return np.asarray(logit(np.clip(p, _EDGE, 1 - _EDGE)))


def _checked(gold: npt.ArrayLike, risk: npt.ArrayLike) -> tuple[Floats, Floats]:
    truth, p = as_flags(gold, name="gold"), np.asarray(risk, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != p.shape:
        raise ValueError(f"gold and risk must be two lists of one length; got shapes {truth.shape} and {p.shape}")
    if np.isnan(truth).any() or not np.all((p >= 0) & (p <= 1)):
        raise ValueError("gold must be true or false and every risk between 0 and 1")
    return truth, p
