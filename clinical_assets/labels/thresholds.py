"""Where to cut a labeller's P(true) and how to recalibrate it, learned on validation notes and judged on test notes."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.answer_cube import rows_table, values_by
from clinical_assets.statistics.calibration import Platt, brier, choose_threshold, ece, fit_platt, reliability

__all__ = ["ALL_FIELDS", "FEW", "reliability_table", "thresholds_table"]

Floats = npt.NDArray[np.float64]

ALL_FIELDS = "all"
FEW = 5  # of either class on validation: with fewer, `choose_threshold` keeps 0.5 and a recalibration would be chance

_KEY = [pa.field("labeller", pa.string()), pa.field("field", pa.string())]
_ERRORS = ("ece_before", "ece_after", "brier_before", "brier_after")
_THRESHOLDS = pa.schema(
    [*_KEY, pa.field("threshold", pa.float64()), pa.field("is_chosen", pa.bool_())]
    + [pa.field(name, pa.float64()) for name in ("platt_intercept", "platt_slope")]
    + [pa.field(name, pa.int64()) for name in ("n_validation", "n_positive_validation", "n_test", "n_positive_test")]
    + [pa.field(name, pa.float64()) for name in _ERRORS]
)
_BINS = pa.schema(
    [*_KEY, pa.field("scale", pa.string()), pa.field("bin", pa.int32())]
    + [pa.field("low", pa.float64()), pa.field("high", pa.float64()), pa.field("n", pa.int64())]
    + [pa.field(name, pa.float64()) for name in ("mean_probability", "observed", "lower", "upper")]
)


def thresholds_table(items: pa.Table) -> pa.Table:
    """Return one row per labeller with probabilities and field.

    The threshold is that with the best F1 on validation notes; the recalibration is Platt's (1999), fitted there too. Both
    are kept back, threshold 0.5 and recalibration null, where validation has fewer than 5 true or fewer than 5 false. The
    errors, on test notes, are of P(true) as given and after recalibration.

    Parameters
    ----------
    items
        One row per labeller, note and field with gold (labels.evaluation_items). Answers without a probability, and gold
        that annotators disagree on, are left out.

    Returns
    -------
    table
        Probabilities and errors between 0 and 1 (see `calibration.ece`, `calibration.brier`); null where undefined.
    """
    rows: list[dict[str, Any]] = []
    usable = _with_probability(items)
    for labeller, field, group in _groups(usable):
        gold, probability = _of_split(group, "validation")
        n_true = int(gold.sum())
        enough = min(n_true, gold.size - n_true) >= FEW
        platt = _fit(gold, probability) if enough else None
        test_gold, test = _of_split(group, "test")
        after = platt.apply(test) if platt and test.size else None
        row: dict[str, Any] = {"labeller": labeller, "field": field, "is_chosen": enough}
        row["threshold"] = choose_threshold(gold, probability) if enough else 0.5
        row |= {"platt_intercept": platt.intercept if platt else None, "platt_slope": platt.slope if platt else None}
        row |= {"n_validation": gold.size, "n_positive_validation": n_true}
        row |= {"n_test": test_gold.size, "n_positive_test": int(test_gold.sum())}
        row |= {"ece_before": ece(test_gold, test), "brier_before": brier(test_gold, test)}
        row["ece_after"] = None if after is None else ece(test_gold, after)
        row["brier_after"] = None if after is None else brier(test_gold, after)
        rows.append(row)
    return rows_table(rows, _THRESHOLDS)


def reliability_table(items: pa.Table, thresholds: pa.Table) -> pa.Table:
    """Return observed against predicted on test notes: one row per labeller, field (or ``all``), scale and bin.

    Scale `as_given` bins P(true) as the labeller says it, `platt` after recalibration (fields without one are left out).
    Limits take answers as independent, which those of one person are not: where persons have several notes, and for ``all``,
    they are too narrow.

    Parameters
    ----------
    items
        As for `thresholds_table`.
    thresholds
        Its result.

    Returns
    -------
    table
        Ten bins of equal width, the empty ones too (null there); see `calibration.Bin`.
    """
    of_key = [values_by(thresholds, ["labeller", "field"], name) for name in ("platt_intercept", "platt_slope")]
    answers: dict[tuple[str, str, str], list[tuple[Floats, Floats]]] = {}
    for labeller, field, group in _groups(_with_probability(items)):
        gold, probability = _of_split(group, "test")
        if not gold.size:
            continue
        intercept, slope = (values.get((labeller, field)) for values in of_key)
        scales = {"as_given": probability}
        if intercept is not None and slope is not None:
            scales["platt"] = Platt(intercept, slope).apply(probability)
        for scale, values in scales.items():
            for name in (field, ALL_FIELDS):
                answers.setdefault((labeller, name, scale), []).append((gold, values))
    rows: list[dict[str, Any]] = []
    for (labeller, field, scale), parts in sorted(answers.items(), key=lambda item: item[0]):
        gold, probability = (np.concatenate(side) for side in zip(*parts, strict=True))
        for i, one in enumerate(reliability(gold, probability)):
            row: dict[str, Any] = {"labeller": labeller, "field": field, "scale": scale, "bin": i + 1}
            row |= {"low": one.low, "high": one.high, "n": one.n, "mean_probability": one.mean_probability}
            rows.append(row | {"observed": one.observed, "lower": one.lower, "upper": one.upper})
    return rows_table(rows, _BINS)


def _with_probability(items: pa.Table) -> pa.Table:
    known = pc.and_(pc.is_valid(items["probability"]), pc.is_valid(items["gold"]))
    order = [("labeller", "ascending"), ("field", "ascending"), ("note_id", "ascending")]
    return items.filter(pc.and_(known, items["in_scope"])).sort_by(order)


def _groups(rows: pa.Table) -> list[tuple[str, str, pa.Table]]:
    """Labeller, field and their rows, in order of name."""
    keys = rows.select(["labeller", "field"]).group_by(["labeller", "field"]).aggregate([([], "count_all")])
    found, start = [], 0
    for key in keys.sort_by([("labeller", "ascending"), ("field", "ascending")]).to_pylist():
        found.append((key["labeller"], key["field"], rows.slice(start, key["count_all"])))
        start += key["count_all"]
    return found


def _of_split(rows: pa.Table, split: str) -> tuple[Floats, Floats]:
    """Gold and probability of one split."""
    kept = rows.filter(pc.equal(rows["split"], split))
    gold, probability = (pc.cast(kept[name], pa.float64()).to_numpy() for name in ("gold", "probability"))
    return gold, probability


def _fit(gold: Floats, probability: Floats) -> Platt | None:
    try:
        return fit_platt(gold, probability)
    except RuntimeError:  # one field that will not converge is no reason to have no evaluation
        return None
