"""One dbt build of the warehouse: what must stand around the dbt command, free of Dagster.

A private copy gets views on the landed OMOP tables and on the lake; dbt turns them into tables; the views go; the copy is
published. Everything that dbt needs to know travels in environment variables for the length of the build.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb

from clinical_assets.cohort.lake_views import create_lake_views
from clinical_assets.cohort.omop_landing import CdmTable, create_landing_views
from clinical_assets.cohort.parameters import create_parameters_table
from clinical_assets.entities.applications.trials import create_trials_table
from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.warehouse import Warehouse

__all__ = ["dbt_build_arguments", "warehouse_build"]


# Where only a part is built, a test that also needs another part waits for it.
_CAUTIOUS = ("--indirect-selection", "cautious")


def dbt_build_arguments(variables: Mapping[str, Any], *, with_tests: bool = True) -> list[str]:
    """Return the arguments of the dbt command. Never ``--quiet``: it would silence the events that carry metadata."""
    return [
        "build",
        "--no-use-colors",
        "--log-level-file",
        "none",
        *(_CAUTIOUS if with_tests else ("--exclude-resource-type", "test")),
        "--vars",
        json.dumps(variables, sort_keys=True),
    ]


@contextlib.contextmanager
def warehouse_build(
    warehouse: Warehouse,
    lake: Lake,
    omop_landing: Path,
    tables: Sequence[CdmTable],
    variables: Mapping[str, Any],
    *,
    run_id: str,
) -> Iterator[tuple[Path, Mapping[str, bool]]]:
    """Yield the folder of a private copy for dbt to build in, and which OMOP tables landed; publish it at the end.

    Raises
    ------
    OmopLandingError
        Before dbt starts, if the landed snapshot lacks a required table or column.
    """
    # The input views hold paths of this machine and would follow files that change: they are not published.
    finish = ["drop schema landing cascade", "drop schema lake cascade"]
    with warehouse.rewrite(run_id, finish=finish) as private:
        with duckdb.connect(str(private)) as connection:
            landed = create_landing_views(connection, omop_landing, tables)
            create_parameters_table(connection, variables)
            create_trials_table(connection, omop_landing.parent / "trials", variables.get("trials", ()))
            create_lake_views(connection, lake, LAKE_TABLES)
        environment = {
            "DBT_ENV_SECRET_CLINICAL_DATABASE": str(private),
            "DBT_ENV_SECRET_CLINICAL_TEMP": str(private.parent / "temp"),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DBT_LOG_PATH": str(private.parent),
            # numpy sets these while it is imported and then deletes them, in one thread of dbt, while another one copies the
            # environment and fails over what has just gone.
            "OPENBLAS_MAIN_FREE": "1",
            "GOTOBLAS_MAIN_FREE": "1",
        }
        with _environment(environment):
            yield private.parent, landed


@contextlib.contextmanager
def _environment(values: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
