"""Guards between a landing folder and everything else: paths, sizes, expansion ratios, nested archives.

Put here what refuses untrusted input before it is parsed. No format knowledge beyond magic numbers.
"""

from __future__ import annotations

import gzip
import os
import re
import zlib
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any
from urllib.parse import unquote

import pyarrow as pa

from clinical_assets.notes.errors import (
    CorruptFile,
    MissingFile,
    UnreadableBatch,
    UnsafeArchive,
    UnsafePath,
    UnsupportedFormat,
    safe_name,
)

__all__ = [
    "DATA_FORMATS",
    "IGNORED_SUFFIXES",
    "SUCCESS",
    "ReadLimits",
    "batch_files",
    "data_format",
    "is_ignored",
    "read_guarded",
    "resolve_inside",
]

SUCCESS = "_SUCCESS"
DATA_FORMATS = {".parquet": "parquet", ".csv": "csv", ".jsonl": "jsonl", ".ndjson": "jsonl"}
# Producers' temporary files and companions: never data, never worth a word.
IGNORED_SUFFIXES = (".tmp", ".part", ".partial", ".crdownload", ".crc", ".sha256", ".md", "~")
MAX_FOLDER_FILES = 10_000

_ARCHIVES = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\x00": "xz",
    b"\x28\xb5\x2f\xfd": "zstandard",
    b"7z\xbc\xaf\x27\x1c": "7z",
    b"Rar!\x1a\x07": "rar",
}
_RATIO_FLOOR = 1 << 20  # a mebibyte harms nobody, whatever it was squeezed from
_CHUNK = 1 << 20
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


@dataclass(frozen=True)
class ReadLimits:
    """What reading one landed file may cost, in bytes; ``max_ratio`` is expanded bytes per landed byte."""

    max_file_bytes: int
    max_expanded_bytes: int
    max_ratio: float
    default_encoding: str = "utf-8"

    def to_dict(self) -> dict[str, Any]:
        """Return the limits as JSON-serialisable values."""
        return asdict(self)


def resolve_inside(root: Path, name: str) -> Path:
    """Return the path of ``name`` below ``root``, with symlinks followed.

    Raises:
        UnsafePath: ``name`` is absolute, climbs (``..``, also percent-encoded or with backslashes), holds control
            characters, or is a symlink that leaves ``root``.
    """
    mend = "Rename or move it: a landed name is a plain path inside the landing folder."
    decoded = name
    for _ in range(3):  # %252e%252e decodes to %2e%2e, then to ..
        further = unquote(decoded, errors="surrogateescape")
        if further == decoded:
            break
        decoded = further
    for spelling in (name, decoded):
        posix, windows = PurePosixPath(spelling), PureWindowsPath(spelling)
        if not spelling or _CONTROL.search(spelling):
            raise UnsafePath("the name is empty or holds control characters.", where=name, mend=mend)
        if posix.is_absolute() or windows.is_absolute() or windows.drive or spelling.startswith(("/", "\\")):
            raise UnsafePath("the name is an absolute path.", where=name, mend=mend)
        if ".." in posix.parts or ".." in windows.parts:
            raise UnsafePath("the name climbs out of its folder.", where=name, mend=mend)
    try:
        base = root.resolve()
        path = (root / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise UnsafePath("the name cannot be resolved.", where=name, mend=mend) from error
    if path != base and base not in path.parents:
        raise UnsafePath("the name is a link to a place outside the landing folder.", where=name, mend=mend)
    return path


def is_ignored(name: str) -> bool:
    """Say whether an entry of the landing folder is a hidden, temporary or companion file."""
    return name.startswith((".", "_")) or name.lower().endswith(IGNORED_SUFFIXES)


def data_format(name: str) -> tuple[str, str, bool] | None:
    """Split a file name into (stem, parquet | csv | jsonl, gzipped); None if it is no data file."""
    stem, gzipped = (name[:-3], True) if name.lower().endswith(".gz") else (name, False)
    base, extension = os.path.splitext(stem)
    kind = DATA_FORMATS.get(extension.lower())
    return (base, kind, gzipped) if kind and base else None


def batch_files(path: Path, *, root: Path | None = None) -> list[Path]:
    """Return the data files of a batch (the file itself, or the folder's files in name order).

    Raises:
        MissingFile: The batch, or its folder's content or ``_SUCCESS``, is not there.
        UnsupportedFormat: Not a data file, or a folder with subfolders or foreign files.
        UnsafePath: A file of the folder is a link that leaves ``root`` (default: the folder itself).
    """
    if path.is_file():
        if data_format(path.name) is None:
            raise _unsupported(path.name)
        return [path]
    if not path.is_dir():
        raise MissingFile("the batch is no longer there.", where=path.name, mend="Deliver it again.")
    if not (path / SUCCESS).is_file():
        raise MissingFile(f"the folder has no {SUCCESS}.", where=path.name, mend=f"Write {SUCCESS} as the last file.")
    found: list[Path] = []
    with os.scandir(path) as entries:
        for entry in entries:
            if is_ignored(entry.name):
                continue
            if len(found) == MAX_FOLDER_FILES:
                raise UnsupportedFormat(
                    f"the folder holds more than {MAX_FOLDER_FILES} files.", where=path.name, mend="Land larger files."
                )
            where = f"{path.name}/{entry.name}"
            inside = resolve_inside(root or path, where if root == path.parent else entry.name)
            if not inside.is_file() or data_format(entry.name) is None:
                raise _unsupported(where)
            found.append(path / entry.name)
    if not found:
        raise MissingFile("the folder holds no data file.", where=path.name, mend="Deliver it again.")
    return sorted(found, key=lambda file: os.fsencode(file.name))


def _unsupported(name: str) -> UnsupportedFormat:
    return UnsupportedFormat(
        "expected files *.parquet, *.csv, *.jsonl or *.ndjson, each optionally .gz.",
        where=name,
        mend="Convert it, or move it out of the landing folder.",
    )


def read_guarded(path: Path, limits: ReadLimits) -> pa.Buffer:
    """Return the content of a landed file (memory-mapped), unpacked if its name ends in .gz.

    Unpacking stops as soon as a limit is passed, so an archive bomb costs no more than the limit.

    Raises:
        MissingFile: It is gone.
        UnsafeArchive: It is larger than ``max_file_bytes``, expands past ``max_expanded_bytes`` or ``max_ratio``, or
            holds an archive.
        CorruptFile: It is empty, or no intact gzip.
    """
    where = path.name
    try:
        size = path.stat().st_size
        if size > limits.max_file_bytes:
            raise UnsafeArchive(
                f"the file has {size:,} bytes, the limit is {limits.max_file_bytes:,}.",
                where=where,
                mend="Split it, or raise limits.max_file_bytes in the study.",
            )
        if size == 0:
            raise CorruptFile("the file is empty.", where=where, mend="Deliver it again, complete.")
        if where.lower().endswith(".gz"):
            content = pa.py_buffer(_unzip(path, size, limits))
        else:
            with pa.memory_map(os.fspath(path)) as mapped:
                content = mapped.read_buffer()
    except FileNotFoundError as error:
        raise MissingFile("the file is no longer there.", where=where, mend="Deliver it again.") from error
    except OSError as error:
        raise CorruptFile(
            f"the file cannot be read ({type(error).__name__}).",
            where=where,
            mend="Check its permissions and the disk.",
        ) from error
    _refuse_archive(content[:512].to_pybytes(), where)
    return content


def _unzip(path: Path, size: int, limits: ReadLimits) -> bytes:
    allowed = min(limits.max_expanded_bytes, max(_RATIO_FLOOR, int(limits.max_ratio * size)))
    parts: list[bytes] = []
    total = 0
    try:
        with gzip.open(path, "rb") as stream:
            while chunk := stream.read(_CHUNK):
                total += len(chunk)
                if total > allowed:
                    raise UnsafeArchive(
                        f"{size:,} landed bytes expand to more than {allowed:,}.",
                        where=path.name,
                        mend="Land it unpacked or split, or raise limits.max_expanded_bytes or limits.max_ratio.",
                    )
                if not parts:
                    _refuse_archive(chunk[:512], path.name)
                parts.append(chunk)
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorruptFile("the gzip data is damaged or cut off.", where=path.name, mend="Deliver it again.") from error
    if not total:
        raise CorruptFile("the file is empty once unpacked.", where=path.name, mend="Deliver it again, complete.")
    return b"".join(parts)


def _refuse_archive(head: bytes, where: str) -> None:
    kind = next((name for magic, name in _ARCHIVES.items() if head.startswith(magic)), None)
    if kind is None and head[257:262] == b"ustar":
        kind = "tar"
    if kind:
        raise UnsafeArchive(
            f"it holds a {kind} archive where data was expected.",
            where=safe_name(where),
            mend="Land the data files themselves, gzipped once at most.",
        )


def as_read_limits(limits: Any) -> ReadLimits:
    """Take the reading limits out of the study's intake limits."""
    return ReadLimits(
        max_file_bytes=int(limits.max_file_bytes),
        max_expanded_bytes=int(limits.max_expanded_bytes),
        max_ratio=float(limits.max_ratio),
        default_encoding=str(limits.default_encoding),
    )


def describe_failure(error: BaseException) -> UnreadableBatch:
    """Turn any failure of a parser into a corrupt file that names the failure's type, never its message."""
    if isinstance(error, UnreadableBatch):
        return error
    if isinstance(error, MemoryError):
        return CorruptFile("reading it needs more memory than allowed.", mend="Split it into smaller files.")
    return CorruptFile(
        f"the parser failed ({type(error).__name__}).", mend="Deliver it again; check it with its producer."
    )
