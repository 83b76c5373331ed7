"""Targets: who is judged, by which mean, and what the checks say."""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from clinical_assets.summaries.evaluation.checks import _result
from clinical_assets.summaries.evaluation.targets import TARGETS, reached

_ROWS = [
    # summarizer, variant, metric, macro, micro
    (
        "first",
        "summary",
        "retention_entities_vs_source",
        0.2,
        0.2,
    ),  # a first stage shortens nobody's summary: not judged
    ("good", "summary", "compression_tokens_vs_first_stage", 0.6, 0.7),
    ("good", "summary", "retention_entities_vs_source", 0.85, 0.1),
    ("good", "summary", "hallucinated_numbers", 0.0, 0.0),
    ("good", "lead", "retention_entities_vs_source", 0.3, 0.3),
    ("bad", "summary", "compression_tokens_vs_first_stage", 0.61, 0.5),
    ("bad", "summary", "retention_entities_vs_source", None, None),  # nothing to keep anywhere: no verdict
    ("bad", "summary", "hallucinated_numbers", 0.0, 0.01),
]


@pytest.fixture
def connection():
    with duckdb.connect() as connection:
        connection.execute("create schema summaries")
        connection.execute(
            "create table summaries.metrics (summarizer varchar, variant varchar, metric varchar, macro double, micro double, "
            "macro_low double, macro_high double, micro_low double, micro_high double, n_defined bigint)"
        )
        connection.executemany("insert into summaries.metrics values (?, ?, ?, ?, ?, 0, 1, 0.1, 0.9, 5)", _ROWS)
        yield connection


def test_only_those_that_shorten_are_judged_and_each_by_its_mean(connection) -> None:
    found = {(one.summarizer, one.target.metric): one for one in reached(connection)}
    assert {key: one.is_met for key, one in found.items()} == {
        ("good", "compression_tokens_vs_first_stage"): True,
        ("good", "retention_entities_vs_source"): True,
        ("good", "hallucinated_numbers"): True,
        ("bad", "compression_tokens_vs_first_stage"): False,
        ("bad", "hallucinated_numbers"): False,
    }
    one = found["bad", "hallucinated_numbers"]
    assert (one.value, one.low, one.high) == (0.01, 0.1, 0.9)


def test_a_check_warns_and_names_every_value(connection) -> None:
    target = next(target for target in TARGETS if target.metric == "hallucinated_numbers")
    result = _result(target, [one for one in reached(connection) if one.target == target])
    assert not result.passed
    assert result.severity == dg.AssetCheckSeverity.WARN
    assert "bad" in (result.description or "")
    assert result.metadata["values"].value["good"]["macro"] == 0.0
    assert result.metadata["n_missed"].value == 1
    assert _result(target, []).passed  # nobody shortens anything
