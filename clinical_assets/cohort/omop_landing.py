"""OMOP CDM snapshots in ``landing/omop``: which tables landed, are they complete, and a DuckDB view on each.

The columns, types and which of them must be there are the dbt sources (``dbt_cohort/models/staging/_landing__sources.yml``);
nothing here repeats them. A snapshot is ``<table>.parquet``, ``<table>.csv`` (or ``.csv.gz``), or a folder ``<table>/`` of such files.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

__all__ = [
    "CdmColumn",
    "CdmTable",
    "OmopLandingError",
    "cdm_tables",
    "create_landing_views",
    "reader_of",
    "snapshot_digest",
    "snapshot_files",
]

_FORMATS = (".parquet", ".csv", ".csv.gz")


class OmopLandingError(ValueError):
    """A landed OMOP snapshot cannot be used; the message says what, where, what was expected and how to mend it."""


@dataclass(frozen=True)
class CdmColumn:
    """One column that staging reads."""

    name: str
    type: str
    required: bool


@dataclass(frozen=True)
class CdmTable:
    """One landed table that dbt reads; `folder` is relative to landing/omop (human labels land beside it)."""

    name: str
    required: bool
    columns: tuple[CdmColumn, ...]
    folder: str = "."


def cdm_tables(manifest: Mapping[str, Any]) -> tuple[CdmTable, ...]:
    """Return the landed tables that the dbt project reads, from its manifest."""
    sources = (source for source in manifest["sources"].values() if source["source_name"] == "landing")
    return tuple(
        CdmTable(
            name=source["name"],
            required=bool(source["meta"].get("required")),
            columns=tuple(
                CdmColumn(column["name"], column["data_type"], bool(column["meta"].get("required")))
                for column in source["columns"].values()
            ),
            folder=source["meta"].get("folder", "."),
        )
        for source in sorted(sources, key=lambda source: source["name"])
    )


def snapshot_files(folder: Path, table: str) -> list[Path]:
    """Return the files of a table's snapshot in name order; empty if it did not land.

    Raises
    ------
    OmopLandingError
        If the table landed in two ways, or a folder mixes formats: neither can be preferred silently.
    """
    loose = [path for path in (folder / f"{table}{suffix}" for suffix in _FORMATS) if path.is_file()]
    inside = folder / table
    if inside.is_dir():
        parts = sorted(
            p for p in inside.iterdir() if p.is_file() and p.name.endswith(_FORMATS) and not p.name.startswith(".")
        )
        if len({_format(p) for p in parts}) > 1:
            raise OmopLandingError(f"{inside}: parquet and csv files mixed; keep one format per table")
        if parts and loose:
            raise OmopLandingError(
                f"{folder}: table {table} landed both as {loose[0].name} and as folder {table}/; keep one"
            )
        return parts
    if len(loose) > 1:
        raise OmopLandingError(
            f"{folder}: table {table} landed as {', '.join(p.name for p in loose)}; keep one of them"
        )
    return loose


def snapshot_digest(files: Sequence[Path]) -> str:
    """Return the SHA-256 over the files' names and bytes: what Dagster shows as the snapshot's data version."""
    digest = hashlib.sha256()
    for path in files:
        with open(path, "rb") as handle:
            digest.update(path.name.encode() + b"\0" + hashlib.file_digest(handle, "sha256").digest())
    return digest.hexdigest()


def create_landing_views(
    connection: duckdb.DuckDBPyConnection, folder: Path, tables: Sequence[CdmTable]
) -> dict[str, bool]:
    """Create schema ``landing`` with one view per OMOP table, every declared column present (null where it did not land).

    Returns
    -------
    dict
        Table -> whether it landed. A table that is not required and did not land is a view without rows; so is every
        table of a landing folder that holds none of them yet.

    Raises
    ------
    OmopLandingError
        If a required table or column is missing, or a file cannot be read.
    """
    found = {table.name: snapshot_files(folder / table.folder, table.name) for table in tables}
    missing = [table.name for table in tables if table.required and not found[table.name]]
    if missing and any(found[table.name] for table in tables if table.folder == "."):
        raise OmopLandingError(
            f"{folder}: required OMOP tables are missing: {', '.join(missing)}. Expected one of "
            f"<table>{', <table>'.join(_FORMATS)} or a folder <table>/ for each; export them from the CDM and drop them there."
        )
    connection.execute("create schema if not exists landing")
    for table in tables:
        connection.execute(f"create or replace view landing.{table.name} as {_select(table, found[table.name])}")
    return {name: bool(files) for name, files in found.items()}


def _select(table: CdmTable, files: list[Path]) -> str:
    if not files:
        columns = ", ".join(f"cast(null as {column.type}) as {column.name}" for column in table.columns)
        return f"select {columns} where false"
    landed = {name.lower(): name for path in files for name in _column_names(path)}
    missing = [column.name for column in table.columns if column.required and column.name not in landed]
    if missing:
        raise OmopLandingError(
            f"{files[0]}: OMOP table {table.name} lacks required columns {', '.join(missing)}; found {', '.join(sorted(landed))}. "
            f"Rename or add them in the export (CDM 5.3 and 5.4 names are accepted)."
        )
    columns = ", ".join(
        f"{_identifier(landed[column.name])} as {column.name}"
        if column.name in landed
        else f"cast(null as {column.type}) as {column.name}"
        for column in table.columns
    )
    return f"select {columns} from {reader_of(files)}"


def reader_of(files: Sequence[Path]) -> str:
    """Return the DuckDB table function that reads landed files of one table, as they are."""
    names = "[" + ", ".join(_literal(str(path)) for path in files) + "]"
    if _format(files[0]) == "parquet":
        return f"read_parquet({names}, union_by_name = true, hive_partitioning = false)"
    return f"read_csv({names}, header = true, all_varchar = true, union_by_name = true, hive_partitioning = false)"


def _column_names(path: Path) -> list[str]:
    try:
        if _format(path) == "parquet":
            return list(pq.read_schema(path).names)
        opener = gzip.open if path.name.endswith(".gz") else open
        with opener(path, "rt", encoding="utf-8-sig", newline="") as handle:
            return next(csv.reader(handle), [])
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError, csv.Error) as error:
        raise OmopLandingError(
            f"{path}: cannot be read as {_format(path)} ({type(error).__name__}); export the table again. The old warehouse stands."
        ) from None


def _format(path: Path) -> str:
    return "parquet" if path.name.endswith(".parquet") else "csv"


def _identifier(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
