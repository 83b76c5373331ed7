"""What the figures of the labellers show and withhold, read from a small warehouse."""

from __future__ import annotations

import duckdb
import pytest

from clinical_assets.labels import evaluation_figures
from clinical_assets.labels.evaluation_figures import label_figures


@pytest.fixture
def connection():
    with duckdb.connect() as made:
        made.execute("create schema labels")
        made.execute(
            "create table labels.evaluation (labeller text, field text, note_set text, rule text, n bigint, n_positive bigint, "
            "f1 double, f1_low double, f1_high double)"
        )
        made.execute(
            "create table labels.label_reliability (labeller text, field text, scale text, bin integer, n bigint, "
            "mean_probability double, observed double, lower double, upper double)"
        )
        made.execute(
            "create table labels.agreement (labeller_a text, labeller_b text, field text, n bigint, cohen_kappa double)"
        )
        yield made


def test_an_empty_warehouse_has_no_figures(connection) -> None:
    assert label_figures(connection, smallest=11) == {}


def test_small_numbers_are_withheld(connection, monkeypatch) -> None:
    connection.execute(
        "insert into labels.evaluation values ('a', 'many', 'scope', 'default', 100, 40, 0.8, 0.7, 0.9), "
        "('a', 'few', 'scope', 'default', 100, 3, 0.55, 0.1, 0.9), ('a', 'full', 'scope', 'default', 100, 95, 0.9, 0.8, 1), "
        "('a', 'none', 'scope', 'default', 100, 0, 0, null, null), ('a', 'many', 'test', 'tuned', 100, 40, 0.1, 0.1, 0.1)"
    )
    connection.execute(
        "insert into labels.label_reliability values ('a', 'all', 'as_given', 1, 90, 0.1, 0.2, 0.1, 0.3), "
        "('a', 'all', 'as_given', 10, 10, 0.9, 0.8, 0.5, 1), ('a', 'all', 'platt', 1, 100, 0.1, 0.1, 0, 1)"
    )
    connection.execute(
        "insert into labels.agreement values ('a', 'b', 'many', 100, 0.6), ('a', 'b', 'more', 100, 0.4), ('a', 'b', 'few', 5, 0), "
        "('a', 'b', 'none', 100, null)"
    )
    seen, notes = {}, {}
    for name in ("forest_figure", "reliability_figure", "pairs_figure"):
        real = getattr(evaluation_figures, name)
        monkeypatch.setattr(
            evaluation_figures,
            name,
            lambda *a, _n=name, _r=real, **k: (seen.update({_n: a}), notes.update({_n: k["note"]}), _r(*a, **k))[2],
        )
    figures = label_figures(connection, smallest=11)
    assert list(figures) == ["label_f1_scope", "label_reliability", "label_agreement"]
    assert all(png.startswith(b"\x89PNG") for png in figures.values())
    labels, series = seen["forest_figure"]
    assert labels == ["many\n(40 true of 100)"]
    assert series == {"a": [(0.8, 0.7, 0.9)]}
    assert notes["forest_figure"].splitlines()[1:] == [
        "Not drawn: few (<11 true or false of 100; withheld)",
        "Not drawn: full (<11 true or false of 100; withheld)",
        "Not drawn: none (none true of 100)",
    ]
    panel = seen["reliability_figure"][0]["a"]
    assert (panel.n, len(panel.points), panel.ece) == (100, 1, pytest.approx(0.1))
    assert seen["pairs_figure"] == (["a", "b"], {("a", "b"): (pytest.approx(0.5), "2 fields")})
