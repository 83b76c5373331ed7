"""Agreement of labellers, their consensus, and what goes to a human."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from clinical_assets.labels.consensus import consensus_table
from clinical_assets.labels.evaluation import N_REPLICATES, SEED
from clinical_assets.labels.label_agreement import agreement_table, overall_table
from clinical_assets.labels.review_queue import is_audited, priorities, review_queue_table
from clinical_assets.statistics.agreement import bootstrap_agreement, fleiss_kappa, holm, mcnemar_exact, pair_agreement
from clinical_assets.statistics.dawid_skene import dawid_skene

ANSWERS = pa.schema(
    [
        ("labeller", pa.string()), ("note_id", pa.int64()), ("person_id", pa.int64()), ("field", pa.string()),
        ("value", pa.bool_()), ("probability", pa.float32()), ("status", pa.string()), ("is_unsupported", pa.bool_()),
    ]
)  # fmt: skip
FIELDS = ("f", "g")
ERRORS = {"manual": 0.0, "regex": 0.1, "llm_x": 0.2, "llm_y": 0.3}


def answers(rows: list[dict[str, Any]]) -> pa.Table:
    filled = [
        {
            "field": "f",
            "probability": None,
            "status": "labelled",
            "is_unsupported": False,
            "person_id": row["note_id"] // 2,
        }
        | row
        for row in rows
    ]
    return pa.Table.from_pylist(filled, schema=ANSWERS)


@pytest.fixture(scope="module")
def simulated() -> tuple[pa.Table, dict[tuple[str, str], np.ndarray]]:
    """Answers on 150 notes, some missing (nan, without a row or with a status), and the same as arrays."""
    random, rows, values = np.random.default_rng(3), [], {}
    for field in FIELDS:
        truth = random.random(150) < 0.4
        for labeller, error in ERRORS.items():
            value = (truth ^ (random.random(150) < error)).astype(float)
            if labeller != "manual":
                value[random.random(150) < 0.05] = np.nan
            values[labeller, field] = value
            for note, said in enumerate(value):
                if np.isnan(said):
                    rows += [
                        {"labeller": labeller, "note_id": note, "field": field, "value": None, "status": "parse_error"}
                    ] * (note % 2)
                else:
                    rows.append({"labeller": labeller, "note_id": note, "field": field, "value": bool(said)})
    order = random.permutation(len(rows))
    return answers([rows[i] for i in order]), values


def test_every_pair_is_what_the_statistics_say(simulated) -> None:
    table, values = simulated
    found = agreement_table(table).to_pylist()
    assert len(found) == 6 * 2
    persons = np.arange(150) // 2
    for row in found:
        a, b = (values[row[f"labeller_{side}"], row["field"]] for side in "ab")
        assert row["labeller_a"] < row["labeller_b"]
        expected, limits = (
            pair_agreement(a, b),
            bootstrap_agreement(a, b, persons, n_replicates=N_REPLICATES, seed=SEED),
        )
        assert (row["n"], row["a_only"], row["b_only"]) == (expected.n, expected.a_only, expected.b_only)
        for name, (low, high) in limits.items():
            assert row[name] == pytest.approx(getattr(expected, name))
            assert (row[f"{name}_low"], row[f"{name}_high"]) == pytest.approx((low, high))
        gold = values["manual", row["field"]]
        if "manual" in (row["labeller_a"], row["labeller_b"]):
            assert (row["n_gold"], row["mcnemar_p"], row["mcnemar_p_holm"], row["a_right_only"]) == (
                0,
                None,
                None,
                None,
            )
        else:
            both = ~np.isnan(a) & ~np.isnan(b)
            only_a, only_b = (
                int((both & (a == gold) & (b != gold)).sum()),
                int((both & (b == gold) & (a != gold)).sum()),
            )
            assert (row["n_gold"], row["a_right_only"], row["b_right_only"]) == (both.sum(), only_a, only_b)
            assert row["mcnemar_p"] == pytest.approx(mcnemar_exact(only_a, only_b))
    of_pair = [row for row in found if (row["labeller_a"], row["labeller_b"]) == ("llm_y", "regex")]
    assert [row["mcnemar_p_holm"] for row in of_pair] == pytest.approx(
        holm([row["mcnemar_p"] for row in of_pair]).tolist()
    )


def test_overall_is_fleiss_of_the_machines(simulated) -> None:
    table, values = simulated
    for row in overall_table(table).to_pylist():
        ratings = np.stack([values[name, row["field"]] for name in ("llm_x", "llm_y", "regex")], axis=1)
        assert row["n_labellers"] == 3
        assert row["n"] == (~np.isnan(ratings).any(axis=1)).sum()
        assert row["fleiss_kappa"] == pytest.approx(fleiss_kappa(ratings))
        assert row["fleiss_kappa_low"] < row["fleiss_kappa"] < row["fleiss_kappa_high"]


def test_consensus_is_dawid_and_skene_of_the_machines(simulated) -> None:
    table, values = simulated
    names = ("llm_x", "llm_y", "regex")
    found = consensus_table(table).to_pylist()
    for field in FIELDS:
        fitted = dawid_skene(np.stack([values[name, field] for name in names], axis=1))
        rows = {row["labeller"]: row for row in found if row["field"] == field}
        assert sorted(rows) == list(names)
        for i, name in enumerate(names):
            assert rows[name]["sensitivity"] == pytest.approx(fitted.sensitivity[i])
            assert rows[name]["n"] == (~np.isnan(values[name, field])).sum()
    two = table.filter(pa.compute.not_equal(table["labeller"], "llm_y"))
    assert consensus_table(two).num_rows == 0
    assert set(review_queue_table(two)["consensus_probability"].to_pylist()) == {None}


def test_reasons_and_order_of_the_queue() -> None:
    def said(note: int, labeller: str, value: bool | None, **more: Any) -> dict[str, Any]:
        return {"note_id": note, "labeller": labeller, "value": value} | more

    quiet = next(note for note in range(100, 1000) if not is_audited(note, "f"))
    drawn = next(note for note in range(100, 1000) if is_audited(note, "f"))
    rows = [
        said(1, "llm_x", True, probability=0.99), said(1, "regex", False),
        said(2, "llm_x", True, probability=0.6), said(2, "regex", True),
        said(3, "llm_x", None, status="parse_error"), said(3, "regex", True),
        said(4, "llm_x", True, probability=0.99, is_unsupported=True), said(4, "regex", True),
        said(5, "llm_x", True, probability=0.51), said(5, "regex", False), said(5, "manual", True),
        said(quiet, "llm_x", True, probability=0.99), said(quiet, "regex", True),
        said(drawn, "llm_x", False, probability=0.01), said(drawn, "regex", False),
    ]  # fmt: skip
    found = {row["note_id"]: row for row in review_queue_table(answers(rows)).to_pylist()}
    reasons = {note: row["reason"] for note, row in found.items()}
    assert reasons == {
        1: "disagreement", 2: "low_margin", 3: "missing", 4: "unsupported_evidence", 5: "disagreement", drawn: "random_audit",
    }  # fmt: skip
    assert sorted(found, key=lambda note: found[note]["rank"]) == [1, 3, 2, 4, drawn, 5]
    assert found[1]["priority"] == pytest.approx(1 + (1 - 2 * 0.49) / 2)
    assert (found[3]["n_true"], found[3]["n_false"], found[3]["n_missing"]) == (1, 0, 1)
    assert found[5]["has_gold"]
    assert not found[1]["has_gold"]
    assert (found[3]["smallest_margin"], found[2]["smallest_margin"]) == (None, pytest.approx(0.1))


def test_priority_grows_with_each_doubt() -> None:
    certain, split, unsure, failed, unfounded = priorities(
        [3, 2, 3, 2, 3], [0, 1, 0, 0, 0], [0, 0, 0, 1, 0], [0.5, 0.5, 0.1, 0.5, 0.5], [0, 0, 0, 0, 3]
    )
    assert certain == 0
    assert split == pytest.approx(0.9183, abs=1e-4)
    assert unsure == pytest.approx(0.4)
    assert failed == pytest.approx(1 / 3)
    assert unfounded == pytest.approx(0.5)
    assert priorities([0], [0], [0], [np.nan], [0]) == [0]


def test_the_audit_is_two_percent_and_stays() -> None:
    drawn = [note for note in range(20_000) if is_audited(note, "f")]
    assert 0.017 < len(drawn) / 20_000 < 0.023
    assert drawn[:3] == [note for note in range(drawn[2] + 1) if is_audited(note, "f")]


def test_nothing_to_compare() -> None:
    nothing = ANSWERS.empty_table()
    assert [
        make(nothing).num_rows for make in (agreement_table, overall_table, consensus_table, review_queue_table)
    ] == [0] * 4
    alone = answers([{"labeller": "regex", "note_id": 1, "value": True}])
    assert agreement_table(alone).num_rows == 0
    assert overall_table(alone).to_pylist()[0]["fleiss_kappa"] is None
    human = answers([{"labeller": "manual", "note_id": 1, "value": True}])
    assert overall_table(human).to_pylist()[0]["n_labellers"] == 0
    assert review_queue_table(human).num_rows == 0
