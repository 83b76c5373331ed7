"""A part of the warehouse: a build of all its tables and tests takes most of a minute, and few tests look at more than some of them."""

from __future__ import annotations

from fnmatch import fnmatch

import dagster as dg

JOB = "build_warehouse_job"


def part(defs: dg.Definitions, *tables: str) -> list[dg.AssetKey]:
    """Return the assets of the build that make these (names with wildcards, e.g. ``labels/regex_*``) and what they are made of."""
    held = defs.resolve_job_def(JOB).asset_layer.selected_asset_keys
    asked = {key for key in held if any(fnmatch(key.to_user_string(), name) for name in tables)}
    assert asked, f"no table is named like {tables}"
    above = (
        dg.AssetSelection.assets(*asked).upstream().required_multi_asset_neighbors().resolve(defs.resolve_asset_graph())
    )
    return sorted(above & held)


def build(
    defs: dg.Definitions, instance: dg.DagsterInstance, *tables: str, raises: bool = True
) -> dg.ExecuteInProcessResult:
    """Build these tables, and what they are made of, with their tests."""
    return defs.resolve_job_def(JOB).execute_in_process(
        instance=instance, asset_selection=part(defs, *tables), raise_on_error=raises
    )
