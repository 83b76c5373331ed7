"""Queries on the published warehouse, for people who may read it and nothing else."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

__all__ = ["QueryError", "QueryResult", "render", "run_query"]

_FORMULA_START = ("=", "+", "-", "@", "\t", "\r")


class QueryError(ValueError):
    """The query cannot be answered; the message says why and what is allowed."""


@dataclass(frozen=True)
class QueryResult:
    """Columns and at most `max_rows` rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]
    truncated: bool


def run_query(warehouse: Path, sql: str, *, max_rows: int) -> QueryResult:
    """Run one SELECT on a read-only, sandboxed connection: no other file, no network, no settings, bounded rows.

    Raises
    ------
    QueryError
        If there is no warehouse, the text is not exactly one reading statement, or DuckDB refuses it.
    """
    if not warehouse.exists():
        raise QueryError(f"no warehouse at {warehouse}: run `make run` (or `clinical-assets run`) first")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        connection.execute("set enable_external_access = false")
        connection.execute("set memory_limit = '2GB'")
        connection.execute("set lock_configuration = true")
        try:
            statements = connection.extract_statements(sql)
            allowed = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
            if len(statements) != 1 or statements[0].type not in allowed:
                raise QueryError("expected exactly one SELECT (or FROM, WITH, EXPLAIN, DESCRIBE, SHOW) statement")
            cursor = connection.execute(statements[0])
            rows = cursor.fetchmany(max_rows + 1)
            columns = [column[0] for column in cursor.description or []]
        except duckdb.Error as error:
            raise QueryError(str(error)) from None
    return QueryResult(columns, rows[:max_rows], truncated=len(rows) > max_rows)


def render(result: QueryResult, output: str) -> str:
    """Return the result as ``table``, ``csv`` or ``json``. CSV cells that a spreadsheet would execute are quoted with '."""
    if output == "json":
        return json.dumps([dict(zip(result.columns, row, strict=True)) for row in result.rows], default=str, indent=2)
    if output == "csv":
        sink = io.StringIO()
        writer = csv.writer(sink)
        writer.writerow(result.columns)
        writer.writerows([[_safe_cell(value) for value in row] for row in result.rows])
        return sink.getvalue().rstrip("\r\n")
    if output != "table":
        raise QueryError(f"unknown format {output!r}: expected table, csv or json")
    from rich.console import Console
    from rich.table import Table

    table = Table(header_style="bold")
    for name in result.columns:
        table.add_column(name, overflow="fold")  # a value that is cut is a wrong value
    for row in result.rows:
        table.add_row(*["" if value is None else str(value) for value in row])
    shown = Console()
    # into a file or a pipe a row is a line, however long
    width = max(100, shown.width) if shown.is_terminal else 100_000
    console = Console(record=True, file=io.StringIO(), width=width)
    console.print(table)
    return console.export_text().rstrip()


def _safe_cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA_START) else value
