"""What a classical model looks at: coefficients with limits from refits, and what shuffling a feature costs on rows it has not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from clinical_assets.prediction.classical import Model
from clinical_assets.prediction.rows import Dataset, Value
from clinical_assets.statistics.bootstrap import intervals, person_weights
from clinical_assets.statistics.roc import auroc
from clinical_assets.study.prediction import PredictionFeature

__all__ = ["coefficients", "permutation_importance"]

Whole = npt.NDArray[np.int64]


class Predicts(Protocol):
    """A fitted or stored model."""

    @property
    def features(self) -> tuple[PredictionFeature, ...]:
        """What it sees."""

    def predict(self, columns: Mapping[str, Sequence[Value]], rows: Whole) -> npt.NDArray[np.float64]:
        """Return P(yes)."""


def coefficients(
    model: Model,
    dataset: Dataset,
    rows: Whole,
    *,
    seed: int,
    n_draws: int,
) -> list[dict[str, Any]]:
    """Return coefficient, limits and how often it is not zero, of each column: per standard deviation, per category.

    Limits are percentiles of refits on drawn persons, prepared alike and at the same penalty. A penalty shrinks coefficients, so that
    they are no unbiased log odds ratios, and limits that reach zero may mean that the penalty took the column out.

    Parameters
    ----------
    model
        A logistic model that was fitted on `rows`.
    """
    names, x, y = model.columns, model.matrix(dataset.columns, rows), dataset.y[rows]
    weights, index = person_weights(dataset.groups[rows], n_draws, seed)
    draws = np.zeros((n_draws, len(names)))
    for draw, weight in zip(draws, weights[:, index].astype(np.float64), strict=True):
        if 0 < (weight * y).sum() < weight.sum():
            draw[:] = model.refitted(x, y, weight)
    low, high = intervals(draws)
    return [
        {
            "kind": "coefficient",
            "feature": name,
            "value": float(value),
            "low": float(low[j]),
            "high": float(high[j]),
            "share_nonzero": float(np.mean(np.abs(draws[:, j]) > 1e-6)),
        }
        for j, (name, value) in enumerate(zip(names, model.weights(), strict=True))
    ]


def permutation_importance(
    model: Predicts, dataset: Dataset, rows: Whole, *, repeats: int, seed: int
) -> list[dict[str, Any]]:
    """Return by how much the area under the ROC curve of unseen rows falls if a feature is shuffled among them (Breiman 2001).

    Mean and 95 % percentiles over the shuffles: they tell how much the shuffle matters, not how far other patients would differ.
    """
    chance = np.random.default_rng(seed)
    y = dataset.y[rows]
    whole = float(auroc(y, model.predict(dataset.columns, rows)))
    many = np.tile(rows, repeats)
    found = []
    for feature in model.features:
        values = dataset.columns[feature.name]
        source = np.concatenate([chance.permutation(rows) for _ in range(repeats)])
        # all shuffles at once: what costs is the preparation, not the rows
        columns = {f.name: [dataset.columns[f.name][i] for i in many] for f in model.features}
        columns[feature.name] = [values[i] for i in source]
        p = model.predict(columns, np.arange(many.size)).reshape(repeats, rows.size)
        drops = np.asarray([whole - float(auroc(y, score)) for score in p])
        low, high = np.quantile(drops, [0.025, 0.975])
        found.append(
            {
                "kind": "permutation_importance",
                "feature": feature.name,
                "value": float(drops.mean()),
                "low": float(low),
                "high": float(high),
                "share_nonzero": None,
            }
        )
    return found
