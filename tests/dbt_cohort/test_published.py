"""What may be shown: the published tables of the demo hospital, audited cell by cell."""

from __future__ import annotations

import pytest

from clinical_assets.statistics.suppression import Sum, exposed

pytestmark = pytest.mark.slow

K = 11


def test_no_published_count_is_small(warehouse) -> None:
    columns = warehouse.execute(
        "select table_name, column_name from duckdb_columns() where schema_name = 'published' "
        "and (column_name = 'n' or column_name like 'n\\_%' escape '\\') and column_name <> 'n_sources'"
    ).fetchall()
    assert len(columns) > 15
    for table, column in columns:
        small = warehouse.execute(f"select count(*) from published.{table} where {column} between 1 and {K - 1}").fetchone()
        assert small == (0,), f"{table}.{column}"


def test_no_withheld_count_can_be_worked_out(warehouse) -> None:
    counts = dict(warehouse.execute("select cell, cast(n as bigint) from counts.cells").fetchall())
    groups: dict[tuple[str, str], list[str]] = {}
    for total, why, part in warehouse.execute("select total, why, part from counts.sums").fetchall():
        groups.setdefault((total, why), []).append(part)
    sums = [Sum(total, tuple(parts)) for (total, _), parts in groups.items()]
    never_shown = {row[0] for row in warehouse.execute("select cell from counts.cells where is_implied").fetchall()}
    withheld = never_shown | {row[0] for row in warehouse.execute("select cell from counts.withheld").fetchall()}
    assert exposed(counts, sums, withheld, k=K) == []
    assert len([n for n in counts.values() if 0 < n < K]) > 50


def test_what_is_published_is_exactly_what_is_not_withheld(warehouse) -> None:
    shown = warehouse.execute("""
        select concat_ws('|', 'demographics', population, characteristic, level), n from published.demographics
        union all select concat_ws('|', 'milestones', population, month, response), n from published.milestones
        union all select concat_ws('|', 'overlap', indication, sources), n from published.imatinib_overlaps
        union all select concat_ws('|', 'attrition', rule_order, 'n_dropped'), n_dropped from published.attrition
        union all select concat_ws('|', 'attrition', rule_order, 'n_after'), n_after from published.attrition
        union all select concat_ws('|', 'fields', population, labeller, field, 'true'), n_true from published.field_counts
        union all select concat_ws('|', 'imatinib', indication, source, 'n_both'), n_in_both from published.imatinib_sources
        union all select concat_ws('|', 'survival', population, outcome, years, 'n_events'), n_events from published.survival
    """).fetchall()
    counts = dict(warehouse.execute("select cell, cast(n as bigint) from counts.cells").fetchall())
    withheld = {row[0] for row in warehouse.execute("select cell from counts.withheld").fetchall()}
    assert len(shown) > 300
    for cell, n in shown:
        assert n == (None if cell in withheld else counts[cell]), cell


def test_percentages_follow_from_shown_counts_only(warehouse) -> None:
    rows = warehouse.execute("""
        select d.n, d.percent, t.n from published.demographics d
        join published.demographics t on t.population = d.population and t.characteristic = 'all'
    """).fetchall()
    for n, percent, total in rows:
        assert percent == (None if n is None or not total else pytest.approx(100 * n / total, abs=0.051))
    rows = warehouse.execute("select n_true, n_false, percent_true from published.field_counts").fetchall()
    assert any(percent is not None for *_, percent in rows)
    for n_true, n_false, percent in rows:
        if n_true is None or n_false is None or n_true + n_false == 0:
            assert percent is None
        else:
            assert percent == pytest.approx(100 * n_true / (n_true + n_false), abs=0.051)


def test_survival_estimates_are_withheld_with_their_counts(warehouse) -> None:
    rows = warehouse.execute("""
        select population, outcome, estimate, n_at_start is null or n_events is null or n_competing is null or n_censored is null or n_beyond is null
        from published.survival order by population, outcome, years
    """).fetchall()
    incomplete: set[tuple[str, str]] = set()
    for population, outcome, estimate, missing in rows:
        if missing:
            incomplete.add((population, outcome))
        if (population, outcome) in incomplete:
            assert estimate is None


def test_tables_cover_every_labeller_and_unknown_is_kept_apart(warehouse) -> None:
    assert {r[0] for r in warehouse.execute("select distinct labeller from published.field_counts").fetchall()} == {"regex", "regex_seed", "manual"}
    populations = {r[0] for r in warehouse.execute("select distinct population from published.demographics").fetchall()}
    assert populations == {
        "cml", "cohort", "seed_compatible", "imatinib in drug_exposure",
        "imatinib in note: regex", "imatinib in note: regex_seed", "imatinib in note: manual",
    }  # fmt: skip
    for characteristic in ("sex", "race", "ethnicity", "age at index"):
        assert ("unknown",) in warehouse.execute("select level from published.demographics where characteristic = ?", [characteristic]).fetchall()
    # The earlier labeller has no such field: no answer, never false.
    seed = warehouse.execute("select n_true, n_false, n_without_answer from published.field_counts where labeller = 'regex_seed' and field = 'cml_in_regression' and population = 'cml'").fetchone()
    assert seed == (0, 0, 320)


def test_other_indications_are_told_apart(warehouse) -> None:
    found = {r[0] for r in warehouse.execute("select distinct indication from cohort.imatinib_sources").fetchall()}
    assert {"chronic myeloid leukemia", "gastrointestinal stromal tumor", "acute lymphoid leukemia", "none recorded"} <= found
    n_gist, with_cml = warehouse.execute("""
        select count(distinct person_id) filter (indication = 'gastrointestinal stromal tumor'),
            count(distinct person_id) filter (indication = 'gastrointestinal stromal tumor' and person_id in (select person_id from cohort.cml_index))
        from cohort.imatinib_sources
    """).fetchone()
    assert n_gist > 20
    assert with_cml == 0


def test_every_table_and_column_is_explained(warehouse) -> None:
    for kind, query in {
        "table": "select schema_name || '.' || table_name from duckdb_tables() where coalesce(comment, '') = ''",
        "column": "select schema_name || '.' || table_name || '.' || column_name from duckdb_columns() where not internal and coalesce(comment, '') = ''",
    }.items():
        assert warehouse.execute(query).fetchall() == [], kind
