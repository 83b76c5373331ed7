"""Labellers against gold: what counts as wrong, on which notes, by which rule, and what the seed study's numbers really say."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clinical_assets.labels.evaluation import N_REPLICATES, SEED, evaluation_table, summary_table
from clinical_assets.labels.thresholds import reliability_table, thresholds_table
from clinical_assets.statistics.bootstrap import bootstrap_metrics, interval, intervals
from clinical_assets.statistics.calibration import choose_threshold, ece, fit_platt

ITEMS = pa.schema(
    [
        ("labeller", pa.string()), ("note_id", pa.int64()), ("person_id", pa.int64()), ("field", pa.string()),
        ("split", pa.string()), ("in_scope", pa.bool_()), ("gold", pa.bool_()), ("value", pa.bool_()),
        ("probability", pa.float32()), ("status", pa.string()),
    ]
)  # fmt: skip
NO_THRESHOLDS = thresholds_table(ITEMS.empty_table())


def items(rows: list[dict[str, Any]]) -> pa.Table:
    filled = [
        {"labeller": "a", "field": "f", "split": "test", "in_scope": True, "probability": None, "status": "labelled",
         "person_id": 100 + row["note_id"]} | row
        for row in rows
    ]  # fmt: skip
    return pa.Table.from_pylist(filled, schema=ITEMS)


def rows_of(table: pa.Table, **where: Any) -> list[dict[str, Any]]:
    return [row for row in table.to_pylist() if all(row[name] == value for name, value in where.items())]


def one(table: pa.Table, **where: Any) -> dict[str, Any]:
    (row,) = rows_of(table, **where)
    return row


def simulated(seed: int = 0, n: int = 240) -> pa.Table:
    """Two models (one says too often true) and a rule that also answers outside the scope; persons have two notes each."""
    random, rows = np.random.default_rng(seed), []
    for note in range(n):
        split = ("train", "validation", "test")[note // 2 % 3]
        for field, prevalence in (("common", 0.6), ("rare", 0.15)):
            gold, in_scope = bool(random.random() < prevalence), note < n * 3 // 4
            base = {
                "note_id": note,
                "person_id": note // 2,
                "field": field,
                "split": split,
                "in_scope": in_scope,
                "gold": gold,
            }
            rows.append(base | {"labeller": "rule", "value": bool(gold ^ (random.random() < 0.1))})
            for model, shift in (("llm_even", 0.0), ("llm_eager", 2.0)):
                if in_scope:
                    p = float(np.float32(1 / (1 + np.exp(-((3 if gold else -3) + shift + random.normal() * 2)))))
                    rows.append(base | {"labeller": model, "value": p >= 0.5, "probability": p})
    return items(rows)


def test_missing_is_wrong_and_counted_apart() -> None:
    found = one(
        evaluation_table(
            items(
                [
                    {"note_id": 1, "gold": True, "value": True},
                    {"note_id": 2, "gold": True, "value": None, "status": "parse_error"},
                    {"note_id": 3, "gold": False, "value": None, "status": "no_answer"},
                    {"note_id": 4, "gold": False, "value": False},
                    {"note_id": 5, "gold": None, "value": None, "status": "parse_error"},
                ]
            ),
            NO_THRESHOLDS,
        ),
        note_set="scope",
    )
    assert [found[name] for name in ("tp", "fp", "fn", "tn", "n", "n_positive")] == [1, 1, 1, 1, 4, 2]
    assert (found["n_missing"], found["n_parse_error"], found["n_gold_disagree"]) == (2, 1, 1)
    assert (found["accuracy"], found["majority_baseline"], found["kappa"]) == (0.5, 0.5, 0.0)


def test_note_sets_and_rules() -> None:
    table = simulated()
    found = evaluation_table(table, thresholds_table(table))
    sets = {(row["labeller"], row["note_set"], row["rule"]) for row in found.to_pylist()}
    in_scope = {
        (who, which, "default")
        for who in ("rule", "llm_even", "llm_eager")
        for which in ("scope", "validation", "test")
    }
    tuned = {(who, which, "tuned") for who in ("llm_even", "llm_eager") for which in ("validation", "test")}
    assert sets == in_scope | tuned | {("rule", "annotated", "default")}
    n = {row["note_set"]: row["n"] for row in rows_of(found, labeller="rule", field="common")}
    assert n == {"scope": 180, "validation": 60, "test": 60, "annotated": 240}


def test_limits_are_those_of_drawing_persons_and_the_order_of_rows_is_nothing() -> None:
    table = simulated()
    thresholds = thresholds_table(table)
    found = evaluation_table(table, thresholds)
    row = one(found, labeller="llm_eager", field="rare", note_set="scope")
    mine = sorted(
        (r for r in table.to_pylist() if r["labeller"] == "llm_eager" and r["field"] == "rare"),
        key=lambda r: r["note_id"],
    )
    limits = bootstrap_metrics(
        [r["gold"] for r in mine],
        [r["value"] for r in mine],
        [r["person_id"] for r in mine],
        n_replicates=N_REPLICATES,
        seed=SEED,
    )
    for name in ("f1", "precision", "recall", "mcc", "kappa"):
        assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx(limits[name])
        assert row[f"{name}_low"] <= row[name] <= row[f"{name}_high"]
    shuffled = table.take(np.random.default_rng(1).permutation(table.num_rows))
    assert evaluation_table(shuffled, thresholds_table(shuffled)).equals(found)


def test_tuned_is_the_threshold_chosen_on_validation() -> None:
    table = simulated()
    thresholds = thresholds_table(table)
    of = [r for r in table.to_pylist() if r["labeller"] == "llm_eager" and r["field"] == "rare" and r["in_scope"]]
    part = {split: [r for r in of if r["split"] == split] for split in ("validation", "test")}
    gold, probability = ([r[name] for r in part["validation"]] for name in ("gold", "probability"))
    row = one(thresholds, labeller="llm_eager", field="rare")
    assert row["threshold"] == choose_threshold(gold, probability) > 0.5
    platt = fit_platt(gold, probability)
    assert (row["platt_intercept"], row["platt_slope"]) == pytest.approx((platt.intercept, platt.slope), rel=1e-4)
    test_gold, test = ([r[name] for r in part["test"]] for name in ("gold", "probability"))
    assert row["ece_after"] == pytest.approx(ece(test_gold, platt.apply(test)), abs=1e-4)
    assert row["brier_after"] < row["brier_before"]
    found = evaluation_table(table, thresholds)
    tuned = one(found, labeller="llm_eager", field="rare", note_set="test", rule="tuned")
    assert tuned["tp"] == sum(r["gold"] and r["probability"] >= row["threshold"] for r in part["test"])
    default = one(found, labeller="llm_eager", field="rare", note_set="validation", rule="default")
    assert one(found, labeller="llm_eager", field="rare", note_set="validation", rule="tuned")["f1"] >= default["f1"]


def test_an_answer_without_a_probability_stands_as_it_is() -> None:
    table = items(
        [{"note_id": 1, "gold": True, "value": True}, {"note_id": 2, "gold": True, "value": False, "probability": 0.2}]
        + [{"note_id": 3, "gold": False, "value": None, "status": "truncated"}]
    )
    thresholds = thresholds_table(table)
    row = one(thresholds)
    assert (row["threshold"], row["is_chosen"], row["platt_slope"], row["ece_after"]) == (0.5, False, None, None)
    assert (row["n_validation"], row["n_test"]) == (0, 1)
    tuned = one(evaluation_table(table, thresholds), note_set="test", rule="tuned")
    assert (tuned["tp"], tuned["fn"], tuned["fp"], tuned["n_missing"]) == (1, 1, 1, 1)


def test_macro_f1_is_over_the_same_fields_for_all() -> None:
    rows = []
    for note in range(20):
        for field, gold in (("some", note < 8), ("never", False)):
            rows += [
                {"labeller": "careful", "note_id": note, "field": field, "gold": gold, "value": gold},
                {"labeller": "eager", "note_id": note, "field": field, "gold": gold, "value": True},
            ]
    found = summary_table(items(rows), NO_THRESHOLDS)
    careful, eager = (one(found, labeller=name, note_set="scope") for name in ("careful", "eager"))
    assert careful["n_fields_with_positives"] == eager["n_fields_with_positives"] == 1
    assert (careful["macro_f1"], careful["macro_f1_low"], careful["missing_share"]) == (1.0, 1.0, 0.0)
    assert eager["macro_f1"] == pytest.approx(2 * 8 / (2 * 8 + 12))
    assert eager["micro_precision"] == pytest.approx(8 / 40)
    assert eager["macro_f1_low"] < eager["macro_f1"] < eager["macro_f1_high"]
    never = one(evaluation_table(items(rows), NO_THRESHOLDS), labeller="careful", field="never", note_set="scope")
    assert (never["f1"], never["recall"], never["f1_low"], never["mcc"]) == (None, None, None, None)


def test_nothing_to_judge_gives_empty_tables() -> None:
    nothing = ITEMS.empty_table()
    assert evaluation_table(nothing, NO_THRESHOLDS).num_rows == summary_table(nothing, NO_THRESHOLDS).num_rows == 0
    assert reliability_table(nothing, NO_THRESHOLDS).num_rows == 0
    undecided = items([{"note_id": 1, "gold": None, "value": True}])
    row = one(evaluation_table(undecided, NO_THRESHOLDS), note_set="scope")
    assert (row["n"], row["n_gold_disagree"], row["f1"], row["prevalence"]) == (0, 1, None, None)
    assert one(summary_table(undecided, NO_THRESHOLDS), note_set="scope")["missing_share"] is None


def test_two_answers_for_one_note_and_field_are_refused() -> None:
    with pytest.raises(ValueError, match="two answers"):
        evaluation_table(
            items([{"note_id": 1, "gold": True, "value": value} for value in (True, False)]), NO_THRESHOLDS
        )


def test_reliability_bins_hold_every_test_answer() -> None:
    table = simulated()
    thresholds = thresholds_table(table)
    bins = reliability_table(table, thresholds)
    for scale in ("as_given", "platt"):
        assert sum(row["n"] for row in rows_of(bins, labeller="llm_eager", field="all", scale=scale)) == 120
    mine = rows_of(bins, labeller="llm_eager", field="rare", scale="as_given")
    error = sum(row["n"] * abs(row["observed"] - row["mean_probability"]) for row in mine if row["n"]) / 60
    assert error == pytest.approx(one(thresholds, labeller="llm_eager", field="rare")["ece_before"])


def test_many_intervals_are_each_the_one() -> None:
    random = np.random.default_rng(0)
    drawn = random.normal(size=(101, 3, 2))
    drawn[random.random(drawn.shape) < 0.3] = np.nan
    drawn[:, 0, 0], drawn[:60, 1, 1] = np.nan, np.nan
    low, high = intervals(drawn)
    for at in np.ndindex(3, 2):
        np.testing.assert_allclose([low[at], high[at]], interval(drawn[(slice(None), *at)]), rtol=1e-12)
    assert np.isnan(intervals(np.zeros((0, 2)))[0]).all()


def test_the_published_accuracy_of_the_seed_study_is_chance() -> None:
    """Its tuned model against its gold as it paired them (84 notes, 8 fields): 4 true positives, 39 false, 58 missed.

    86 % accuracy, less than the 91 % of always saying no; agreement beyond chance is nil.
    """
    cells = [(True, True)] * 4 + [(False, True)] * 39 + [(True, False)] * 58 + [(False, False)] * (84 * 8 - 4 - 39 - 58)
    rows = [{"note_id": i, "person_id": i % 84, "gold": gold, "value": value} for i, (gold, value) in enumerate(cells)]
    found = one(evaluation_table(items(rows), NO_THRESHOLDS), note_set="scope")
    correct = [69, 65, 63, 76, 76, 81, 64, 81]  # per field, published
    assert found["n"] == 672
    assert found["tp"] + found["tn"] == sum(correct)
    assert found["accuracy"] == pytest.approx(0.8557, abs=1e-4)
    assert found["majority_baseline"] == pytest.approx(0.9077, abs=1e-4)
    assert found["kappa"] == pytest.approx(0.001, abs=5e-4)
    assert found["kappa_low"] < 0 < found["kappa_high"]
    assert found["mcc"] == pytest.approx(0.001, abs=1e-3)
    assert found["f1"] == pytest.approx(2 * 4 / (2 * 4 + 39 + 58))
