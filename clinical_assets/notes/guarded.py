"""Parse untrusted files in a process of their own, which may crash, hang or run out of memory alone.

Put here the parent's side; the child is `guarded_worker`, the parsing is `readers`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa

from clinical_assets.notes.errors import CorruptFile, MissingFile, error_from_reason
from clinical_assets.notes.guards import ReadLimits
from clinical_assets.notes.readers import RAW, RAW_REJECTS, LandedRows, read_files

__all__ = ["read_batch"]

_MODULE = "clinical_assets.notes.guarded_worker"
_BASE_MEMORY = 3 << 30  # address space, not resident memory: the interpreter and pyarrow map much and touch little
_BASE_SECONDS = 60
_BYTES_PER_SECOND = 2_000_000  # slower than this is no honest file


def read_batch(
    files: Sequence[Path],
    *,
    columns: Mapping[str, Sequence[str]],
    limits: ReadLimits,
    guarded: bool = True,
) -> LandedRows:
    """Read the files of one batch as ``readers.read_files`` does, by default in a limited child process.

    The child's tables come back memory-mapped from a private folder (0700) that is gone when this returns. Its limits
    on CPU seconds and address space grow with the size that the files may expand to.

    Args:
        files: The batch's files, in order.
        columns: Stored column -> candidate landed names.
        limits: Sizes and encoding.
        guarded: False parses in this process (tests, trusted files).

    Raises:
        UnreadableBatch: As ``read_files``; a child that crashed or was stopped is a ``CorruptFile``.
    """
    if not guarded:
        return read_files(files, columns=columns, limits=limits)
    try:
        landed_bytes = sum(file.stat().st_size for file in files)
    except FileNotFoundError as error:
        raise MissingFile("the batch is no longer there.", where=files[0].name, mend="Deliver it again.") from error
    expanded = min(
        limits.max_expanded_bytes * len(files), max(64 << 20, int(min(limits.max_ratio, 100.0) * landed_bytes))
    )
    seconds = _BASE_SECONDS + expanded // _BYTES_PER_SECOND
    with tempfile.TemporaryDirectory(prefix="clinical-intake-") as name:  # created 0700
        folder = Path(name)
        job = {
            "files": [str(file.absolute()) for file in files],
            "columns": {stored: list(names) for stored, names in columns.items()},
            "limits": limits.to_dict(),
            "cpu_seconds": seconds,
            "memory_bytes": _BASE_MEMORY + 6 * expanded,
        }
        (folder / "job.json").write_text(json.dumps(job))
        code = _run(folder, seconds)
        return _collect(folder, code, files[0].name)


def _run(folder: Path, seconds: int) -> int:
    package_root = Path(__file__).resolve().parents[2]
    environment = {
        "PATH": os.defpath,
        "PYTHONPATH": str(package_root),
        "ARROW_DEFAULT_MEMORY_POOL": "system",  # the other pools reserve address space that RLIMIT_AS counts
        "OMP_NUM_THREADS": "1",
        "LC_ALL": "C.UTF-8",
    }
    try:
        return subprocess.run(
            [sys.executable, "-s", "-P", "-m", _MODULE, str(folder)],
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,  # a parser's complaint may quote a note
            timeout=seconds + _BASE_SECONDS,
            check=False,
            umask=0o077,
        ).returncode
    except subprocess.TimeoutExpired:
        return -int(signal.SIGKILL)


def _collect(folder: Path, code: int, where: str) -> LandedRows:
    try:
        result = json.loads((folder / "result.json").read_text())
    except (FileNotFoundError, ValueError):
        stopped = f"stopped by signal {-code}" if code < 0 else f"ended with exit status {code}"
        raise CorruptFile(
            f"the parser was {stopped}." if code < 0 else f"the parser {stopped}.",
            where=where,
            mend="Deliver it again, complete; split it if it is large.",
        ) from None
    if "error" in result:
        error = result["error"]
        raise error_from_reason(error["reason"], error["what"], where=error["where"] or where, mend=error["mend"])
    return LandedRows(
        rows=_mapped(folder / "rows.arrow").cast(RAW),
        rejects=_mapped(folder / "rejects.arrow").cast(RAW_REJECTS),
        n_landed=int(result["n_landed"]),
        n_extra_columns=int(result["n_extra_columns"]),
    )


def _mapped(path: Path) -> pa.Table:
    # The mapping outlives the file's name: the folder can go while the table is in use.
    return pa.ipc.open_file(pa.memory_map(str(path))).read_all()
