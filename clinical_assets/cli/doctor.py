"""What would stop the platform on this machine, each with its fix. Looks; changes nothing."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Literal

from pydantic_settings import BaseSettings

from clinical_assets.settings import Settings

__all__ = ["Finding", "diagnose"]

_FREE_BYTES = 5 << 30


@dataclass(frozen=True)
class Finding:
    """One thing looked at: its state, what was found, and the fix where there is one to make."""

    name: str
    state: Literal["ok", "warn", "fail"]
    found: str
    fix: str = ""


def diagnose() -> list[Finding]:
    """Return the findings, in the order in which they should be mended."""
    findings: list[Finding] = []
    looks: tuple[Callable[[], Iterator[Finding]], ...] = (
        _python, _pins, _settings, _disk, _study, _gpu, _landing, _lake, _warehouse, _daemon, _telemetry,
    )  # fmt: skip
    for look in looks:
        try:
            findings.extend(look())
        except Exception as error:  # noqa: BLE001 - a doctor that dies of the disease helps nobody
            findings.append(
                Finding(look.__name__.strip("_"), "fail", f"could not be looked at: {type(error).__name__}: {error}")
            )
    return findings


def _python() -> Iterator[Finding]:
    version = ".".join(map(str, sys.version_info[:3]))
    ok = sys.version_info[:2] == (3, 11)
    yield Finding(
        "python",
        "ok" if ok else "fail",
        version,
        "" if ok else "Install Python 3.11 and run `make clean-venv install`.",
    )


def _pins() -> Iterator[Finding]:
    wanted = (
        requirement.split(";")[0].strip()
        for requirement in metadata.requires("clinical-assets") or ()
        if "extra ==" not in requirement
    )
    wrong = []
    for requirement in wanted:
        name, _, version = requirement.partition("==")
        if not version:
            continue
        try:
            found = metadata.version(name).split("+")[0]
        except metadata.PackageNotFoundError:
            found = "missing"
        if found != version:
            wrong.append(f"{name} {found}, expected {version}")
    yield Finding(
        "packages",
        "fail" if wrong else "ok",
        "; ".join(wrong) or "all pins as declared",
        "pip install -e . in the project's folder" if wrong else "",
    )
    dbt = Path(sys.executable).with_name("dbt")
    yield Finding(
        "dbt",
        "ok" if dbt.exists() else "fail",
        str(dbt),
        "" if dbt.exists() else "pip install -e . in the project's folder",
    )


def _settings() -> Iterator[Finding]:
    settings = Settings()
    from clinical_assets.serving.settings import ServingSettings

    settings_of: dict[str, type[BaseSettings]] = {"CLINICAL_": Settings, "CLINICAL_SERVE_": ServingSettings}
    known = {f"{prefix}{name.upper()}" for prefix, of in settings_of.items() for name in of.model_fields} | {
        "CLINICAL_PUBLIC_DATA",
        "CLINICAL_DBT_MEMORY",
    }
    unknown = sorted(name for name in os.environ if name.startswith("CLINICAL_") and name not in known)
    yield Finding("data folder", "ok", str(settings.data))
    if unknown:
        yield Finding("environment", "warn", f"unknown: {', '.join(unknown)}", f"Known are {', '.join(sorted(known))}.")


def _disk() -> Iterator[Finding]:
    folder = Settings().data
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    ok = free >= _FREE_BYTES
    yield Finding(
        "disk",
        "ok" if ok else "warn",
        f"{free / 1e9:.1f} GB free at {folder}",
        "" if ok else "Free some space, or set CLINICAL_DATA to a larger disk.",
    )


def _study() -> Iterator[Finding]:
    from clinical_assets.adapters.chain import check_settings
    from clinical_assets.language_models.catalogue import load_catalogue
    from clinical_assets.study.load import load_study

    settings = Settings()
    study = load_study(settings.study)
    check_settings(study, load_catalogue(settings.catalogue).for_task("adapters", "labels"))
    yield Finding("study", "ok", f"{study.name}, {len(study.fields)} fields")


def _gpu() -> Iterator[Finding]:
    import torch

    if torch.cuda.is_available():
        free, total = torch.cuda.mem_get_info()
        yield Finding("gpu", "ok", f"{torch.cuda.get_device_name()}, {free / 1e9:.0f} of {total / 1e9:.0f} GB free")
    else:
        yield Finding("gpu", "ok", "none: models run on the CPU (profile demo)")


def _landing() -> Iterator[Finding]:
    landing = Settings().landing
    for name in ("notes", "omop"):
        folder = landing / name
        there = folder.is_dir()
        yield Finding(
            f"landing/{name}",
            "ok" if there else "warn",
            str(folder) if there else f"{folder} is not there",
            "" if there else f"mkdir -p {folder} and land files there, or run `make run` for the demo hospital.",
        )


def _lake() -> Iterator[Finding]:
    from clinical_assets.storage.lake import Lake

    settings = Settings()
    lake = Lake(settings.lake)
    try:
        n = len(lake.batches("notes/intakes"))
    except Exception as error:  # noqa: BLE001 - any store can fail in its own way
        yield Finding(
            "lake", "fail", f"{settings.lake}: {type(error).__name__}", "Check CLINICAL_LAKE_URL and its credentials."
        )
        return
    yield Finding("lake", "ok", f"{settings.lake}, {n} batches")
    if lake.is_local and Path(settings.lake).exists():
        stray = sum(1 for _ in Path(settings.lake).rglob(".data.*.tmp"))
        if stray:
            yield Finding(
                "lake leftovers",
                "warn",
                f"{stray} temporary files of killed writes; never read",
                f"find {settings.lake} -name '.data.*.tmp' -delete, when nothing runs.",
            )


def _warehouse() -> Iterator[Finding]:
    import duckdb

    path = Settings().warehouse
    if not path.exists():
        yield Finding(
            "warehouse", "warn", f"none yet at {path}", "make run, or materialize the cohort assets in the UI."
        )
        return
    try:
        with duckdb.connect(str(path), read_only=True) as connection:
            row = connection.execute("select count(*) from duckdb_tables()").fetchone()
        yield Finding("warehouse", "ok", f"{path}, {row[0] if row else 0} tables")
    except duckdb.Error as error:
        fix = (
            "A process has it open for writing; analysts must open it read-only. Close that process."
            if "lock" in str(error)
            else "The file is damaged or of a newer DuckDB: delete it and run `clinical-assets run`; it is rebuilt from landing and lake."
        )
        yield Finding("warehouse", "fail", f"{path}: {type(error).__name__}", fix)


def _daemon() -> Iterator[Finding]:
    home = os.environ.get("DAGSTER_HOME")
    if not home:
        yield Finding(
            "DAGSTER_HOME",
            "fail",
            "not set",
            "Use make, or export DAGSTER_HOME=$PWD/.dagster_home in the project's folder.",
        )
        return
    import dagster as dg

    with dg.DagsterInstance.get() as instance:
        beats = instance.get_daemon_statuses()
    alive = sorted(name for name, status in beats.items() if status.healthy)
    yield Finding(
        "daemon",
        "ok" if alive else "warn",
        f"{len(alive)} daemons alive at {home}" if alive else f"no daemon runs on {home}: sensors and schedules sleep",
        "" if alive else "make ui",
    )


def _telemetry() -> Iterator[Finding]:
    from clinical_assets.privacy import switch_off_telemetry

    switch_off_telemetry()
    on = [
        name
        for name, off in (
            ("DAGSTER_DISABLE_TELEMETRY", "yes"),
            ("DO_NOT_TRACK", "1"),
            ("GX_ANALYTICS_ENABLED", "false"),
        )
        if os.environ[name] != off
    ]
    yield Finding(
        "telemetry",
        "warn" if on else "ok",
        f"not off: {', '.join(on)}" if on else "off",
        "Unset these variables." if on else "",
    )
