"""What the comparison says, in words: first whether anything beats always giving the commoner answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.prediction.classical import CONSTANTS
from clinical_assets.prediction.judging import Judged
from clinical_assets.statistics.bootstrap import bootstrap_difference

__all__ = ["above_constant", "common_constant", "conclusions"]

Whole = npt.NDArray[np.int64]
_ALPHA = 0.05
_SIMPLE = ("lasso", "elastic_net", "random_forest", "lightgbm", "lightgbm_stacked")  # before any language model


def common_constant(y_train: Whole) -> str:
    """Return the constant that gives the commoner answer of the training rows."""
    return "always_yes" if 2 * int(y_train.sum()) >= y_train.size else "always_no"


def above_constant(
    judged: Sequence[Judged], constant: str, y: Whole, groups: Whole, *, n_replicates: int, seed: int
) -> list[dict[str, Any]]:
    """Return rows of the table results: accuracy on the test rows less that of the constant, with limits, of every other model."""
    found = []
    for one in judged:
        if one.design != "test" or one.model in CONSTANTS:
            continue
        said = np.full(one.rows.size, float(constant == "always_yes"))
        gain = bootstrap_difference(
            y[one.rows], one.value[0], said, groups[one.rows], "accuracy", n_replicates=n_replicates, seed=seed
        )
        value, low, high = (float(v) for v in gain)
        found.append(
            {
                "model": one.model, "design": "test", "subgroup": "all", "metric": "accuracy_above_constant", "value": value, "low": low,
                "high": high, "n": one.rows.size, "n_positive": int(y[one.rows].sum()),
            }
        )  # fmt: skip
    return found


def conclusions(
    results: Sequence[Mapping[str, Any]],
    comparisons: Sequence[Mapping[str, Any]],
    constant: str,
    missing: Sequence[str] = (),
) -> list[str]:
    """Return sentences, the most sobering first.

    Parameters
    ----------
    results, comparisons
        Rows of the tables.
    constant
        From `common_constant`.
    missing
        Models that were to be compared and did not answer this question.
    """
    value = {(r["model"], r["design"], r["metric"]): r for r in results if r["subgroup"] == "all"}
    gains = [r for r in results if r["metric"] == "accuracy_above_constant"]
    base = value[constant, "test", "accuracy"]
    n, words = base["n"], constant.replace("_", " ")
    better = [r["model"] for r in gains if r["low"] is not None and r["low"] > 0]
    f1 = value[constant, "test", "f1"]["value"]
    scale = f"accuracy {base['value']:.1%}" + (f", F1 {f1:.1%}" if f1 is not None else "") + f" on {n} test rows"
    if not better:
        highest = max(gains, key=lambda r: r["value"], default=None)
        close = (
            f" The most accurate of {len(gains)}, {highest['model']}, is {_points(highest)} points from it."
            if highest
            else ""
        )
        said = [
            f"No model beats {words} ({scale}): of none do the 95 % limits of the difference in accuracy lie above zero.{close}"
        ]
    else:
        said = [f"{len(better)} of {len(gains)} models beat {words} ({scale}): {', '.join(better)}."]
    both = [
        r for (m, d, metric), r in value.items() if d == "test" and metric == "balanced_accuracy" and m not in CONSTANTS
    ]
    fair = [r["model"] for r in both if (r["low"] or 0) > 0.5]
    said.append(
        f"{len(fair)} of {len(both)} models are above 0.5, where constants are, in balanced accuracy on the test rows"
        + (f": {', '.join(fair)}." if fair else ".")
    )
    for design, where in (("cross_validation", "out of fold"), ("test", "on the test rows")):
        areas = [r for (model, d, m), r in value.items() if d == design and m == "auroc" and model not in CONSTANTS]
        above = sorted((r for r in areas if (r["low"] or 0) > 0.5), key=lambda r: -r["value"])
        if areas:
            best = f"; highest: {above[0]['model']}, {_interval(above[0])}" if above else ""
            said.append(f"{len(above)} of {len(areas)} models rank better than chance {where} (AUROC){best}.")
    real = [r for r in comparisons if r["model_a"] not in CONSTANTS and r["model_b"] not in CONSTANTS]
    apart = [r for r in real if "not distinguishable" not in r["verdict"]]
    if real:
        said.append(
            f"{len(real) - len(apart)} of {len(real)} pairs of models are not distinguishable on the test rows (McNemar and DeLong, Holm "
            f"over all pairs, {_ALPHA:.0%})"
            + (": the order of such models is chance." if len(apart) < len(real) else ".")
        )
    said.append(_recommendation(value, real, bool(better)))
    unread = [
        (m, r["value"])
        for (m, d, metric), r in value.items()
        if d == "test" and metric == "parsed_rate" and (r["value"] or 0) < 1
    ]
    said += [f"{model} answered {rate:.1%} of the test rows; the others count as wrong." for model, rate in unread]
    if missing:
        said.append(
            f"Not judged, as they have not answered this question (not asked yet, or failed; job predict asks all): {', '.join(missing)}."
        )
    return said


def _recommendation(
    value: Mapping[tuple[str, str, str], Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]], decides: bool
) -> str:
    """What follows for who wants to use one: nothing, or the simplest that nothing is told apart from."""
    designs = {design for _, design, metric in value if metric == "auroc"}
    design = "cross_validation" if "cross_validation" in designs else "test"
    areas = [r for (m, d, metric), r in value.items() if d == design and metric == "auroc" and m not in CONSTANTS]
    above = [r for r in areas if (r["low"] or 0) > 0.5]
    if not above:
        return "Recommendation: use none of them on these features; more patients or other features are needed first."
    best = max(above, key=lambda r: r["value"])["model"]
    apart = {frozenset((r["model_a"], r["model_b"])) for r in pairs if "not distinguishable" not in r["verdict"]}
    equal = [r["model"] for r in above if frozenset((best, r["model"])) not in apart]
    simplest = min(equal, key=lambda model: (_SIMPLE.index(model) if model in _SIMPLE else len(_SIMPLE), model))
    what = "to decide or to rank" if decides else "to rank patients, not to decide: no model beats the commoner answer"
    return f"Recommendation: {simplest}, the simplest model that is not told apart from the best, {what}; validate it elsewhere first."


def _points(row: Mapping[str, Any]) -> str:
    return f"{100 * row['value']:+.1f} ({100 * row['low']:+.1f} to {100 * row['high']:+.1f})"


def _interval(row: Mapping[str, Any]) -> str:
    return f"{row['value']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
