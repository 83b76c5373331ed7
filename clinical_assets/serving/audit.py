"""The audit of the server: one line per call, appended, chained by hashes, durable before the caller gets an answer.

A row says who asked for what, when, which texts (by hash) and which models answered. It never holds a word of a text. Each line
holds the SHA-256 of the line before it, so that a changed or removed line shows; a removed end shows against a head kept elsewhere.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from clinical_assets.storage.locks import hold_lock

__all__ = ["AuditBroken", "AuditError", "AuditLog", "verify_audit"]

_GENESIS = "0" * 64
_FILES = "calls-????-??-??.jsonl"


class AuditError(OSError):
    """Rows could not be made durable; none of them was kept."""


class AuditBroken(ValueError):
    """The files of the audit are not what was written. Names a file and a line."""


class AuditLog:
    """Appends rows to the file of the day. One process at a time; not for several threads at once.

    Parameters
    ----------
    folder
        Where the files are; made if need be, for its owner alone.
    now
        Clock, UTC.
    """

    def __init__(self, folder: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.folder = folder
        self._now = now
        self._open = contextlib.ExitStack()
        self._descriptor = -1
        self._path: Path | None = None
        self.n_rows = 0
        self.head = _GENESIS
        self.writable = False
        self._cut_to: int | None = None  # where the chain ends in a file that a failed write left longer

    def __enter__(self) -> AuditLog:
        """Take the lock, find the end of the chain, drop a line that a crash left unfinished.

        Raises
        ------
        Locked
            If another server writes here.
        AuditBroken
            If the last line is not one of ours.
        """
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._open.enter_context(hold_lock(self.folder / "writer.lock", f"the audit in {self.folder} is written"))
        try:
            files = sorted(self.folder.glob(_FILES))
            dropped = _drop_torn_line(files[-1]) if files else 0
            last = next((row for row in map(_last_line, reversed(files)) if row), None)
            if last is not None:
                self.head = hashlib.sha256(last).hexdigest()
                self.n_rows = int(json.loads(last)["n"])
            self._path = files[-1] if files else None
            self.writable = True
            if dropped:
                # It was never acknowledged: its caller got no answer.
                self.append([{"event": "recovered", "n_bytes_dropped": dropped}])
        except (ValueError, KeyError, TypeError) as error:
            self._open.close()
            raise AuditBroken(
                f"{files[-1]}: its last line is no row of the audit ({type(error).__name__}). Nothing is appended to a broken chain: "
                "keep the folder as evidence, and start with another CLINICAL_DATA or after moving it away."
            ) from None
        except BaseException:
            self._open.close()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.writable = False
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        self._open.close()

    def append(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Append rows and wait until they are on the disk. They get ``n``, ``at`` and ``previous``.

        Raises
        ------
        AuditError
            If that fails; the file is cut back to what it was.
        """
        now = self._now()
        lines, head, n = [], self.head, self.n_rows
        for row in rows:
            n += 1
            line = json.dumps({"n": n, "at": now.isoformat(timespec="milliseconds"), **row, "previous": head}).encode()
            head = hashlib.sha256(line).hexdigest()
            lines.append(line + b"\n")
        try:
            if self._cut_to is not None:
                os.ftruncate(self._descriptor, self._cut_to)
                self._cut_to = None
            self._turn_to(now)
            size = os.fstat(self._descriptor).st_size
            try:
                _write(self._descriptor, b"".join(lines))
                os.fsync(self._descriptor)
            except OSError:
                self._cut_to = size
                os.ftruncate(self._descriptor, size)
                self._cut_to = None
                raise
        except OSError as error:
            self.writable = False
            raise AuditError(error.errno, f"the audit cannot be written in {self.folder}: {error.strerror}") from None
        self.writable = True
        self.head, self.n_rows = head, n

    def _turn_to(self, now: datetime) -> None:
        """Open the file of the day; never an older one than the last, whatever the clock says."""
        wanted = self.folder / f"calls-{now.date().isoformat()}.jsonl"
        path = max(wanted, self._path) if self._path else wanted
        if self._descriptor >= 0 and path == self._path:
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(descriptor, 0o600)
        folder = os.open(self.folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._path = descriptor, path


def verify_audit(folder: Path) -> tuple[int, str]:
    """Read all files and return the number of rows and the head of the chain.

    An unfinished last line is no row: the server drops it when it starts.

    Raises
    ------
    AuditBroken
        At the first line that does not follow from the one before.
    FileNotFoundError
        If the folder is not there: what is gone is not verified.
    """
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no audit is here; `clinical-assets serve` keeps one, or look where CLINICAL_DATA points"
        )
    n, head = 0, _GENESIS
    files = sorted(folder.glob(_FILES))
    for path in files:
        for number, line in enumerate(_lines(path, last=path == files[-1]), 1):
            try:
                row = json.loads(line)
                fits = row["n"] == n + 1 and row["previous"] == head
            except (ValueError, KeyError, TypeError):
                fits = False
            if not fits:
                raise AuditBroken(
                    f"{path}, line {number}: it does not follow from the line before; something was changed or removed"
                )
            n, head = n + 1, hashlib.sha256(line).hexdigest()
    return n, head


def _lines(path: Path, *, last: bool) -> Iterator[bytes]:
    with open(path, "rb") as file:
        for line in file:
            if not line.endswith(b"\n") and last:
                return
            yield line.removesuffix(b"\n")


def _drop_torn_line(path: Path) -> int:
    """Cut what follows the last line end; return how many bytes that was."""
    content_end = path.stat().st_size
    with open(path, "r+b") as file:
        end = _after_last(file, b"\n", content_end)
        if end < content_end:
            file.truncate(end)
            file.flush()
            os.fsync(file.fileno())
    return content_end - end


def _last_line(path: Path) -> bytes | None:
    """Return the last line of a file that ends with a line end; None for an empty file."""
    size = path.stat().st_size
    if not size:
        return None
    with open(path, "rb") as file:
        file.seek(_after_last(file, b"\n", size - 1))
        return file.read().removesuffix(b"\n")


def _after_last(file: Any, mark: bytes, end: int) -> int:
    """Return the offset behind the last `mark` before `end`; 0 if there is none."""
    step = 1 << 16
    while end > 0:
        start = max(0, end - step)
        file.seek(start)
        at = file.read(end - start).rfind(mark)
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
