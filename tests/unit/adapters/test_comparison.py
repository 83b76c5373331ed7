"""Base and adapter on the same notes: numbers against scikit-learn, limits against drawing by hand, and when it is refused."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, precision_score, recall_score

from clinical_assets.adapters.comparison import ALL_FIELDS, comparison_rows, verdict_of

FIELDS = ("a", "b", "c")


def answers(n: int, right_base: float, right_adapter: float, seed: int = 0, per_person: int = 2) -> pa.Table:
    """Random gold, and two raters that are right that often."""
    rng = np.random.default_rng(seed)
    rows = []
    for note in range(n):
        for k, field in enumerate(FIELDS):
            gold = bool(rng.random() < (0.5, 0.3, 0.2)[k])
            for variant, share in (("base", right_base), ("adapter", right_adapter)):
                value = gold if rng.random() < share else not gold
                rows.append((variant, note, note // per_person, field, gold, value))
    return table(rows)


def table(rows: list[tuple[str, int, int, str, bool | None, bool | None]]) -> pa.Table:
    names = ("variant", "note_id", "person_id", "field", "gold", "value")
    return pa.table({name: [row[i] for row in rows] for i, name in enumerate(names)})


def test_every_number_is_what_scikit_learn_says() -> None:
    given = answers(120, 0.7, 0.9)
    rows = {row["field"]: row for row in comparison_rows(given)}
    frame = given.to_pandas()
    for field in FIELDS:
        for variant in ("base", "adapter"):
            part = frame[(frame.field == field) & (frame.variant == variant)].sort_values("note_id")
            gold, value = part.gold.astype(bool), part.value.astype(bool)
            expected = {
                "precision": precision_score(gold, value),
                "recall": recall_score(gold, value),
                "f1": f1_score(gold, value),
                "kappa": cohen_kappa_score(gold, value),
                "accuracy": accuracy_score(gold, value),
            }
            for metric, number in expected.items():
                assert rows[field][f"{variant}_{metric}"] == pytest.approx(number)
        for metric in ("precision", "recall", "f1", "kappa", "accuracy"):
            change = rows[field][f"adapter_{metric}"] - rows[field][f"base_{metric}"]
            assert rows[field][f"{metric}_difference"] == pytest.approx(change)
            assert rows[field][f"{metric}_difference_low"] < change < rows[field][f"{metric}_difference_high"]
    macro = [np.mean([rows[field][f"{variant}_f1"] for field in FIELDS]) for variant in ("base", "adapter")]
    assert rows[ALL_FIELDS]["f1_difference"] == pytest.approx(macro[1] - macro[0])


def test_limits_are_those_of_drawing_persons_with_replacement() -> None:
    given = answers(80, 0.7, 0.85, seed=3)
    row = next(row for row in comparison_rows(given) if row["field"] == "a")
    frame = given.to_pandas()
    frame = frame[frame.field == "a"].pivot(index="note_id", columns="variant", values=["value", "gold", "person_id"])
    rng, drawn = np.random.default_rng(1), []
    persons = frame[("person_id", "base")].to_numpy()
    for _ in range(1_500):
        chosen = rng.choice(np.unique(persons), np.unique(persons).size)
        index = np.concatenate([np.flatnonzero(persons == person) for person in chosen])
        part = frame.iloc[index]
        gold = part[("gold", "base")].astype(bool)
        change = [f1_score(gold, part[("value", variant)].astype(bool)) for variant in ("base", "adapter")]
        drawn.append(change[1] - change[0])
    low, high = np.quantile(drawn, [0.025, 0.975])
    assert row["f1_difference_low"] == pytest.approx(low, abs=0.02)
    assert row["f1_difference_high"] == pytest.approx(high, abs=0.02)


def test_mcnemar_looks_at_the_notes_that_only_one_has_right() -> None:
    rows = []
    for note in range(20):
        gold = note % 2 == 0
        rows += [
            ("base", note, note, "a", gold, gold if note < 5 else not gold),
            ("adapter", note, note, "a", gold, gold),
        ]
    found = comparison_rows(table(rows))[0]
    assert (found["n_only_base_right"], found["n_only_adapter_right"]) == (0, 15)
    assert found["p_mcnemar"] == pytest.approx(2 * 0.5**15)


def test_an_answer_that_is_missing_is_wrong_and_unknown_gold_is_left_out() -> None:
    rows = [
        ("base", 1, 1, "a", True, None),
        ("adapter", 1, 1, "a", True, True),
        ("base", 2, 2, "a", None, True),
        ("adapter", 2, 2, "a", None, True),
        ("base", 3, 3, "a", False, False),
        ("adapter", 3, 3, "a", False, None),
    ]
    found = comparison_rows(table(rows))[0]
    assert found["n"] == 2
    assert (found["base_fn"], found["base_n_missing"], found["base_tn"]) == (1, 1, 1)
    assert (found["adapter_tp"], found["adapter_fp"], found["adapter_n_missing"]) == (1, 1, 1)


def test_a_better_adapter_is_promoted_a_worse_and_an_equal_one_are_not() -> None:
    better = verdict_of(comparison_rows(answers(150, 0.7, 0.95)))
    assert better.promotable
    assert better.low > 0
    assert better.reasons == ()
    assert better.n_above_adapter >= better.n_above_base
    for right in (0.6, 0.75):
        refused = verdict_of(comparison_rows(answers(150, 0.75, right, seed=5)))
        assert not refused.promotable
        assert "macro F1" in refused.reasons[0]


def test_an_adapter_that_loses_a_field_to_the_majority_is_refused_however_much_it_gains() -> None:
    rows = []
    for note in range(200):
        gold = note % 10 == 0  # "false" is right in 90 %: the base is right once more than that, the adapter once less
        rows += [("base", note, note, "a", gold, note == 0)]
        rows += [("adapter", note, note, "a", gold, note % 20 == 0 or note in range(1, 23, 2))]
    verdict = verdict_of(comparison_rows(table(rows)))
    assert verdict.low > 0
    assert (verdict.n_above_base, verdict.n_above_adapter, verdict.n_fields) == (1, 0, 1)
    assert not verdict.promotable
    assert "commoner answer" in verdict.reasons[-1]


def test_two_sets_of_notes_are_not_compared() -> None:
    with pytest.raises(ValueError, match="the same notes"):
        comparison_rows(table([("base", 1, 1, "a", True, True), ("adapter", 2, 2, "a", True, True)]))
