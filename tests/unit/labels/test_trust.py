"""Every verdict on a batch's labels holds where it should and fails where it should."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clinical_assets.labels.model_labels import audited
from clinical_assets.labels.trust import Verdict, trust_in
from clinical_assets.storage.contracts import LABELS, NOTES
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study

TABLE = "labels/llm_fake"
FIELDS = ("apple", "pear")
STEADY, KNOWN, COVERED, RARE, MISSES = (
    "label_rates_are_steady", "every_label_has_a_known_note", "every_note_in_scope_is_labelled", "failures_are_rare",
    "the_cascade_misses_little",
)  # fmt: skip


def study(**labelling: Any) -> Study:
    fields = [{"name": name, "definition": f"Speaks of {name}.", "terms": [name]} for name in FIELDS]
    fields.append({"name": "by_rules", "definition": "Not asked.", "terms": ["x"], "ask_models": False})
    return Study.model_validate({"name": "fruit", "schema_version": "1", "fields": fields, "labelling": labelling})


def row(note_id: int, field: str = "apple", value: bool | None = False, **changed: Any) -> dict[str, Any]:
    return {
        "note_id": note_id, "note_sha256": f"sha{note_id}", "labeller": "llm_fake", "model_revision": "r", "adapter_sha": "",
        "prompt_sha": "p", "schema_version": "1", "decoding": "d", "person_id": note_id, "batch": "b", "field": field,
        "value": value, "status": "labelled", "labelled_at": datetime.now(UTC), "run_id": "x",
    } | changed  # fmt: skip


class Bench:
    def __init__(self, lake: Lake) -> None:
        self.lake = lake

    def notes(self, ids: Iterable[int], batch: str = "b") -> None:
        rows = [
            {
                "note_id": k, "person_id": k, "note_date": date(2020, 1, 1), "text": "t", "text_sha256": f"sha{k}", "n_chars": 1,
                "status": "usable", "batch": batch, "source_file_sha256": "f", "ingested_at": datetime.now(UTC),
            }
            for k in ids
        ]  # fmt: skip
        self.lake.write("notes/notes", pa.Table.from_pylist(rows, schema=NOTES), NOTES, batch=batch)

    def labels(self, rows: Iterable[dict[str, Any]], batch: str = "b") -> None:
        self.lake.write(TABLE, pa.Table.from_pylist(list(rows), schema=LABELS), LABELS, batch=batch)

    def judge(self, scope: Iterable[int], **labelling: Any) -> dict[str, Verdict]:
        return trust_in(self.lake, TABLE, "b", study(**labelling), list(scope))


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(Lake(tmp_path))


def whole(ids: Iterable[int], **changed: Any) -> list[dict[str, Any]]:
    return [row(k, field, **changed) for k in ids for field in FIELDS]


def test_a_whole_batch_passes_every_rule(bench: Bench) -> None:
    bench.notes(range(1, 6))
    bench.labels(whole(range(1, 5)))
    verdicts = bench.judge(range(1, 5))
    assert {name: v.passed for name, v in verdicts.items()} == dict.fromkeys(
        (KNOWN, COVERED, RARE, STEADY, MISSES), True
    )
    assert verdicts[KNOWN].numbers == {"n_unexpected": 0, "n_labels": 8}
    assert verdicts[COVERED].numbers == {"n_missing": 0, "n_notes_in_scope": 4, "coverage": 1.0}


def test_an_empty_batch_passes(bench: Bench) -> None:
    bench.notes([])
    bench.labels([])
    assert all(verdict.passed for verdict in bench.judge([]).values())


@pytest.mark.parametrize("orphan", [row(9), row(1, note_sha256="old")], ids=["unknown note", "old text"])
def test_a_label_of_an_unknown_note_or_text_is_found(bench: Bench, orphan: dict[str, Any]) -> None:
    bench.notes([1, 2])
    bench.labels([*whole([1, 2]), orphan])
    verdict = bench.judge([1, 2])[KNOWN]
    assert (verdict.passed, verdict.numbers) == (False, {"n_unexpected": 1, "n_labels": 5})


@pytest.mark.parametrize(
    ("labels", "n_missing"),
    [
        (whole([1, 2]), 2),
        ([*whole([1, 2]), row(3)], 1),
        ([*whole([1, 2]), row(3), row(3, "other")], 1),
        ([*whole([1, 2]), *whole([3], note_sha256="old")], 2),
    ],
    ids=["a note", "a field", "an unknown field instead", "an old text"],
)
def test_a_gap_in_the_scope_is_counted(bench: Bench, labels: list[dict[str, Any]], n_missing: int) -> None:
    bench.notes([1, 2, 3, 4])
    bench.labels(labels)
    verdict = bench.judge([1, 2, 3])[COVERED]
    assert not verdict.passed
    assert verdict.numbers == {"n_missing": n_missing, "n_notes_in_scope": 3, "coverage": round(1 - n_missing / 6, 6)}


def test_a_note_in_scope_that_is_not_in_the_batch_is_a_gap(bench: Bench) -> None:
    bench.notes([1])
    bench.labels(whole([1]))
    verdict = bench.judge([1, 2])[COVERED]
    assert (verdict.passed, verdict.numbers["n_missing"], verdict.numbers["coverage"]) == (False, 2, 0.5)


def test_a_label_out_of_scope_does_not_make_up_for_a_gap_in_it(bench: Bench) -> None:
    bench.notes([1, 2, 3])
    bench.labels(whole([1, 3]))
    verdict = bench.judge([1, 2])[COVERED]
    assert (verdict.passed, verdict.numbers["n_missing"], verdict.numbers["coverage"]) == (False, 2, 0.5)


@pytest.mark.parametrize("status", ["parse_error", "truncated", "too_long", "unavailable"])
def test_one_failure_in_a_hundred_is_rare_two_are_not(bench: Bench, status: str) -> None:
    bench.notes(range(1, 201))
    for n, passed in ((2, True), (3, False)):
        failed = {k: {"value": None, "status": status} for k in range(1, n + 1)}
        bench.labels([row(k, **failed.get(k, {})) for k in range(1, 201)])
        verdict = bench.judge(range(1, 201))[RARE]
        assert verdict.passed == passed
        assert verdict.numbers == {
            "n_failed": n, "n_labels": 200, "rate": n / 200, "n_labelled": 200 - n, f"n_{status}": n,
        }  # fmt: skip


def test_notes_without_text_are_neither_failures_nor_hide_them(bench: Bench) -> None:
    bench.notes(range(1, 400))
    empty = [row(k, value=None, status="no_text") for k in range(10, 400)]
    bench.labels([row(1), *empty])
    assert bench.judge([1])[RARE].passed
    bench.labels([row(1), row(2, value=None, status="truncated"), *empty])
    assert bench.judge([1])[RARE].numbers["rate"] == 0.5


def with_rate(n: int, true: int) -> list[dict[str, Any]]:
    return [row(k, value=k <= true) for k in range(1, n + 1)] + [row(k, "pear", k % 2 == 0) for k in range(1, n + 1)]


def test_a_rate_unlike_that_of_the_batches_before_is_told(bench: Bench) -> None:
    bench.notes(range(1, 101))
    bench.labels(with_rate(100, 20), "a1")
    bench.labels(with_rate(100, 24), "a2")
    bench.labels(with_rate(100, 25))
    verdict = bench.judge(range(1, 101))[STEADY]
    assert (verdict.passed, verdict.numbers) == (True, {"n_changed": 0, "n_batches_before": 2})
    bench.labels(with_rate(100, 60))
    verdict = bench.judge(range(1, 101))[STEADY]
    assert (verdict.passed, verdict.numbers["n_changed"]) == (False, 1)
    assert verdict.numbers["apple"].startswith("0.220 -> 0.600 (n 100, p ")


def test_only_the_ten_batches_before_are_compared_and_only_labels_with_a_value(bench: Bench) -> None:
    bench.notes(range(1, 101))
    bench.labels(with_rate(100, 0), "a00")
    for k in range(1, 11):
        bench.labels(with_rate(10, 6), f"a{k:02}")
    bench.labels(with_rate(100, 0), "z-after")
    unread = [row(k, value=None, status="no_text") for k in range(1_000, 2_000)]
    bench.labels([*with_rate(100, 60), *unread])
    verdict = bench.judge(range(1, 101))[STEADY]
    assert (verdict.passed, verdict.numbers["n_batches_before"]) == (True, 10)


def test_a_batch_without_any_value_has_no_rate(bench: Bench) -> None:
    bench.notes([1])
    bench.labels(with_rate(100, 60), "a1")
    bench.labels(whole([1], value=None, status="no_text"))
    assert bench.judge([1])[STEADY].numbers == {"n_changed": 0, "n_batches_before": 1}


def test_without_the_cascade_it_misses_nothing(bench: Bench) -> None:
    bench.notes([1])
    bench.labels(whole([1], value=True, mentioned=False))
    assert bench.judge([1])[MISSES] == Verdict(True, {"cascade": "off"}, "")


def test_the_misses_of_the_cascade_are_estimated_from_the_audit_sample_alone(bench: Bench) -> None:
    share = 0.25
    sample = [k for k in range(1, 2_000) if audited(k, share)][:200]
    rest = [k for k in range(1, 2_000) if not audited(k, share)]
    bench.notes(range(1, 2_000))
    noise = [
        *[row(k, value=True, mentioned=False) for k in rest],  # not in the sample
        *[row(k, "pear", True, mentioned=True) for k in sample],  # mentioned
        row(sample[0], "by_rules", True, mentioned=False, reason="cascade:no_mention"),  # settled, not read
        row(sample[1], "by_rules", None, mentioned=None, status="parse_error"),
    ]
    bench.labels([*(row(k, value=i < 3, mentioned=False) for i, k in enumerate(sample)), *noise])
    verdict = bench.judge(sample, cascade=True, audit_share=share)[MISSES]
    assert verdict.passed
    numbers = verdict.numbers
    assert (numbers["n_audited"], numbers["n_missed"], numbers["miss_rate"]) == (200, 3, 0.015)
    # Clopper-Pearson, from tables
    assert (numbers["low_95"], numbers["high_95"]) == (pytest.approx(0.0031, abs=1e-4), pytest.approx(0.0432, abs=1e-4))


def test_misses_fail_only_when_they_are_surely_more_than_two_in_a_hundred(bench: Bench) -> None:
    ids = range(1, 201)
    bench.notes(ids)
    for missed, passed in ((7, True), (10, False)):
        bench.labels([row(k, value=k <= missed, mentioned=False) for k in ids])
        verdict = bench.judge(ids, cascade=True, audit_share=1.0)[MISSES]
        assert (verdict.passed, verdict.numbers["n_missed"]) == (passed, missed)
        assert (verdict.numbers["low_95"] <= 0.02) == passed
        assert verdict.numbers["miss_rate"] > 0.02


def test_without_an_audit_sample_nothing_is_claimed(bench: Bench) -> None:
    bench.notes([1])
    bench.labels([row(1, mentioned=True, value=True)])
    verdict = bench.judge([1], cascade=True, audit_share=1.0)[MISSES]
    assert verdict.passed
    assert (verdict.numbers["n_audited"], verdict.numbers["low_95"], verdict.numbers["high_95"]) == (0, 0.0, 1.0)


def test_every_verdict_says_how_to_mend(bench: Bench) -> None:
    bench.notes([1])
    bench.labels(whole([1]))
    assert all(verdict.mend for verdict in bench.judge([1], cascade=True).values())
