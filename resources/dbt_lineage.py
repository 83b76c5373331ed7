"""Column lineage of tables that dbt built, kept per compiled SQL: reading it out of the SQL takes longer than building the table."""

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt.core.dbt_cli_event import EventHistoryMetadata, _build_column_lineage_metadata
from dagster_dbt.core.dbt_cli_invocation import DbtCliInvocation
from sqlglot.errors import SqlglotError

__all__ = ["column_lineage"]

_KEY = "dagster/column_lineage"
_Columns = Mapping[str, Mapping[str, str]]


def column_lineage(
    node: Mapping[str, Any],
    columns: _Columns,
    parents: Mapping[str, _Columns],
    invocation: DbtCliInvocation,
    kept: Path,
) -> dict[str, Any]:
    """Return the metadata that says which columns of its parents a table's columns come from; empty where there is none.

    Parameters
    ----------
    node
        The model in dbt's manifest, with its SQL in the invocation's target folder.
    columns, parents
        Columns of the table, and of its parents by relation name, each with its data type.
    kept
        Folder of what was read before, one file a model; it may be deleted at any time.
    """
    sql = invocation.target_path / "compiled" / node["package_name"] / node["original_file_path"]
    if not sql.is_file():
        return {}
    types = {
        name: {c: column["data_type"] for c, column in of.items()} for name, of in {**parents, "": columns}.items()
    }
    digest = hashlib.sha256(json.dumps([sql.read_text(encoding="utf-8"), types], sort_keys=True).encode()).hexdigest()
    file = kept / f"{node['unique_id']}.json"
    if (known := _read(file, digest)) is not None:
        return known
    try:
        found = _lineage(node, columns, parents, invocation)
    except SqlglotError:
        # a table that stands must not be lost for SQL that only DuckDB reads: it goes without lineage
        found = {}
    _write(file, digest, found)
    return found


def _lineage(
    node: Mapping[str, Any], columns: _Columns, parents: Mapping[str, _Columns], invocation: DbtCliInvocation
) -> dict[str, Any]:
    return _build_column_lineage_metadata(
        event_history_metadata=EventHistoryMetadata(columns=dict(columns), parents=dict(parents)),  # type: ignore[arg-type]
        dbt_resource_props=dict(node),
        manifest=invocation.manifest,
        dagster_dbt_translator=invocation.dagster_dbt_translator,
        target_path=invocation.target_path,
        project=invocation.project,
    )


def _read(file: Path, digest: str) -> dict[str, Any] | None:
    try:
        known = json.loads(file.read_text(encoding="utf-8"))
        if known["digest"] != digest:
            return None
        deps = {
            column: [dg.TableColumnDep(dg.AssetKey(path), name) for path, name in of] for column, of in known["deps"]
        }
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return {_KEY: dg.TableColumnLineage(deps)} if deps else {}


def _write(file: Path, digest: str, found: Mapping[str, Any]) -> None:
    lineage = found.get(_KEY)
    deps = getattr(getattr(lineage, "column_lineage", lineage), "deps_by_column", None) or {}
    said = [[column, [[list(dep.asset_key.path), dep.column_name] for dep in of]] for column, of in deps.items()]
    file.parent.mkdir(parents=True, exist_ok=True)
    # Several builds may end at once, each with the same.
    private = file.with_name(f".{file.name}.{os.getpid()}")
    private.write_text(json.dumps({"digest": digest, "deps": said}), encoding="utf-8")
    os.replace(private, file)
