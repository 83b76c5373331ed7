"""Queries read the warehouse and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from clinical_assets.cli.dictionary import dictionary_markdown
from clinical_assets.cli.query import QueryError, render, run_query


@pytest.fixture
def warehouse(tmp_path: Path) -> Path:
    path = tmp_path / "clinical.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("create schema s; create table s.t as select range as i, '=cmd' as word from range(10)")
        connection.execute(
            "comment on table s.t is 'Ten rows'; comment on column s.t.i is 'A | number'; comment on column s.t.word is 'A word'"
        )
    return path


def test_rows_are_capped_and_it_is_said(warehouse: Path) -> None:
    result = run_query(warehouse, "select i from s.t order by i", max_rows=3)
    assert (result.columns, result.rows, result.truncated) == (["i"], [(0,), (1,), (2,)], True)
    assert not run_query(warehouse, "from s.t", max_rows=10).truncated


@pytest.mark.parametrize(
    "sql",
    [
        "delete from s.t", "create table x as select 1", "copy s.t to '/tmp/x.csv'", "attach '/tmp/x.duckdb'", "install httpfs", "load httpfs",
        "select 1; drop table s.t", "set enable_external_access = true", "pragma database_list; select 1", "insert into s.t values (1, 'a')", "", "select",
    ],
)  # fmt: skip
def test_anything_but_one_reading_statement_is_refused(warehouse: Path, sql: str) -> None:
    before = warehouse.read_bytes()
    with pytest.raises(QueryError):
        run_query(warehouse, sql, max_rows=10)
    assert warehouse.read_bytes() == before


@pytest.mark.parametrize(
    "sql",
    [
        "from read_csv('/etc/passwd')", "from read_text('/etc/passwd')", "from '/etc/passwd'", "from glob('/etc/*')",
        "from read_parquet('https://example.org/x.parquet')", "select getenv('HOME')",
    ],
)  # fmt: skip
def test_no_other_file_and_no_network_is_reached(warehouse: Path, sql: str) -> None:
    with pytest.raises(QueryError):
        run_query(warehouse, sql, max_rows=10)


@pytest.mark.parametrize(
    "sql", ["describe s.t", "show all tables", "explain select 1", "with x as (select 1 as a) from x", "summarize s.t"]
)
def test_looking_around_is_allowed(warehouse: Path, sql: str) -> None:
    assert run_query(warehouse, sql, max_rows=10).rows


def test_no_warehouse_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(QueryError, match=r"no warehouse at .*nope.duckdb: run `make run`"):
        run_query(tmp_path / "nope.duckdb", "select 1", max_rows=1)


def test_formats_and_cells_that_a_spreadsheet_would_execute(warehouse: Path) -> None:
    result = run_query(warehouse, "from s.t limit 1", max_rows=5)
    assert render(result, "csv").splitlines() == ["i,word", "0,'=cmd"]
    assert json.loads(render(result, "json")) == [{"i": 0, "word": "=cmd"}]
    assert "word" in render(result, "table")
    with pytest.raises(QueryError, match="expected table, csv or json"):
        render(result, "xml")


def test_no_value_of_a_table_is_cut(warehouse: Path) -> None:
    long = "x" * 300
    shown = render(run_query(warehouse, f"select '{long}' as a, 'end' as b", max_rows=5), "table")
    assert long in shown
    assert "end" in shown


def test_the_dictionary_holds_every_column_with_its_comment(warehouse: Path) -> None:
    text, n_columns = dictionary_markdown(warehouse)
    assert n_columns == 2
    assert "## s.t\n\nTen rows" in text
    assert "| `i` | bigint | A / number |" in text
