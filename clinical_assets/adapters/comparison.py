"""What an adapter changes, field by field, on the same notes: paired, with limits, beside always giving the commoner answer.

Differences are adapter minus base. Their limits come from drawing persons with replacement (see `statistics.bootstrap`), the
same draw for both, so that what both find hard does not widen them. McNemar's exact test looks at the notes on which only one
of the two is right; p-values of the fields are adjusted after Holm (1979).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.statistics.agreement import holm, mcnemar_exact
from clinical_assets.statistics.bootstrap import intervals, replicate_sums
from clinical_assets.statistics.classification import Counts, Metrics, cells, macro_f1_of_positives, metrics

__all__ = ["ALL_FIELDS", "COMPARED", "N_REPLICATES", "SEED", "Verdict", "comparison_rows", "verdict_of"]

Floats = npt.NDArray[np.float64]

ALL_FIELDS = "(all)"
COMPARED = ("precision", "recall", "f1", "kappa", "accuracy")
N_REPLICATES, SEED = 2_000, 20251121


@dataclass(frozen=True)
class Verdict:
    """Whether an adapter may label notes.

    Attributes
    ----------
    promotable
        The limits of the difference in macro F1 lie above zero, and no fewer fields than with the base are above majority.
    difference, low, high
        Macro F1 of adapter minus base, with 95 % limits.
    n_above_base, n_above_adapter, n_fields
        Fields whose accuracy is above that of always giving the commoner answer; fields where that can be told.
    reasons
        Why not; empty if promotable.
    """

    promotable: bool
    difference: float
    low: float
    high: float
    n_above_base: int
    n_above_adapter: int
    n_fields: int
    reasons: tuple[str, ...]


def comparison_rows(answers: pa.Table) -> list[dict[str, Any]]:
    """Return one row a field, and one for all of them (`ALL_FIELDS`), of base and adapter side by side.

    Parameters
    ----------
    answers
        One row per variant (base, adapter), note and field: person_id, field, gold (null where unknown: left out), value (null
        counts as wrong).

    Returns
    -------
    rows
        field, n, n_persons, n_positive, prevalence, majority_accuracy; per variant the counts, what is missing and the
        metrics of `COMPARED`; their differences with limits; p-values. In the row of all fields f1 is macro F1 (mean over
        fields with a gold positive), accuracy the mean over fields, counts are sums, the other metrics null.

    Raises
    ------
    ValueError
        If the variants were not asked the same notes and fields.
    """
    paired = _paired(answers)
    names = sorted(set(paired["field"]))
    of_field = np.array([names.index(name) for name in paired["field"]])
    wide = np.zeros((len(of_field), len(names), 2, 5))
    for variant, value in enumerate(("base", "adapter")):
        wide[np.arange(len(of_field)), of_field, variant] = cells(paired["gold"], paired[value])
    flat = wide.reshape(len(of_field), -1)
    drawn = replicate_sums(paired["person_id"], flat, n_replicates=N_REPLICATES, seed=SEED)
    sums = np.vstack([flat.sum(axis=0), drawn]).reshape(-1, len(names), 2, 5)
    found = metrics(Counts(*np.moveaxis(sums, -1, 0)))
    tests = _mcnemar(paired, of_field, len(names))
    rows = [_field_row(names[j], j, sums, found, paired, of_field) | tests[j] for j in range(len(names))]
    return [*rows, _overall_row(sums, found, paired)]


def verdict_of(rows: list[dict[str, Any]]) -> Verdict:
    """Judge an adapter by the rows of `comparison_rows`."""
    overall = next(row for row in rows if row["field"] == ALL_FIELDS)
    # where one answer is all there is, nobody can be above it
    fields = [row for row in rows if row["field"] != ALL_FIELDS and 0 < row["n_positive"] < row["n"]]
    above = {v: sum(row[f"{v}_accuracy"] > row["majority_accuracy"] for row in fields) for v in ("base", "adapter")}
    low, high = (_number(overall[f"f1_difference_{end}"]) for end in ("low", "high"))
    reasons = []
    if not low > 0:
        reasons.append("the improvement in macro F1 cannot be told from none: its lower limit is not above 0")
    if above["adapter"] < above["base"]:
        reasons.append("fewer fields than with the base are above always giving the commoner answer")
    return Verdict(
        not reasons,
        _number(overall["f1_difference"]),
        low,
        high,
        above["base"],
        above["adapter"],
        len(fields),
        tuple(reasons),
    )


def _paired(answers: pa.Table) -> dict[str, list[Any]]:
    """Columns person_id, field, gold, base, adapter: one row a note and field with gold."""
    sides: dict[str, dict[tuple[int, str], dict[str, Any]]] = {"base": {}, "adapter": {}}
    for row in answers.to_pylist():
        if row["gold"] is not None:
            sides[row["variant"]][row["note_id"], row["field"]] = row
    if sides["base"].keys() != sides["adapter"].keys() or not sides["base"]:
        raise ValueError(
            f"base and adapter must be asked the same notes and fields: {len(sides['base'])} and {len(sides['adapter'])} "
            "answers with gold; evaluate the adapter again"
        )
    keys = sorted(sides["base"])
    return {
        "person_id": [sides["base"][key]["person_id"] for key in keys],
        "note_id": [key[0] for key in keys],
        "field": [key[1] for key in keys],
        "gold": [sides["base"][key]["gold"] for key in keys],
        "base": [sides["base"][key]["value"] for key in keys],
        "adapter": [sides["adapter"][key]["value"] for key in keys],
    }


def _field_row(
    name: str, j: int, sums: Floats, found: Metrics, paired: dict[str, list[Any]], of_field: npt.NDArray[np.int64]
) -> dict[str, Any]:
    here = np.flatnonzero(of_field == j)
    row: dict[str, Any] = {
        "field": name,
        "n": len(here),
        "n_persons": len({paired["person_id"][i] for i in here}),
        "n_positive": int(np.asarray(found.n_positive)[0, j, 0]),
        "prevalence": _value(found.prevalence, j, 0),
        "majority_accuracy": _value(found.majority_baseline, j, 0),
    }
    for v, variant in enumerate(("base", "adapter")):
        row |= _counts(variant, sums[0, j, v])
        row |= {f"{variant}_{metric}": _value(getattr(found, metric), j, v) for metric in COMPARED}
    for metric in COMPARED:
        both = np.asarray(getattr(found, metric))
        row |= _difference(metric, both[:, j, 1] - both[:, j, 0])
    return row


def _overall_row(sums: Floats, found: Metrics, paired: dict[str, list[Any]]) -> dict[str, Any]:
    macro = np.asarray(macro_f1_of_positives(Counts(*np.moveaxis(sums, -1, 0)), axis=1))
    mean_accuracy = np.nanmean(np.asarray(found.accuracy), axis=1)
    row: dict[str, Any] = {
        "field": ALL_FIELDS,
        "n": len(paired["field"]),
        "n_persons": len(set(paired["person_id"])),
        "n_positive": int(np.asarray(found.n_positive)[0, :, 0].sum()),
        "prevalence": sum(map(bool, paired["gold"])) / len(paired["gold"]),
        "majority_accuracy": float(np.nanmean(np.asarray(found.majority_baseline)[0, :, 0])),
    }
    for v, variant in enumerate(("base", "adapter")):
        row |= _counts(variant, sums[0, :, v].sum(axis=0))
        row |= {f"{variant}_{metric}": None for metric in COMPARED}
        row |= {f"{variant}_f1": float(macro[0, v]), f"{variant}_accuracy": float(mean_accuracy[0, v])}
    for metric in COMPARED:
        row |= {f"{metric}_difference{end}": None for end in ("", "_low", "_high")}
    row |= _difference("f1", macro[:, 1] - macro[:, 0])
    row |= _difference("accuracy", mean_accuracy[:, 1] - mean_accuracy[:, 0])
    return row | dict.fromkeys(("n_only_base_right", "n_only_adapter_right", "p_mcnemar", "p_holm"))


def _mcnemar(paired: dict[str, list[Any]], of_field: npt.NDArray[np.int64], n: int) -> list[dict[str, Any]]:
    right = {
        v: np.array(
            [value is not None and value == gold for value, gold in zip(paired[v], paired["gold"], strict=True)]
        )
        for v in ("base", "adapter")
    }
    rows: list[dict[str, Any]] = []
    for j in range(n):
        here = of_field == j
        only_base = int((right["base"] & ~right["adapter"] & here).sum())
        only_adapter = int((right["adapter"] & ~right["base"] & here).sum())
        rows.append(
            {
                "n_only_base_right": only_base,
                "n_only_adapter_right": only_adapter,
                "p_mcnemar": float(mcnemar_exact(only_base, only_adapter)),
            }
        )
    adjusted = holm([row["p_mcnemar"] for row in rows])
    return [row | {"p_holm": float(p)} for row, p in zip(rows, adjusted, strict=True)]


def _counts(variant: str, sums: Floats) -> dict[str, int]:
    return {
        f"{variant}_{name}": int(total) for name, total in zip(("tp", "fp", "fn", "tn", "n_missing"), sums, strict=True)
    }


def _difference(metric: str, replicates: Floats) -> dict[str, float | None]:
    """The difference (row 0) and its limits; None where undefined."""
    low, high = intervals(replicates[1:])
    values = (replicates[0], low, high)
    return {
        f"{metric}_difference{end}": None if np.isnan(value) else float(value)
        for end, value in zip(("", "_low", "_high"), values, strict=True)
    }


def _value(metric: Any, j: int, variant: int) -> float | None:
    value = float(np.asarray(metric)[0, j, variant])
    return None if np.isnan(value) else value


def _number(value: float | None) -> float:
    return float("nan") if value is None else value
