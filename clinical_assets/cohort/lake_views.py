"""DuckDB views on the lake for dbt: every batch of a table, without text of notes, lists of offsets, vectors."""

from __future__ import annotations

from collections.abc import Mapping

import duckdb
import pyarrow as pa

from clinical_assets.storage.lake import Lake

__all__ = ["create_lake_views"]

_TEXT = frozenset({"text", "raw_text", "offset_map", "spans", "vector", "normalised"})


def create_lake_views(connection: duckdb.DuckDBPyConnection, lake: Lake, tables: Mapping[str, pa.Schema]) -> None:
    """Create schema ``lake`` with one view per lake table, named as dbt's sources name it.

    ``notes/<table>`` is ``lake.<table>``; any other ``<schema>/<table>`` is ``lake.<schema>_<table>``. Files are listed
    by name, so a batch that lands during the build cannot appear in one table and not in another. The tables of the language
    models stand together: labels in ``lake.labels_models``, summaries in ``lake.summaries_written``.
    """
    connection.execute("create schema if not exists lake")
    for table, schema in tables.items():
        subject, name = table.split("/")
        view = name if subject == "notes" else f"{subject}_{name}"
        kept = [column for column in schema.names if column not in _TEXT]
        if "raw_text" in schema.names:
            # Human labels name the text that landed, which normalisation may have changed.
            kept.append("raw_text")
        columns = ", ".join(_column(column) for column in kept)
        parts = [part for part in lake.members(table) if part not in tables]
        if not lake.is_local:
            # DuckDB reads object stores only through an extension that must be downloaded; pyarrow needs none.
            connection.register(
                "landed",
                pa.concat_tables(
                    [lake.read_all(name, kept) for name in (table, *parts) if name == table or lake.batches(name)]
                ),
            )
            connection.execute(f"create or replace table lake.{view} as select {columns} from landed")
            connection.unregister("landed")
            continue
        paths = lake.files(table)
        for other in parts:
            paths += [lake.path(other, batch) for batch in lake.batches(other)]
        files = "[" + ", ".join("'" + path.replace("'", "''") + "'" for path in paths) + "]"
        connection.execute(
            f"create or replace view lake.{view} as select {columns} "
            f"from read_parquet({files}, union_by_name = true, hive_partitioning = false)"
        )


def _column(name: str) -> str:
    """Return the select item for a column: text itself never passes, only its digest."""
    return "coalesce(sha256(raw_text), text_sha256) as landed_sha256" if name == "raw_text" else f'"{name}"'
