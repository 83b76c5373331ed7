"""Ranking by risk where some persons left before the horizon: weights by the inverse probability of being still observed."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.survival import kaplan_meier

__all__ = ["ipcw_weights"]

Floats = npt.NDArray[np.float64]


def ipcw_weights(durations: npt.ArrayLike, events: npt.ArrayLike, horizon: float) -> tuple[Floats, Floats]:
    """Return who had the event by the horizon, and weights that stand for those who left before it.

    The cumulative/dynamic estimator (Uno et al. 2007; Blanche et al. 2013): a case at time t counts ``1 / G(t-)``, who is event-free
    past the horizon ``1 / G(horizon)``, who left before it 0; G is the Kaplan-Meier estimate of staying. Censoring must not depend
    on the risk.

    Parameters
    ----------
    durations
        Shape (n,), days to event or to the last day of observation.
    events
        Shape (n,), true where it is an event.
    horizon
        In the unit of durations.

    Returns
    -------
    is_case, weights
        Shape (n,) each; feed them to `roc.auroc`.

    Raises
    ------
    ValueError
        As `survival.kaplan_meier`, and if nobody is observed up to the horizon and event-free while censoring has no support.
    """
    times, flags = np.asarray(durations, dtype=np.float64), np.asarray(events, dtype=np.float64)
    staying = kaplan_meier(times, 1.0 - flags)
    # events come before censorings of the same day: G just before t is the step of the last time below t
    before = np.searchsorted(staying.time, times, side="left") - 1
    at_event = np.where(before >= 0, staying.estimate[np.clip(before, 0, None)], 1.0)
    last = np.searchsorted(staying.time, horizon, side="right") - 1
    at_horizon = float(staying.estimate[max(last, 0)])
    is_case = np.asarray((flags == 1) & (times <= horizon), dtype=np.bool_)
    is_control = times > horizon
    weights = np.zeros(times.size)
    weights[is_case] = 1.0 / np.asarray(at_event, dtype=np.float64)[is_case]
    if is_control.any():
        weights[is_control] = 1.0 / at_horizon
    return is_case.astype(np.float64), weights
