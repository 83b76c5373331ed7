"""A lock file that names its holder."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

__all__ = ["Locked", "hold_lock"]


class Locked(TimeoutError):
    """Another process holds the lock; the message names it."""


@contextlib.contextmanager
def hold_lock(path: Path, what: str, *, wait_seconds: float = 0.0) -> Iterator[None]:
    """Hold an exclusive lock on `path` for the block; the file contains the holder's PID.

    The kernel releases it however the holder dies, so there is no stale lock to clean up. (The filelock package truncates
    the file on every attempt, which would erase the PID that the message needs.)

    Parameters
    ----------
    what
        What is locked, for the message, e.g. ``"data/warehouse/clinical.duckdb is being rebuilt"``.
    wait_seconds
        How long to wait for the holder to finish.

    Raises
    ------
    Locked
        If the lock is still held after `wait_seconds`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="ascii") as handle:
        deadline = time.monotonic() + wait_seconds
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() >= deadline:
                    holder = path.read_text(encoding="ascii").strip() or "unknown"
                    raise Locked(
                        f"{what} by process {holder} (lock file {path}). Wait for it to end, or stop it."
                    ) from None
                time.sleep(0.2)
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield
