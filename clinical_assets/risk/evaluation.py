"""How good risks are, with limits: one long row a metric, from out-of-fold risks of persons.

Cross-validation may be repeated; a metric is then the mean over repeats, and draws of persons give limits to that mean. With too few
events nothing is claimed: one row with status ``insufficient`` and the reason.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.candidates import OutOfFold
from clinical_assets.statistics.bootstrap import interval, replicate
from clinical_assets.statistics.decision_curve import top_share
from clinical_assets.statistics.recalibration import calibration, calibration_errors
from clinical_assets.statistics.roc import Estimate, bootstrap_ranking, delong

__all__ = ["TOP_SHARES", "Pooled", "differences", "evaluate", "insufficient", "pool", "slices"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Row = dict[str, Any]

TOP_SHARES = (0.01, 0.05, 0.10)


@dataclass(frozen=True)
class Pooled:
    """Out-of-fold risks of one model on one design, all parts together.

    Attributes
    ----------
    name
        Of the model.
    design, label
        Of the splits, e.g. site and which.
    rows
        Row numbers of the tested persons, ascending.
    risk
        Shape (repeats, rows).
    """

    name: str
    design: str
    label: str
    rows: Whole
    risk: Floats


def pool(parts: Sequence[OutOfFold]) -> list[Pooled]:
    """Return the risks of each model and design; of a cross-validation all folds together, repeat by repeat.

    Raises
    ------
    ValueError
        If a person was tested twice in a repeat, or not in every one.
    """
    grouped: dict[tuple[str, str, str], list[OutOfFold]] = {}
    for part in parts:
        grouped.setdefault((part.candidate.name, part.split.design, part.split.label), []).append(part)
    found = []
    for (name, design, label), members in grouped.items():
        rows = np.unique(np.concatenate([part.rows for part in members]))
        repeats = sorted({part.split.repeat for part in members})
        risk = np.full((len(repeats), rows.size), np.nan)
        for part in members:
            place = np.searchsorted(rows, part.rows)
            line = repeats.index(part.split.repeat)
            if not np.isnan(risk[line, place]).all():
                raise ValueError(f"{name}: persons were tested twice in repeat {part.split.repeat}")
            risk[line, place] = part.risk
        if np.isnan(risk).any():
            raise ValueError(f"{name}: {int(np.isnan(risk).any(axis=0).sum())} persons were not tested in every repeat")
        found.append(Pooled(name, design, label, rows, risk))
    return found


def insufficient(y: npt.ArrayLike, minimum_events: int) -> str:
    """Return why no model may be claimed, or an empty text."""
    truth = np.asarray(y)
    n_events = int(truth.sum())
    n_controls = int(truth.size - n_events)
    if min(n_events, n_controls) >= minimum_events:
        return ""
    return f"{n_events} cases and {n_controls} controls; at least {minimum_events} of each are needed"


def evaluate(
    pooled: Pooled, y: Whole, persons: npt.ArrayLike, *, minimum_events: int, n_replicates: int, seed: int
) -> list[Row]:
    """Return the metrics of one model: metric, value, low, high, n, n_events, status, reason.

    auroc (bootstrap), auroc_delong (of the mean risk over repeats), average_precision, prevalence, brier, brier_scaled (1 is perfect, 0
    is the prevalence), calibration_intercept, calibration_slope, observed_expected, ici, e50, e90, e_max, sensitivity and ppv of the
    top 1, 5 and 10 %.

    Parameters
    ----------
    pooled
        From `pool`.
    y, persons
        Of all rows, not only the tested ones.
    minimum_events
        With fewer cases, or controls, one row says so.
    n_replicates, seed
        Of the bootstrap.
    """
    truth, groups = y[pooled.rows], np.asarray(persons)[pooled.rows]
    base: Row = {"n": int(truth.size), "n_events": int(truth.sum())}
    why = insufficient(truth, minimum_events)
    if why:
        return [_row(base, "auroc", Estimate(*(float("nan"),) * 3), "insufficient", why)]
    mean = pooled.risk.mean(axis=0)
    draws: dict[str, Any] = {"n_replicates": n_replicates, "seed": seed}
    rows = [
        _row(base, "auroc", bootstrap_ranking(truth, pooled.risk, groups, **draws)),
        _row(base, "auroc_delong", delong(truth, mean)),
        _row(
            base,
            "average_precision",
            bootstrap_ranking(truth, pooled.risk, groups, metric="average_precision", **draws),
        ),
        _row(base, "prevalence", _shared(truth.astype(np.float64), groups, draws)),
    ]
    loss = ((pooled.risk - truth) ** 2).mean(axis=0)
    rows += [
        _row(base, "brier", _shared(loss, groups, draws)),
        _row(base, "brier_scaled", _scaled(loss, truth, groups, draws)),
    ]
    rows += _calibration_rows(base, truth, mean)
    for share in TOP_SHARES:
        top = top_share(truth, mean, share, persons=groups, **draws)
        percent = round(share * 100)
        rows.append(_row(base, f"sensitivity_top_{percent}", top.sensitivity))
        rows.append(_row(base, f"ppv_top_{percent}", top.ppv))
    return rows


def differences(
    pooled: Mapping[str, Pooled],
    pairs: Sequence[tuple[str, str]],
    y: Whole,
    persons: npt.ArrayLike,
    *,
    n_replicates: int,
    seed: int,
) -> list[Row]:
    """Return ``auroc`` and ``average_precision`` of one model less those of another on the same draws of the same persons.

    Rows: model, minus, metric, value, low, high, n, n_events.

    Raises
    ------
    ValueError
        If two models were not tested on the same persons.
    """
    rows = []
    for name, other in pairs:
        a, b = pooled[name], pooled[other]
        if not np.array_equal(a.rows, b.rows) or a.risk.shape != b.risk.shape:
            raise ValueError(f"{name} and {other} were not tested on the same persons")
        truth, groups = y[a.rows], np.asarray(persons)[a.rows]
        for metric in ("auroc", "average_precision"):
            gained = bootstrap_ranking(
                truth, a.risk, groups, metric=metric, minus=b.risk, n_replicates=n_replicates, seed=seed
            )
            base = {"model": name, "minus": other, "n": int(truth.size), "n_events": int(truth.sum())}
            rows.append({**base, "metric": metric, "value": gained.value, "low": gained.low, "high": gained.high})
    return rows


def slices(
    pooled: Pooled,
    y: Whole,
    persons: npt.ArrayLike,
    groups: Mapping[str, Sequence[Any]],
    *,
    minimum_events: int,
    smallest: int,
    n_replicates: int,
    seed: int,
) -> list[Row]:
    """Return area, intercept and observed/expected in each group of persons (fairness), small groups withheld.

    Parameters
    ----------
    groups
        Name of a property -> its value for every row, e.g. sex, age band, site.
    smallest
        A group of fewer persons, or with fewer cases or controls than `minimum_events`, has no numbers: status says withheld or
        insufficient.

    Returns
    -------
    list
        Rows slice, group, metric, value, low, high, n (None where withheld), n_events, status, reason.
    """
    truth, people, mean = y[pooled.rows], np.asarray(persons)[pooled.rows], pooled.risk.mean(axis=0)
    rows: list[Row] = []
    for name, given in groups.items():
        values = np.asarray(["unknown" if v is None else str(v) for v in given])[pooled.rows]
        for group in sorted(set(values.tolist())):
            inside = values == group
            base: Row = {"slice": name, "group": group, "n": int(inside.sum()), "n_events": int(truth[inside].sum())}
            few = min(base["n_events"], base["n"] - base["n_events"])
            if base["n"] < smallest or 0 < few < min(smallest, minimum_events):
                hidden = {**base, "n": None, "n_events": None}
                rows.append(_row(hidden, "auroc", Estimate(*(float("nan"),) * 3), "withheld", f"fewer than {smallest}"))
                continue
            why = insufficient(truth[inside], minimum_events)
            if why:
                rows.append(_row(base, "auroc", Estimate(*(float("nan"),) * 3), "insufficient", why))
                continue
            part = bootstrap_ranking(
                truth[inside], pooled.risk[:, inside], people[inside], n_replicates=n_replicates, seed=seed
            )
            rows.append(_row(base, "auroc", part))
            rows += [
                row
                for row in _calibration_rows(base, truth[inside], mean[inside])
                if row["metric"] in ("calibration_intercept", "observed_expected")
            ]
    return rows


def _row(base: Row, metric: str, found: Estimate, status: str = "evaluated", reason: str = "") -> Row:
    return {
        **base,
        "metric": metric,
        "value": found.value,
        "low": found.low,
        "high": found.high,
        "status": status,
        "reason": reason,
    }


def _shared(values: Floats, groups: npt.ArrayLike, draws: Mapping[str, int]) -> Estimate:
    """Mean over items with limits from drawing persons."""
    found = replicate(groups, lambda w: (w @ values) / w.sum(axis=1), **draws)
    return Estimate(float(values.mean()), *interval(found))


def _scaled(loss: Floats, truth: Whole, groups: npt.ArrayLike, draws: Mapping[str, int]) -> Estimate:
    def scaled(w: Floats) -> Floats:
        share = (w @ truth.astype(np.float64)) / w.sum(axis=1)
        worst = share * (1 - share)
        found = np.divide((w @ loss) / w.sum(axis=1), worst, out=np.full(worst.shape, np.nan), where=worst > 0)
        return np.asarray(1.0 - found, dtype=np.float64)

    return Estimate(float(scaled(np.ones((1, truth.size)))[0]), *interval(replicate(groups, scaled, **draws)))


def _calibration_rows(base: Row, truth: Whole, risk: Floats) -> list[Row]:
    """Wald limits for intercept and slope; the errors of the smooth curve have none."""
    found, errors = calibration(truth, risk), calibration_errors(truth, risk)
    z = 1.959963984540054
    nan = float("nan")
    wald = {
        "calibration_intercept": (found.intercept, found.intercept_error),
        "calibration_slope": (found.slope, found.slope_error),
    }
    rows = [_row(base, metric, Estimate(v, v - z * e, v + z * e)) for metric, (v, e) in wald.items()]
    rows.append(_row(base, "observed_expected", Estimate(found.observed_expected, nan, nan)))
    rows += [
        _row(base, metric, Estimate(getattr(errors, metric), nan, nan)) for metric in ("ici", "e50", "e90", "e_max")
    ]
    return rows
