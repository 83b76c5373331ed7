"""The dbt project as Dagster sees it: where it is, its manifest, and the executable beside this Python."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from dagster_dbt import DbtCliResource
from dagster_dbt.core.dbt_cli_invocation import PARTIAL_PARSE_FILE_NAME
from packaging.version import Version

__all__ = ["DBT_PROJECT_DIR", "KEPT_LINEAGE", "dbt_resource", "ensure_manifest", "keep_parsed"]

DBT_PROJECT_DIR = Path(__file__).resolve().parent.parent / "dbt_cohort"
KEPT_LINEAGE = DBT_PROJECT_DIR / "target" / "lineage"
_SOURCES = ("dbt_project.yml", "profiles.yml", "models/**/*", "macros/**/*", "tests/**/*", "seeds/**/*")


def _put_dbt_on_path() -> None:
    """Let dagster-dbt find the dbt of this environment when the venv is not activated (it only looks at PATH)."""
    beside_python = str(Path(sys.executable).parent)
    folders = os.environ.get("PATH", "").split(os.pathsep)
    if beside_python not in folders:
        os.environ["PATH"] = os.pathsep.join([beside_python, *folders])


class DbtCommand(DbtCliResource):
    """The dbt command, without two things that dagster-dbt does in every run and nothing here needs.

    It opens dbt's adapter in its own process for its fetchers of metadata (`dbt_metadata` reads the file), which parses every macro: a
    fifth of the build's time in Dagster. And it starts `dbt --version` (3 s of processor time); the packages of this Python say it too.
    """

    @cached_property
    def _cli_version(self) -> Version:
        return Version(metadata.version("dbt-core"))

    def _initialize_dbt_core_adapter(self, args: Sequence[str]) -> Any:
        return None


def dbt_resource() -> DbtCliResource:
    """Return the dbt CLI on the project, with its own profiles and no telemetry."""
    _put_dbt_on_path()
    return DbtCommand(project_dir=str(DBT_PROJECT_DIR), profiles_dir=str(DBT_PROJECT_DIR))


def ensure_manifest() -> Path:
    """Return the path of a manifest that fits the project's files, parsing the project only when they changed.

    Parsing takes about 6 s, loading must not: the digest of the sources is kept beside the manifest. A lock lets the
    many processes of a Dagster deployment start at once.
    """
    target = DBT_PROJECT_DIR / "target"
    manifest, stamp = target / "manifest.json", target / "manifest.sources.sha256"
    digest = _sources_digest()
    if manifest.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == digest:
        return manifest
    target.mkdir(exist_ok=True)
    with open(target / "manifest.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (manifest.exists() and stamp.exists() and stamp.read_text(encoding="ascii") == digest):
            _parse(manifest)
            stamp.write_text(digest, encoding="ascii")
    return manifest


def keep_parsed(target: Path) -> None:
    """Keep what dbt parsed in a build, so that the next one need not: dagster-dbt hands it on from the project's target folder.

    dbt sees for itself whether files or variables are other ones.
    """
    parsed = target / PARTIAL_PARSE_FILE_NAME
    if parsed.is_file():
        kept = DBT_PROJECT_DIR / "target" / PARTIAL_PARSE_FILE_NAME
        # Several builds may end at once.
        private = kept.with_name(f".{kept.name}.{os.getpid()}")
        shutil.copyfile(parsed, private)
        os.replace(private, kept)


def _parse(manifest: Path) -> None:
    _put_dbt_on_path()
    with tempfile.TemporaryDirectory(dir=manifest.parent) as scratch:
        command = ["dbt", "--no-send-anonymous-usage-stats", "parse", "--no-partial-parse", "--target-path", scratch]
        command += [
            "--project-dir",
            str(DBT_PROJECT_DIR),
            "--profiles-dir",
            str(DBT_PROJECT_DIR),
            "--log-path",
            scratch,
        ]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"dbt could not parse {DBT_PROJECT_DIR}:\n{done.stdout[-4000:]}{done.stderr[-1000:]}")
        shutil.move(Path(scratch) / "manifest.json", manifest)


def _sources_digest() -> str:
    digest = hashlib.sha256()
    for pattern in _SOURCES:
        for path in sorted(DBT_PROJECT_DIR.glob(pattern)):
            if path.is_file():
                digest.update(str(path.relative_to(DBT_PROJECT_DIR)).encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
