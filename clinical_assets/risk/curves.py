"""The tables behind the figures: observed against predicted risk, net benefit by threshold, event rate by risk and genetic score,
what each column contributes. All with limits; small groups are withheld."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.experiments import RiskModel
from clinical_assets.risk.features import Features
from clinical_assets.risk.learners import contributions
from clinical_assets.statistics.bootstrap import intervals, replicate
from clinical_assets.statistics.calibration import reliability
from clinical_assets.statistics.classification import wilson
from clinical_assets.statistics.decision_curve import net_benefit
from clinical_assets.statistics.suppression import Sum, suppress

__all__ = ["THRESHOLDS", "calibration_rows", "contribution_rows", "genetic_rows", "net_benefit_rows"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Row = dict[str, Any]

THRESHOLDS = (0.05, 0.1, 0.2, 0.3, 0.4)
_MOST_COLUMNS = 20


def calibration_rows(risk: npt.ArrayLike, y: Whole, *, smallest: int) -> list[Row]:
    """Return observed and mean predicted risk in bins of a tenth, Wilson's limits; bins of fewer than `smallest` persons withheld."""
    rows = []
    for i, one in enumerate(reliability(y.astype(np.float64), risk)):
        if one.n == 0:
            continue
        base: Row = {"detail": f"risk {i / 10:.1f} to {(i + 1) / 10:.1f}"}
        if one.n < smallest:
            rows.append({**base, "metric": "observed", **_withheld(smallest)})
            continue
        n = {"n": one.n, "n_events": round(one.n * one.observed)}
        rows.append({**base, "metric": "observed", "value": one.observed, "low": one.lower, "high": one.upper, **n})
        rows.append({**base, "metric": "mean_risk", "value": one.mean_probability, "low": None, "high": None, **n})
    return rows


def net_benefit_rows(
    risk: npt.ArrayLike, y: Whole, persons: npt.ArrayLike, *, n_replicates: int, seed: int
) -> list[Row]:
    """Return net benefit of acting from each of `THRESHOLDS` on, and of treating everybody; of treating nobody it is 0."""
    curve = net_benefit(y.astype(np.float64), risk, THRESHOLDS, persons=persons, n_replicates=n_replicates, seed=seed)
    n = {"n": int(y.size), "n_events": int(y.sum())}
    rows: list[Row] = []
    for i, at in enumerate(THRESHOLDS):
        base: Row = {"detail": f"from a risk of {at:.2f}", **n}
        model = {"value": float(curve.model[i]), "low": float(curve.low[i]), "high": float(curve.high[i])}
        rows.append({**base, "metric": "net_benefit", **model})
        rows.append(
            {**base, "metric": "net_benefit_treat_all", "value": float(curve.treat_all[i]), "low": None, "high": None}
        )
    return rows


def genetic_rows(risk: npt.ArrayLike, genetic: npt.ArrayLike, y: Whole, *, smallest: int) -> list[Row]:
    """Return the event rate by decile of the risk and tertile of the genetic score, with the margins and Wilson's limits.

    No count from 1 to `smallest` - 1 of persons, cases or controls is shown, nor can it be worked out from the others.

    Parameters
    ----------
    risk
        Shape (n,), out of fold.
    genetic
        Shape (n,), nan where absent; those persons are left out.

    Returns
    -------
    list
        Rows detail, metric ``event_rate``, value, low, high, n, n_events, status, reason; none where nobody has a score.
    """
    score, given = np.asarray(genetic, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    known = ~np.isnan(score)
    if not known.any():
        return []
    decile, tertile, truth = _ranked(given[known], 10), _ranked(score[known], 3), y[known]
    counts: Counter[str] = Counter()
    for d, t, case in zip(decile.tolist(), tertile.tolist(), truth.tolist(), strict=True):
        for group in (_cell(d, t), _cell(d, None), _cell(None, t), _cell(None, None)):
            counts[f"{group}|{'cases' if case else 'controls'}"] += 1
            counts[f"{group}|persons"] += 1
    deciles, tertiles = (*range(10), None), (*range(3), None)
    groups = [_cell(d, t) for d in deciles for t in tertiles]
    numbers = {
        f"{group}|{kind}": counts[f"{group}|{kind}"] for group in groups for kind in ("persons", "cases", "controls")
    }
    sums = [Sum(f"{group}|persons", (f"{group}|cases", f"{group}|controls")) for group in groups]
    for kind in ("persons", "cases", "controls"):
        sums += [Sum(f"{_cell(d, None)}|{kind}", tuple(f"{_cell(d, t)}|{kind}" for t in range(3))) for d in deciles]
        sums += [Sum(f"{_cell(None, t)}|{kind}", tuple(f"{_cell(d, t)}|{kind}" for d in range(10))) for t in tertiles]
    hidden = suppress(numbers, sums, k=smallest)
    rows = []
    for group in groups:
        base: Row = {"detail": group, "metric": "event_rate"}
        if any(f"{group}|{kind}" in hidden for kind in ("persons", "cases", "controls")):
            rows.append({**base, **_withheld(smallest)})
            continue
        n, events = numbers[f"{group}|persons"], numbers[f"{group}|cases"]
        low, high = wilson(events, n) if n else (None, None)
        rows.append({**base, "value": events / n if n else None, "low": low, "high": high, "n": n, "n_events": events})
    return rows


def contribution_rows(model: RiskModel, features: Features, y: Whole, *, n_replicates: int, seed: int) -> list[Row]:
    """Return how much columns move the log-odds of a LightGBM model: mean absolute TreeSHAP, by block and of the strongest columns.

    Of the persons it was trained on, so it says what the model uses, not what holds elsewhere; no effect of a cause. Limits are from
    drawing persons, the model fixed.

    Raises
    ------
    ValueError
        If the model is no LightGBM.
    """
    parts = contributions(model.fitted, model.matrix(features))[:, :-1]
    names = model.columns()
    blocks = sorted({name.split("__")[0] for name in names})
    of_block = np.stack([parts[:, [name.split("__")[0] == b for name in names]].sum(axis=1) for b in blocks], axis=1)
    order = np.argsort(-np.abs(parts).mean(axis=0), kind="stable")[:_MOST_COLUMNS]
    size = np.abs(np.concatenate([of_block, parts[:, order]], axis=1))
    low, high = intervals(
        replicate(
            features.persons, lambda w: (w @ size) / w.sum(axis=1, keepdims=True), n_replicates=n_replicates, seed=seed
        )
    )
    labels = [*(f"block {block}" for block in blocks), *(names[j] for j in order)]
    n = {"n": int(y.size), "n_events": int(y.sum())}
    return [
        {"detail": label, "metric": "mean_absolute_contribution", "value": value, "low": below, "high": above, **n}
        for label, value, below, above in zip(
            labels, size.mean(axis=0).tolist(), low.tolist(), high.tolist(), strict=True
        )
        if value > 0
    ]


def _cell(decile: int | None, tertile: int | None) -> str:
    one = "all deciles" if decile is None else f"decile {decile + 1}"
    return f"{one} of risk, {'all tertiles' if tertile is None else f'tertile {tertile + 1}'} of genetic score"


def _withheld(smallest: int) -> Mapping[str, Any]:
    nothing = {"value": None, "low": None, "high": None, "n": None, "n_events": None}
    return {**nothing, "status": "withheld", "reason": f"a count below {smallest}, or one that would give it away"}


def _ranked(values: Floats, parts: int) -> Whole:
    edges = np.quantile(values, np.arange(1, parts) / parts)
    return np.searchsorted(edges, values, side="left").astype(np.int64)
