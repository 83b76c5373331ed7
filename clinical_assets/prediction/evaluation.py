"""How good every model is, with limits, in subgroups and against every other: rows of the tables results and comparisons."""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.prediction.classical import CONSTANTS
from clinical_assets.prediction.judging import Judged
from clinical_assets.statistics.agreement import holm, mcnemar_exact
from clinical_assets.statistics.bootstrap import interval, replicate_sums
from clinical_assets.statistics.classification import Counts, Metrics, cells, metrics, wilson
from clinical_assets.statistics.recalibration import calibration
from clinical_assets.statistics.roc import bootstrap_ranking, delong_difference

__all__ = ["CELLS", "SHOWN", "comparison_rows", "measures", "result_rows", "table_measures"]

Floats = npt.NDArray[np.float64]

CELLS = ("tp", "fp", "fn", "tn")
SHOWN = (
    "accuracy", "balanced_accuracy", "precision", "recall", "specificity", "f1", "mcc", "balance_gap", "auroc", "auprc", "brier",
)  # fmt: skip
_FROM_TABLE = tuple(f.name for f in dataclasses.fields(Metrics) if f.name not in ("n", "n_positive"))
_ALPHA = 0.05


def table_measures(counts: Counts) -> dict[str, Any]:
    """Return all metrics of a confusion table, or of many at once, by name, with `balance_gap` = |recall - specificity|."""
    found = metrics(counts)
    values: dict[str, Any] = {name: getattr(found, name) for name in _FROM_TABLE}
    return {**values, "balance_gap": abs(found.recall - found.specificity)}


def measures(
    judged: Judged, y: npt.NDArray[np.int64], groups: npt.NDArray[np.int64], *, n_replicates: int, seed: int
) -> list[dict[str, Any]]:
    """Return metric, value, low and high of one model on its rows; limits from drawing persons.

    Parameters
    ----------
    judged
        Answers on some rows.
    y, groups
        Of the same rows, shape (k,).
    """
    repeats = judged.score.shape[0]
    persons = np.tile(groups, repeats)
    which = cells(np.tile(y, repeats), judged.value.ravel())
    sums = replicate_sums(persons, which, n_replicates=n_replicates, seed=seed)
    point = table_measures(Counts(*which.sum(axis=0)))
    drawn = table_measures(Counts(*np.moveaxis(sums, -1, 0)))
    found = [_row(name, point[name], *interval(drawn[name])) for name in point]
    found += [_row(name, total / repeats) for name, total in zip(CELLS, which.sum(axis=0), strict=False)]
    for name, metric in (("auroc", "auroc"), ("auprc", "average_precision")):
        area = bootstrap_ranking(y, judged.score, groups, metric=metric, n_replicates=n_replicates, seed=seed)
        found.append(_row(name, area.value, area.low, area.high))
    squared = ((judged.score - y) ** 2).mean(axis=0)
    ones = np.stack([squared, np.ones(y.size)], axis=1)
    briers = replicate_sums(groups, ones, n_replicates=n_replicates, seed=seed)
    found.append(_row("brier", float(squared.mean()), *interval(briers[:, 0] / briers[:, 1])))
    # A risk averaged over repeats is another model's: smoother. Calibration is that of the first repeat.
    # A constant has none: what varies is the folds.
    fit = calibration(y, np.full(y.size, judged.score[0].mean()) if judged.model in CONSTANTS else judged.score[0])
    for name, value, error in (
        ("calibration_intercept", fit.intercept, fit.intercept_error),
        ("calibration_slope", fit.slope, fit.slope_error),
    ):
        found.append(_row(name, value, value - 1.96 * error, value + 1.96 * error))
    n_parsed = float(judged.parsed.sum()) / repeats
    found.append(_row("parsed_rate", n_parsed / max(y.size, 1), *wilson(n_parsed, y.size)))
    found.append(_row("threshold", judged.threshold))
    return found


def result_rows(
    judged: Judged,
    y: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    subgroups: Mapping[str, Sequence[str]],
    *,
    n_replicates: int,
    seed: int,
    smallest: int = 1,
) -> list[dict[str, Any]]:
    """Return rows of the table results (without the question's name) for all rows of a model and each subgroup.

    Parameters
    ----------
    y, groups, subgroups
        Of all rows of the question; subgroups: feature -> its value a row.
    smallest
        Subgroups of fewer rows, or of one answer only, are left out.
    """
    found = []
    named: list[tuple[str, npt.NDArray[np.bool_]]] = [("all", np.ones(judged.rows.size, dtype=bool))]
    for feature, values in subgroups.items():
        mine = np.asarray([values[i] for i in judged.rows])
        named += [(f"{feature}={value}", mine == value) for value in sorted(set(mine.tolist()))]
    for name, inside in named:
        part = dataclasses.replace(
            judged, rows=judged.rows[inside], score=judged.score[:, inside], value=judged.value[:, inside]
        )
        truth = y[part.rows]
        if name != "all" and (truth.size < smallest or truth.min() == truth.max()):
            continue
        names = {"model": judged.model, "design": judged.design, "subgroup": name}
        sizes = {"n": truth.size, "n_positive": int(truth.sum())}
        rows = measures(part, truth, groups[part.rows], n_replicates=n_replicates, seed=seed)
        found += [{**names, **row, **sizes} for row in rows]
    return found


def comparison_rows(judged: Sequence[Judged], y: npt.NDArray[np.int64]) -> list[dict[str, Any]]:
    """Return rows of the table comparisons: every pair on the same test rows, McNemar and DeLong, each with Holm over all pairs.

    Raises
    ------
    ValueError
        If the models were judged on different rows.
    """
    tested = [one for one in judged if one.design == "test"]
    found: list[dict[str, Any]] = []
    for a, b in itertools.combinations(tested, 2):
        if not np.array_equal(a.rows, b.rows):
            raise ValueError(f"{a.model} and {b.model} were judged on different rows")
        truth = y[a.rows]
        right_a, right_b = a.value[0] == truth, b.value[0] == truth
        only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
        gained = delong_difference(truth, a.score[0], b.score[0])
        found.append(
            {
                "model_a": a.model,
                "model_b": b.model,
                "n": truth.size,
                "a_only_right": only_a,
                "b_only_right": only_b,
                "mcnemar_p": mcnemar_exact(only_a, only_b),
                "auroc_difference": gained.value,
                "auroc_low": _number(gained.low),
                "auroc_high": _number(gained.high),
                "delong_p": _number(gained.p_value),
            }
        )
    told = [row for row in found if row["delong_p"] is not None]
    for name, rows in (("mcnemar_p", found), ("delong_p", told)):
        for row, p in zip(rows, holm([row[name] for row in rows]), strict=True):
            row[f"{name}_holm"] = float(p)
    for row in found:
        row.setdefault("delong_p_holm", None)
        row["verdict"] = _verdict(row)
    return found


def _verdict(row: Mapping[str, Any]) -> str:
    """What a pair's tests say, in words."""
    said = []
    if row["mcnemar_p_holm"] < _ALPHA:
        better = row["model_a"] if row["a_only_right"] > row["b_only_right"] else row["model_b"]
        said.append(f"{better} is right more often")
    if row["delong_p_holm"] is not None and row["delong_p_holm"] < _ALPHA:
        better = row["model_a"] if row["auroc_difference"] > 0 else row["model_b"]
        said.append(f"{better} ranks better")
    return " and ".join(said) or f"{row['model_a']} and {row['model_b']} are not distinguishable on {row['n']} rows"


def _row(metric: str, value: float, low: float = math.nan, high: float = math.nan) -> dict[str, Any]:
    return {"metric": metric, "value": _number(float(value)), "low": _number(float(low)), "high": _number(float(high))}


def _number(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None
