"""Figures of the applications and what they leave out; checks say in words what is wrong."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinical_assets.entities.applications import figures
from clinical_assets.entities.applications.figures import application_figures


@pytest.fixture
def connection() -> Any:
    with duckdb.connect() as made:
        made.execute("create schema applications")
        made.execute(
            "create table applications.published_drug_events as select 'imatinib' as drug_name, 'd' as drug_key, 'nausea' as event_name, "
            "'e' as event_key, 'notes' as source, 2.0 as ror, 1.5 as ror_low, 3.0 as ror_high, 0.4 as ic_low, 20 as n_a"
        )
        made.execute(
            "create table applications.monthly_counts as select 'notes' as source, 'drug' as domain, 'd' as entity_key, 'imatinib' as name, "
            "date '2024-01-01' + to_months(i::int) as month, i as n from range(24) t(i)"
        )
        made.execute(
            "create table applications.trend_alarms (source text, domain text, entity_key text, month date, window_months int, n int, "
            "is_alarm boolean, q_value double)"
        )
        yield made


def test_there_is_a_forest_plot_and_a_trend(connection: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, Any] = {}
    monkeypatch.setattr(
        figures,
        "trend_figure",
        lambda counts, alarms, **rest: drawn.update(counts=counts, alarms=alarms, **rest) or b"",
    )
    assert set(application_figures(connection, smallest=11)) == {"drug_event_pairs", "trend_alarms"}
    assert drawn["alarms"] == []
    assert "no alarms" in drawn["title"]
    connection.execute(
        "insert into applications.trend_alarms values ('notes', 'drug', 'd', '2025-12-01', 1, 23, true, 0.01)"
    )
    connection.execute(
        "insert into applications.trend_alarms values ('notes', 'drug', 'x', '2025-12-01', 1, 3, true, 0.001)"
    )
    application_figures(connection, smallest=11)
    assert drawn["alarms"] == [(dt.date(2025, 12, 1), 23)]  # the small one is not chosen


def test_small_months_are_gaps_and_nothing_is_no_failure(tmp_path: Path) -> None:
    png = figures.trend_figure(
        [(dt.date(2024, m, 1), n) for m, n in ((1, 0), (2, 5), (3, 20))], [], title="t", smallest=11
    )
    assert png.startswith(b"\x89PNG")
    assert figures.forest_figure([]).startswith(b"\x89PNG")
