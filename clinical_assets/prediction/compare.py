"""Judging all models that answered a question: the tables results and comparisons, and what they say."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from clinical_assets.prediction.classical import CONSTANTS
from clinical_assets.prediction.conclusion import above_constant, common_constant, conclusions
from clinical_assets.prediction.evaluation import comparison_rows, result_rows
from clinical_assets.prediction.judging import Judged, judge
from clinical_assets.prediction.ranking import rank_rows, tuning_rows
from clinical_assets.prediction.rows import QuestionError
from clinical_assets.prediction.store import Asked, held_models, write_table
from clinical_assets.storage.lake import Lake

__all__ = ["Compared", "compare", "model_order"]

_ORDER = (*CONSTANTS, "lasso", "elastic_net", "random_forest", "lightgbm", "lightgbm_stacked")


@dataclass(frozen=True)
class Compared:
    """What was judged: answers, rows of the tables results and comparisons, sentences, digest of both tables."""

    judged: list[Judged]
    results: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    said: list[str]
    digest: str


def model_order(models: Sequence[str]) -> list[str]:
    """Return models in the order of tables and figures: constants, classical ones, language models."""
    return sorted(models, key=lambda name: (_ORDER.index(name) if name in _ORDER else len(_ORDER), name))


def compare(
    lake: Lake,
    asked: Asked,
    expected: Sequence[str],
    *,
    smallest: int = 1,
    log: Callable[[str], None] = lambda line: None,
) -> Compared:
    """Judge every model that answered this very question, and write results and comparisons.

    Parameters
    ----------
    expected
        Models that were to answer; those that did not are named, not judged.
    smallest
        Subgroups of fewer rows are not judged apart.

    Raises
    ------
    QuestionError
        If the constants, which all others are held against, have not answered.
    """
    held, question = held_models(lake, asked.sha), asked.question
    if not set(CONSTANTS) <= set(held):
        raise QuestionError("the constants have not answered this question; materialize prediction/constants first")
    dataset, assigned = asked.dataset, asked.assigned
    seed, draws = question.splits.seed, question.models.bootstrap
    judged: list[Judged] = []
    results: list[dict[str, Any]] = []
    for model in model_order(list(held)):
        both = judge(
            model,
            held[model],
            dataset.ids,
            dataset.y,
            assigned.split,
            assigned.folds,
            metric=question.models.threshold_metric,
        )
        judged += both
        for one in both:
            groups = asked.subgroups() if one.design == "test" else {}
            results += result_rows(
                one, dataset.y, dataset.groups, groups, n_replicates=draws, seed=seed, smallest=smallest
            )
        log(f"{model} judged")
    constant = common_constant(dataset.y[assigned.rows("train")])
    results += above_constant(judged, constant, dataset.y, dataset.groups, n_replicates=draws, seed=seed)
    for rows_of in (rank_rows, tuning_rows):
        results += rows_of(judged, dataset.y, dataset.groups, n_replicates=draws, seed=seed)
    comparisons = comparison_rows(judged, dataset.y)
    said = conclusions(results, comparisons, constant, [m for m in model_order(list(expected)) if m not in held])
    for table, rows in (("results", results), ("comparisons", comparisons)):
        write_table(lake, f"prediction/{table}", [{**asked.names, **row} for row in rows])
    digests = [lake.written(f"prediction/{table}").digest for table in ("results", "comparisons")]
    return Compared(judged, results, comparisons, said, hashlib.sha256("".join(digests).encode()).hexdigest())
