"""Time to event: Kaplan-Meier, Aalen-Johansen, and what is read off their curves.

Exact for ties; where an event and a censoring fall on one time, the event comes first. Times are in whatever unit the
caller uses. Confidence limits are on the log(-log) scale, so they stay between 0 and 1 (Kalbfleisch & Prentice 1980).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Curve", "aalen_johansen", "kaplan_meier", "median_follow_up", "quantile"]

Floats = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]

_ROUNDING = 1e-10


@dataclass(frozen=True)
class Curve:
    """A step curve: one entry per distinct time, from time 0 on; estimates hold from their time to the next.

    Attributes
    ----------
    time
        Distinct times, ascending; the first is 0.
    n_at_risk
        Persons observed until just before.
    n_events, n_competing, n_censored
        Persons whose time ends there, by how it ends.
    estimate, std_error
        Probability and its standard error (nan where a survival estimate is 0).
    lower, upper
        Confidence limits; equal to the estimate where it is 0 or 1.
    """

    time: Floats
    n_at_risk: Counts
    n_events: Counts
    n_competing: Counts
    n_censored: Counts
    estimate: Floats
    std_error: Floats
    lower: Floats
    upper: Floats

    def at(self, times: Sequence[float]) -> dict[str, npt.NDArray[np.generic]]:
        """Return estimate, lower, upper (nan outside 0 to the last time) and n_at_risk (persons with that time or more)."""
        asked = np.asarray(times, dtype=float)
        place = np.clip(np.searchsorted(self.time, asked, side="right") - 1, 0, None)
        after = np.searchsorted(self.time, asked, side="left")
        at_risk = np.append(self.n_at_risk, 0)[after]
        known = (asked >= 0) & (asked <= self.time[-1])  # nan is not
        values = {name: np.where(known, getattr(self, name)[place], np.nan) for name in ("estimate", "lower", "upper")}
        return {**values, "n_at_risk": at_risk}


def kaplan_meier(durations: npt.ArrayLike, events: npt.ArrayLike, *, level: float = 0.95) -> Curve:
    """Return the product-limit estimate of survival (Kaplan & Meier 1958) with Greenwood's variance.

    Parameters
    ----------
    durations
        Shape (n,), times from 0 on.
    events
        Shape (n,), true or 1 where the event happened, false or 0 where observation was censored.
    level
        Confidence level.

    Raises
    ------
    ValueError
        If nobody is given, lengths differ, a time is negative or missing, or an event is neither 0 nor 1.
    """
    times, codes = _checked(durations, events, allowed=(0, 1))
    time, at_risk, ended = _tabulate(times, codes, n_codes=2)
    died = ended[1]
    with np.errstate(divide="ignore", invalid="ignore"):
        survival = np.cumprod(1.0 - died / at_risk)
        greenwood = np.cumsum(np.where(died > 0, died / (at_risk * (at_risk - died)), 0.0))
        std_error = np.where(survival > 0, survival * np.sqrt(greenwood), np.nan)
        spread = _z(level) * np.sqrt(greenwood) / np.abs(np.log(survival))
    lower, upper = _log_log(survival, spread)
    none = np.zeros_like(at_risk)
    return Curve(time, at_risk, died, none, ended[0], survival, std_error, lower, upper)


def aalen_johansen(durations: npt.ArrayLike, causes: npt.ArrayLike, *, level: float = 0.95) -> Curve:
    """Return the cumulative incidence of cause 1 where other causes compete (Aalen & Johansen 1978).

    Parameters
    ----------
    durations
        Shape (n,), times from 0 on.
    causes
        Shape (n,): 0 censored, 1 the event, 2 a competing event.
    level
        Confidence level.

    Returns
    -------
    Curve
        The variance is the delta-method estimate (Marubini & Valsecchi 1995, eq. 10.12).

    Raises
    ------
    ValueError
        If nobody is given, lengths differ, a time is negative or missing, or a cause is not 0, 1 or 2.
    """
    times, codes = _checked(durations, causes, allowed=(0, 1, 2))
    time, at_risk, ended = _tabulate(times, codes, n_codes=3)
    censored, event, competing = ended
    n = at_risk.astype(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        any_event = event + competing
        survival = np.cumprod(1.0 - any_event / n)
        before = np.concatenate(([1.0], survival[:-1]))
        incidence = np.cumsum(before * event / n)
        # everybody had the event: exactly 1, which a sum of floats misses, and then there is no spread
        certain = (survival == 0) & (np.cumsum(competing) == 0)
        incidence = np.where(certain, 1.0, incidence)
        # sum over times of (I(t) - I(s))^2 a + b - 2 (I(t) - I(s)) c, expanded so that it is a few cumulative sums
        a = np.where(n > any_event, any_event / (n * (n - any_event)), 0.0)
        b = before**2 * event * (n - event) / n**3
        c = before * event / n**2
        variance = (
            incidence**2 * np.cumsum(a)
            - 2 * incidence * np.cumsum(incidence * a)
            + np.cumsum(incidence**2 * a)
            + np.cumsum(b)
            - 2 * (incidence * np.cumsum(c) - np.cumsum(incidence * c))
        )
        std_error = np.where(certain, 0.0, np.sqrt(np.clip(variance, 0.0, None)))
        remaining = 1.0 - incidence
        spread = _z(level) * std_error / np.abs(remaining * np.log(remaining))
    low, high = _log_log(remaining, spread)
    return Curve(time, at_risk, event, competing, censored, incidence, std_error, 1.0 - high, 1.0 - low)


def quantile(curve: Curve, p: float = 0.5) -> tuple[float | None, float | None, float | None]:
    """Return the first time at which a survival curve is at most ``1 - p``, with limits; None where it is not reached.

    The limits are the times at which the limits of the curve get there (Brookmeyer & Crowley 1982).
    """

    def first(values: Floats) -> float | None:
        # a product of fractions that is exactly 1/2 may come out as 0.5000000000000002
        reached = np.flatnonzero(values <= 1.0 - p + _ROUNDING)
        return float(curve.time[reached[0]]) if reached.size else None

    return first(curve.estimate), first(curve.lower), first(curve.upper)


def median_follow_up(
    durations: npt.ArrayLike, events: npt.ArrayLike
) -> tuple[float | None, float | None, float | None]:
    """Return the reverse Kaplan-Meier median, censoring being the event (Schemper & Smith 1996), with 95 % limits.

    Where a death and a censoring fall on one time, the censoring comes first here: it is what is estimated.
    """
    times, codes = _checked(durations, events, allowed=(0, 1, 2))
    return quantile(kaplan_meier(times, codes == 0))


def _checked(durations: npt.ArrayLike, codes: npt.ArrayLike, *, allowed: tuple[int, ...]) -> tuple[Floats, Counts]:
    times, ends = np.asarray(durations, dtype=float), np.asarray(codes, dtype=float)
    if times.ndim != 1 or times.shape != ends.shape:
        raise ValueError(
            f"durations and events must be two lists of one length; got shapes {times.shape} and {ends.shape}"
        )
    if not times.size:
        raise ValueError("nobody to follow: durations is empty; leave out populations without persons")
    if not np.all(np.isfinite(times)) or times.min() < 0:
        raise ValueError("durations must be finite and not negative; drop or mend rows that end before they start")
    if not np.all(np.isin(ends, allowed)):
        raise ValueError(f"events must be one of {', '.join(map(str, allowed))}; map other codes before")
    return times, ends.astype(np.int64)


def _tabulate(times: Floats, codes: Counts, *, n_codes: int) -> tuple[Floats, Counts, list[Counts]]:
    """Count how many end at each distinct time, by code, and how many are still observed just before."""
    distinct, place = np.unique(times, return_inverse=True)
    ended = [np.bincount(place[codes == code], minlength=distinct.size).astype(np.int64) for code in range(n_codes)]
    leaving = np.add.reduce(ended)
    at_risk = times.size - np.concatenate(([0], np.cumsum(leaving)[:-1])).astype(np.int64)
    if distinct[0] > 0:
        distinct = np.concatenate(([0.0], distinct))
        at_risk = np.concatenate(([times.size], at_risk))
        ended = [np.concatenate(([0], column)) for column in ended]
    return distinct, at_risk, ended


def _z(level: float) -> float:
    from statistics import NormalDist

    if not 0 < level < 1:
        raise ValueError(f"level is {level}; expected a number between 0 and 1, e.g. 0.95")
    return NormalDist().inv_cdf(0.5 + level / 2)


def _log_log(survival: Floats, spread: Floats) -> tuple[Floats, Floats]:
    """Limits of a survival probability; where it is 0 or 1 there is no spread to speak of."""
    inside = (survival > 0) & (survival < 1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        lower = np.where(inside, survival ** np.exp(spread), survival)
        upper = np.where(inside, survival ** np.exp(-spread), survival)
    return lower, upper
