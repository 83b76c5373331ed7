"""What acting on a risk is worth: net benefit over thresholds, and the persons of highest risk."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.bootstrap import interval, intervals, replicate
from clinical_assets.statistics.classification import as_flags
from clinical_assets.statistics.roc import Estimate

__all__ = ["DecisionCurve", "TopShare", "net_benefit", "top_share"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class DecisionCurve:
    """Net benefit at each threshold; all of shape (k,). Of treating nobody it is 0.

    Attributes
    ----------
    threshold
        Risk from which a person is treated.
    model, low, high
        ``TP / n - FP / n * threshold / (1 - threshold)`` of treating by the risk, with bootstrap limits (nan without).
    treat_all
        The same of treating everybody.
    """

    threshold: Floats
    model: Floats
    low: Floats
    high: Floats
    treat_all: Floats


@dataclass(frozen=True)
class TopShare:
    """Those of highest risk.

    Attributes
    ----------
    share, n
        Share of persons asked for and how many that is (rounded up).
    sensitivity, ppv
        Of acting on them; where the risk at the border is shared by several, these count by the part of them that fits in.
    """

    share: float
    n: int
    sensitivity: Estimate
    ppv: Estimate


def net_benefit(
    gold: npt.ArrayLike,
    risk: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    *,
    persons: npt.ArrayLike | None = None,
    n_replicates: int = 0,
    seed: int = 0,
) -> DecisionCurve:
    """Return net benefit of treating those with ``risk >= threshold`` (Vickers & Elkin 2006).

    Parameters
    ----------
    gold, risk
        Shape (n,): true or false, and 0 to 1.
    thresholds
        Shape (k,), above 0 and below 1.
    persons
        Shape (n,), to draw; each item its own person where None.
    n_replicates, seed
        Draws for limits; none if 0.

    Raises
    ------
    ValueError
        If lengths differ, there are no items, or a threshold is not between 0 and 1.
    """
    truth, p = as_flags(gold, name="gold"), np.asarray(risk, dtype=np.float64)
    at = np.atleast_1d(np.asarray(thresholds, dtype=np.float64))
    if truth.ndim != 1 or truth.shape != p.shape or not truth.size or np.isnan(truth).any():
        raise ValueError(f"gold and risk must be two lists of one length, not empty; got {truth.shape} and {p.shape}")
    if not np.all((at > 0) & (at < 1)):
        raise ValueError("thresholds must be above 0 and below 1")
    treated = p[:, None] >= at
    odds = at / (1 - at)
    worth = treated * (truth[:, None] - (1 - truth[:, None]) * odds)
    model = worth.mean(axis=0)
    low = high = np.full(at.shape, np.nan)
    if n_replicates:
        groups = np.arange(truth.size) if persons is None else persons
        draws = replicate(
            groups, lambda w: (w @ worth) / w.sum(axis=1, keepdims=True), n_replicates=n_replicates, seed=seed
        )
        low, high = intervals(draws)
    return DecisionCurve(at, model, low, high, truth.mean() - (1 - truth.mean()) * odds)


def top_share(
    gold: npt.ArrayLike,
    score: npt.ArrayLike,
    share: float,
    *,
    persons: npt.ArrayLike | None = None,
    n_replicates: int = 1000,
    seed: int = 0,
) -> TopShare:
    """Return sensitivity and positive predictive value of acting on the `share` of persons with the highest scores.

    Raises
    ------
    ValueError
        If lengths differ, there are no items, or share is not above 0 and at most 1.
    """
    truth, values = as_flags(gold, name="gold"), np.asarray(score, dtype=np.float64)
    if truth.ndim != 1 or truth.shape != values.shape or not truth.size:
        raise ValueError(
            f"gold and score must be two lists of one length, not empty; got {truth.shape}, {values.shape}"
        )
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}; expected above 0 and at most 1, e.g. 0.05")
    order = np.argsort(-values, kind="stable")
    flags, ordered = truth[order], values[order]
    starts = np.flatnonzero(np.concatenate([[True], np.diff(ordered) != 0]))

    def both(weights: Floats) -> Floats:
        w = weights[:, order]
        of_tie, hits = np.add.reduceat(w, starts, axis=1), np.add.reduceat(w * flags, starts, axis=1)
        wanted = np.ceil(share * w.sum(axis=1, keepdims=True) - 1e-9)
        before = np.cumsum(of_tie, axis=1) - of_tie
        part = np.clip(np.divide(wanted - before, of_tie, out=np.zeros_like(of_tie), where=of_tie > 0), 0, 1)
        found = (hits * part).sum(axis=1)
        total = (w * flags).sum(axis=1)
        sensitivity = np.divide(found, total, out=np.full(found.shape, np.nan), where=total > 0)
        return np.stack([sensitivity, found / wanted[:, 0]], axis=1)

    point = both(np.ones((1, truth.size)))[0]
    groups = np.arange(truth.size) if persons is None else persons
    draws = replicate(groups, both, n_replicates=n_replicates, seed=seed)
    sensitivity, ppv = (Estimate(float(point[i]), *interval(draws[:, i])) for i in (0, 1))
    return TopShare(share, int(np.ceil(share * truth.size - 1e-9)), sensitivity, ppv)
