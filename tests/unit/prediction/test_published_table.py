"""The trial comparison that this room comes from: its published table from its confusion counts, and what it did not say."""

from __future__ import annotations

import numpy as np
import pytest

from clinical_assets.prediction.conclusion import above_constant, common_constant, conclusions
from clinical_assets.prediction.evaluation import comparison_rows, result_rows, table_measures
from clinical_assets.prediction.judging import Judged
from clinical_assets.statistics.classification import Counts

# model: TP, TN, FP, FN, then accuracy, precision, recall, specificity, F1 in percent as published
PUBLISHED = {
    "Llama-3.2-3B-v2": ((30, 4, 19, 6), (57.6, 61.2, 83.3, 17.4, 70.6)),
    "Llama-3.2-3B (10-23)": ((20, 12, 11, 16), (54.2, 64.5, 55.6, 52.2, 59.7)),
    "Llama-3.2-3B (10-22)": ((18, 12, 11, 18), (50.8, 62.1, 50.0, 52.2, 55.4)),
    "Mistral-7B": ((16, 15, 8, 20), (52.5, 66.7, 44.4, 65.2, 53.3)),
    "Phi-3-mini": ((17, 13, 10, 19), (50.8, 63.0, 47.2, 56.5, 54.0)),
    "Llama-3.1-8B": ((10, 18, 5, 26), (47.5, 66.7, 27.8, 78.3, 39.2)),
    "Qwen2.5-7B": ((10, 16, 7, 26), (44.1, 58.8, 27.8, 69.6, 37.7)),
    "Gemma-3-4B-QAT": ((7, 18, 5, 29), (42.4, 58.3, 19.4, 78.3, 29.2)),
    "Qwen3-4B FIXED": ((10, 15, 8, 26), (42.4, 55.6, 27.8, 65.2, 37.0)),
    "LASSO": ((16, 14, 9, 20), (50.8, 64.0, 44.4, 60.9, 52.5)),
    "Random Forest": ((22, 12, 11, 14), (57.6, 66.7, 61.1, 52.2, 63.8)),
    "always yes": ((36, 0, 23, 0), (61.0, 61.0, 100.0, 0.0, 75.8)),
}
METRICS = ("accuracy", "precision", "recall", "specificity", "f1")
Y = np.repeat([1, 0], [36, 23])
ROWS = np.arange(59)


def judged(model: str, tp: int, tn: int, fp: int, fn: int, missing_yes: int = 0) -> Judged:
    """The model's answers on 36 yes and 23 no; `missing_yes` of its misses are no answers."""
    assert (tp + fn, tn + fp) == (36, 23)
    value = np.repeat([1.0, np.nan, 0.0, 1.0, 0.0], [tp, missing_yes, fn - missing_yes, fp, tn])
    score = np.where(np.isnan(value), 1.0 - Y, value)
    return Judged(model, "test", ROWS, score[None], value[None], 0.5)


@pytest.mark.parametrize("model", PUBLISHED)
def test_metrics_of_the_published_confusion_counts(model: str) -> None:
    (tp, tn, fp, fn), percents = PUBLISHED[model]
    found = table_measures(Counts(tp, fp, fn, tn, 0))
    assert tuple(round(100 * found[name], 1) for name in METRICS) == percents


def test_balance_gaps_of_the_two_llama_versions() -> None:
    for model, gap in (("Llama-3.2-3B-v2", 65.9), ("Llama-3.2-3B (10-23)", 3.4)):
        tp, tn, fp, fn = PUBLISHED[model][0]
        assert round(100 * table_measures(Counts(tp, fp, fn, tn, 0))["balance_gap"], 1) == gap


def test_first_anomaly_an_accuracy_beside_an_empty_table() -> None:
    """Qwen3: 42.4 % was printed beside a confusion table of zeros. Nothing parsed is nothing right."""
    nothing = Judged("qwen3", "test", ROWS, (1.0 - Y)[None], np.full((1, 59), np.nan), 0.5)
    rows = {r["metric"]: r for r in result_rows(nothing, Y, ROWS, {}, n_replicates=100, seed=0)}
    assert rows["accuracy"]["value"] == 0
    assert rows["parsed_rate"]["value"] == 0
    assert (rows["tp"]["value"], rows["fn"]["value"], rows["fp"]["value"]) == (0, 36, 23)
    assert rows["auroc"]["value"] == 0
    assert table_measures(Counts(0, 0, 0, 0, 0))["accuracy"] != pytest.approx(0.424)  # nan: undefined, not a number


def test_second_anomaly_a_recall_of_what_was_parsed() -> None:
    """The baseline of Mistral: 34 of 59 parsed, 21 right, "accuracy 52.5 %" and "recall 100 %". With all rows: 35.6 %."""
    value = np.full(59, np.nan)
    value[:21] = 1.0  # 21 yes that were said
    value[36:49] = 1.0  # 13 more answers, none of them right
    baseline = Judged("mistral_base", "test", ROWS, np.where(np.isnan(value), 1.0 - Y, value)[None], value[None], 0.5)
    rows = {r["metric"]: r["value"] for r in result_rows(baseline, Y, ROWS, {}, n_replicates=100, seed=0)}
    assert round(100 * rows["accuracy"], 1) == 35.6
    assert rows["parsed_rate"] == pytest.approx(34 / 59)
    assert round(100 * rows["recall"], 1) == 58.3


def test_deepseek_with_one_unparsed_row() -> None:
    one = judged("deepseek", 0, 23, 0, 36, missing_yes=1)
    rows = {r["metric"]: r["value"] for r in result_rows(one, Y, ROWS, {}, n_replicates=100, seed=0)}
    assert round(100 * rows["accuracy"], 1) == 39.0
    assert (rows["recall"], rows["specificity"], rows["f1"]) == (0, 1, 0)
    assert rows["parsed_rate"] == pytest.approx(58 / 59)


def test_no_model_of_the_published_table_beats_always_yes_and_that_is_said_first() -> None:
    constants = [judged("always_yes", 36, 0, 23, 0), judged("always_no", 0, 23, 0, 36)]
    models = [judged(name, *counts) for name, (counts, _) in PUBLISHED.items() if name != "always yes"]
    results = [r for one in [*constants, *models] for r in result_rows(one, Y, ROWS, {}, n_replicates=200, seed=0)]
    constant = common_constant(np.repeat([1, 0], [282, 179]))
    assert constant == "always_yes"
    gains = above_constant([*constants, *models], constant, Y, ROWS, n_replicates=200, seed=0)
    assert len(gains) == 11
    assert all(row["value"] < 0 and row["low"] < 0 for row in gains)
    pairs = comparison_rows([*constants, *models], Y)
    assert len(pairs) == 13 * 12 / 2
    said = conclusions([*results, *gains], pairs, constant, ["gone"])
    assert said[0].startswith("No model beats always yes (accuracy 61.0%, F1 75.8% on 59 test rows)")
    assert said[-1].startswith("Not judged")
    assert said[-1].endswith(": gone.")
    assert (
        said[-2]
        == "Recommendation: use none of them on these features; more patients or other features are needed first."
    )
    verdicts = {(r["model_a"], r["model_b"]): r["verdict"] for r in pairs}
    assert verdicts["Llama-3.2-3B-v2", "Random Forest"] == (
        "Llama-3.2-3B-v2 and Random Forest are not distinguishable on 59 rows"
    )


def test_a_model_that_is_better_is_called_so() -> None:
    good, poor = judged("good", 34, 21, 2, 2), judged("poor", 10, 18, 5, 26)
    constants = [judged("always_yes", 36, 0, 23, 0)]
    results = [r for one in [*constants, good, poor] for r in result_rows(one, Y, ROWS, {}, n_replicates=200, seed=0)]
    results += above_constant([*constants, good, poor], "always_yes", Y, ROWS, n_replicates=200, seed=0)
    pairs = comparison_rows([*constants, good, poor], Y)
    said = conclusions(results, pairs, "always_yes")
    assert said[0].startswith("1 of 2 models beat always yes")
    assert said[0].endswith(": good.")
    assert said[-1].startswith(
        "Recommendation: good, the simplest model that is not told apart from the best, to decide or to rank"
    )
    last = next(r for r in pairs if (r["model_a"], r["model_b"]) == ("good", "poor"))
    assert last["verdict"] == "good is right more often and good ranks better"
    assert last["mcnemar_p"] <= last["mcnemar_p_holm"] <= 1
