"""The warehouse file that analysts open: rebuilt on a private copy and swapped in whole.

A DuckDB file has one writer or many readers, never both. So nobody ever writes the published file: a build works on a
private copy (same file stem, because dbt's manifest names the catalog after it), and ``os.replace`` publishes it. Readers
keep the snapshot they opened until they reconnect. Copy, build and swap are one critical section under a lock file.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from clinical_assets.storage.failpoints import failpoint
from clinical_assets.storage.locks import hold_lock

__all__ = ["Warehouse", "execute_apart"]


def execute_apart(database: Path, statements: list[str]) -> None:
    """Run statements on a DuckDB file in a process of its own, and close it.

    A process that once held a DuckDB file read-only (dbt's metadata fetchers do, to its end) cannot open it otherwise.
    """
    code = "import duckdb, sys\nwith duckdb.connect(sys.argv[1]) as c:\n    [c.execute(s) for s in sys.argv[2:]]"
    done = subprocess.run(
        [sys.executable, "-c", code, str(database), *statements], capture_output=True, text=True, check=False
    )
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if "Error: " in line or "Exception: " in line]
        raise RuntimeError(f"{database}: {said[-1] if said else f'exit code {done.returncode}'}")


def _finished(private: Path, statements: Sequence[str]) -> Path:
    """Return the file to publish: a copy on which `statements` ran, because `private` may still be held read-only here."""
    if not private.exists():
        raise FileNotFoundError(f"the build left no file at {private}; the published warehouse stands")
    log = private.with_name(private.name + ".wal")
    if not statements and not log.exists():
        return private
    finished = private.parent / "finished" / private.name
    finished.parent.mkdir()
    shutil.copyfile(private, finished)
    if log.exists():
        shutil.copyfile(log, finished.with_name(log.name))
    execute_apart(finished, [*statements, "checkpoint"])
    return finished


class Warehouse:
    """The published DuckDB file and the only way to replace it.

    Parameters
    ----------
    path
        The published file, e.g. ``data/warehouse/clinical.duckdb``.
    work
        Folder for private copies, on the same file system as `path`.
    """

    def __init__(self, path: Path, work: Path) -> None:
        self.path = Path(path).resolve()
        self.work = Path(work).resolve()

    @contextlib.contextmanager
    def rewrite(self, run_id: str, *, finish: Sequence[str] = (), wait_seconds: float = 600.0) -> Iterator[Path]:
        """Yield a private copy to build on; publish it if the block ends well, drop it otherwise.

        Parameters
        ----------
        run_id
            Names the private folder.
        finish
            Statements run on the built file just before it is published.
        wait_seconds
            How long to wait for another rebuild to end.

        Raises
        ------
        Locked
            If another process still holds the lock after `wait_seconds`.
        """
        lock = self.path.with_name(self.path.name + ".lock")
        with hold_lock(lock, f"{self.path} is being rebuilt", wait_seconds=wait_seconds):
            self._drop_leftovers()
            folder = self.work / f"warehouse-{run_id}"
            folder.mkdir(parents=True, mode=0o700)
            private = folder / self.path.name
            try:
                if self.path.exists():
                    shutil.copyfile(self.path, private)
                failpoint("warehouse.after_copy")
                yield private
                failpoint("warehouse.after_build")
                self._publish(_finished(private, finish))
            finally:
                shutil.rmtree(folder, ignore_errors=True)

    def _publish(self, private: Path) -> None:
        os.chmod(private, 0o600)
        descriptor = os.open(private, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        failpoint("warehouse.before_replace")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        os.replace(private, self.path)
        failpoint("warehouse.after_replace")

    def _drop_leftovers(self) -> None:
        """Remove private copies of builds that were killed; the lock proves that nobody uses them."""
        self.work.mkdir(parents=True, exist_ok=True)
        for folder in self.work.glob("warehouse-*"):
            shutil.rmtree(folder, ignore_errors=True)
