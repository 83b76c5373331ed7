"""Who is best by each metric, in which order models stand with which certainty, and what fine-tuning changed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.prediction.classical import CONSTANTS
from clinical_assets.prediction.evaluation import SHOWN
from clinical_assets.prediction.judging import Judged
from clinical_assets.statistics.bootstrap import bootstrap_difference, interval, replicate
from clinical_assets.statistics.roc import auroc

__all__ = ["LOWER_IS_BETTER", "best_per_metric", "rank_rows", "tuning_rows"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

LOWER_IS_BETTER = frozenset({"brier", "balance_gap"})
_TUNED = "_lora"  # what a fine-tuned model's name has more than that of its base


def best_per_metric(by_model: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> dict[str, tuple[list[str], float]]:
    """Return metric -> the models that are best by it (several where they tie) and their value.

    Parameters
    ----------
    by_model
        Model -> metric -> row of the table results.
    """
    found = {}
    for metric in SHOWN:
        values = {model: of[metric]["value"] for model, of in by_model.items() if of[metric]["value"] is not None}
        if values:
            best = min(values.values()) if metric in LOWER_IS_BETTER else max(values.values())
            found[metric] = ([model for model, value in values.items() if abs(value - best) < 1e-12], float(best))
    return found


def rank_rows(
    judged: Sequence[Judged], y: Whole, groups: Whole, *, n_replicates: int, seed: int
) -> list[dict[str, Any]]:
    """Return rows of the table results: the rank of each model's AUROC among all but constants (1 is best), and how often it is first.

    Limits: percentiles of its rank where persons are drawn again, the same for all models (Goldstein & Spiegelhalter 1996). Ties share
    their mean rank.
    """
    found: list[dict[str, Any]] = []
    for design in ("test", "cross_validation"):
        models = [one for one in judged if one.design == design and one.model not in CONSTANTS]
        if len(models) < 2:
            continue
        truth, persons = y[models[0].rows], groups[models[0].rows]
        point = np.asarray([[_area(truth, one.score, np.ones((1, truth.size)))[0] for one in models]])
        drawn = np.stack([_drawn(truth, one, persons, n_replicates, seed) for one in models], axis=1)
        here, ranks = _ranks(point)[0], _ranks(drawn[np.isfinite(drawn).all(axis=1)])
        first = (ranks == ranks.min(axis=1, keepdims=True)).mean(axis=0)
        sizes: dict[str, Any] = {"n": truth.size, "n_positive": int(truth.sum())}
        for i, one in enumerate(models):
            low, high = np.quantile(ranks[:, i], [0.025, 0.975])
            names: dict[str, Any] = {"model": one.model, "design": design, "subgroup": "all", **sizes}
            found += [
                {**names, "metric": "auroc_rank", "value": float(here[i]), "low": float(low), "high": float(high)},
                {**names, "metric": "auroc_first", "value": float(first[i]), "low": None, "high": None},
            ]
    return found


def tuning_rows(
    judged: Sequence[Judged], y: Whole, groups: Whole, *, n_replicates: int, seed: int
) -> list[dict[str, Any]]:
    """Return rows of the table results: accuracy and AUROC of a fine-tuned model on the test rows less those of its base, with limits."""
    tested = {one.model: one for one in judged if one.design == "test"}
    found: list[dict[str, Any]] = []
    for model, one in tested.items():
        base = tested.get(model.removesuffix(_TUNED))
        if not model.endswith(_TUNED) or base is None:
            continue
        truth, persons = y[one.rows], groups[one.rows]
        names: dict[str, Any] = {
            "model": model,
            "design": "test",
            "subgroup": "all",
            "n": truth.size,
            "n_positive": int(truth.sum()),
        }
        gain = bootstrap_difference(
            truth, one.value[0], base.value[0], persons, "accuracy", n_replicates=n_replicates, seed=seed
        )
        value, low, high = (float(v) for v in gain)
        found.append({**names, "metric": "accuracy_above_zero_shot", "value": value, "low": low, "high": high})
        draws = _drawn(truth, one, persons, n_replicates, seed) - _drawn(truth, base, persons, n_replicates, seed)
        point = float(auroc(truth, one.score[0])) - float(auroc(truth, base.score[0]))
        low, high = interval(draws)
        found.append({**names, "metric": "auroc_above_zero_shot", "value": point, "low": low, "high": high})
    return found


def _area(truth: Whole, scores: Floats, weights: Floats) -> Floats:
    """Mean over the repeats, shape (b,)."""
    return np.mean([np.atleast_1d(auroc(truth, score, weights)) for score in scores], axis=0)


def _drawn(truth: Whole, one: Judged, persons: Whole, n_replicates: int, seed: int) -> Floats:
    found = replicate(persons, lambda weights: _area(truth, one.score, weights), n_replicates=n_replicates, seed=seed)
    return np.asarray(found).ravel()


def _ranks(areas: Floats) -> Floats:
    """Rank of each column in each row, the highest first; ties share their mean."""
    from scipy.stats import rankdata

    return np.asarray(rankdata(-areas, method="average", axis=1))
