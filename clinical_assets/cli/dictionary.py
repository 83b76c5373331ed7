"""The data dictionary: every table and column of the warehouse with its comment, as Markdown."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

import duckdb

__all__ = ["dictionary_markdown", "write_dictionary"]

_SQL = """
select c.schema_name, c.table_name, t.comment as table_comment, c.column_name, lower(c.data_type) as data_type, c.comment
from duckdb_columns() as c
inner join duckdb_tables() as t using (database_name, schema_name, table_name)
where not c.internal
order by c.schema_name, c.table_name, c.column_index
"""


def dictionary_markdown(warehouse: Path) -> tuple[str, int]:
    """Return the dictionary and its number of columns."""
    if not warehouse.exists():
        raise FileNotFoundError(f"no warehouse at {warehouse}: run `make run` first")
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        rows = connection.execute(_SQL).fetchall()
    lines = [
        "# Data dictionary",
        "",
        "Every table and column of `warehouse/clinical.duckdb`. Written by `clinical-assets dictionary` from the comments in the",
        "file itself, which come from the dbt project; change them there.",
    ]
    for (schema, table, comment), columns in groupby(rows, key=lambda row: row[:3]):
        lines += [
            "",
            f"## {schema}.{table}",
            "",
            f"{comment or ''}",
            "",
            "| column | type | meaning |",
            "|---|---|---|",
        ]
        lines += [f"| `{name}` | {type_} | {(text or '').replace('|', '/')} |" for *_, name, type_, text in columns]
    return "\n".join(lines) + "\n", len(rows)


def write_dictionary(warehouse: Path, output: Path) -> int:
    """Write the dictionary to `output` and return its number of columns."""
    text, n_columns = dictionary_markdown(warehouse)
    output.parent.mkdir(parents=True, exist_ok=True)
    output.write_text(text, encoding="utf-8")
    return n_columns
