"""From predictions to decisions: thresholds from rows that are not judged, what is missing counted as wrong.

A model that gives no probability is judged by its answers. A row that it did not answer is wrong in every metric: the answer is missing in
the confusion table, and its score is the worst there is (0 where yes is right, 1 where no is).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.prediction.classical import CONSTANTS
from clinical_assets.statistics.calibration import choose_threshold

__all__ = ["Judged", "judge"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Judged:
    """A model's answers on the rows of one design.

    Attributes
    ----------
    model, design
        Whose, and test or cross_validation.
    rows
        Shape (k,), row numbers.
    score
        Shape (repeats, k), P(yes), the worst there is where there was no answer.
    value
        Shape (repeats, k): 1, 0, or nan for no answer.
    threshold
        Of the decision; its mean over the folds of a cross-validation, nan where none was needed.
    """

    model: str
    design: str
    rows: Whole
    score: Floats
    value: Floats
    threshold: float

    @property
    def parsed(self) -> npt.NDArray[np.bool_]:
        """Which answers there are, shape (repeats, k)."""
        return ~np.isnan(self.value)


def judge(
    model: str,
    predictions: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    y: Whole,
    split: npt.NDArray[np.str_],
    folds: Whole,
    *,
    metric: str,
) -> list[Judged]:
    """Return the model's answers on the test rows, and out of fold where it was cross-validated or learns from no row.

    On test rows the threshold is the best on the validation rows. In the cross-validation it is the best on the other folds of the same
    repeat: they are predicted by models that saw the fold, a small optimism that all models share.

    Parameters
    ----------
    predictions
        Rows of the table predictions, of this model.
    ids, y, split, folds
        All rows, their answers, splits, and folds (repeats, n).
    metric
        Chooses the threshold.

    Raises
    ------
    ValueError
        If a validation or test row was not predicted at all.
    """
    at = {row_id: i for i, row_id in enumerate(ids)}
    n, repeats = len(ids), folds.shape[0]
    held, out = np.full(n, np.nan), np.full((repeats, n), np.nan)
    said = np.zeros(n, dtype=bool)
    repeated = set[int]()
    plain = any(row["probability"] is None and row["answer"] is not None for row in predictions)
    for row in predictions:
        i, p = at[row["row_id"]], row["probability"]
        value = p if p is not None else (np.nan if row["answer"] is None else float(row["answer"]))
        if row["design"] == "cross_validation":
            out[row["repeat"], i] = value
            repeated.add(row["repeat"])
        else:
            held[i], said[i] = value, True
            if row["design"] == "every_row":
                out[:, i] = value
                repeated |= set(range(repeats))
    test = np.flatnonzero(split == "test")
    lacking = int((~said[np.isin(split, ("validation", "test"))]).sum())
    if lacking:
        raise ValueError(f"model {model}: {lacking} validation or test rows have no prediction; materialize it again")
    validation = np.flatnonzero(split == "validation")
    fixed = model in CONSTANTS or plain
    threshold = 0.5 if fixed else _threshold(y[validation], held[validation], metric)
    found = [
        Judged(model, "test", test, _worst(held[test], y[test])[None], _decide(held[test], threshold)[None], threshold)
    ]
    if repeated:
        which = sorted(repeated)  # of a fine-tuned model the first one alone
        rows = np.flatnonzero(folds[0] >= 0)
        value, thresholds = np.full((len(which), rows.size), np.nan), []
        for place, repeat in enumerate(which):
            of = folds[repeat, rows]
            p = out[repeat, rows]
            for fold in np.unique(of):
                other, mine = of != fold, of == fold
                cut = 0.5 if fixed else _threshold(y[rows[other]], p[other], metric)
                value[place, mine] = _decide(p[mine], cut)
                thresholds.append(cut)
        score = np.stack([_worst(out[repeat, rows], y[rows]) for repeat in which])
        found.append(Judged(model, "cross_validation", rows, score, value, float(np.mean(thresholds))))
    return found


def _threshold(y: Whole, p: Floats, metric: str) -> float:
    known = ~np.isnan(p)
    return choose_threshold(y[known], p[known], metric) if known.any() else 0.5


def _decide(p: Floats, threshold: float) -> Floats:
    return np.where(np.isnan(p), np.nan, (p >= threshold).astype(np.float64))


def _worst(p: Floats, y: Whole) -> Floats:
    return np.where(np.isnan(p), 1.0 - y, p)
