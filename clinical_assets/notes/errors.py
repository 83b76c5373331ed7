"""Why a whole batch could not be read, in words that are safe to log.

Put here the exceptions of the notes subject. A message says what, where, what was expected and how to mend it; it is
built from file names, counts and column names only, never from the content of a note.
"""

from __future__ import annotations

import re
from typing import ClassVar

__all__ = [
    "ChangedDuringRun",
    "CorruptFile",
    "ManifestMismatch",
    "MissingColumn",
    "MissingFile",
    "UnreadableBatch",
    "UnsafeArchive",
    "UnsafePath",
    "UnsupportedFormat",
    "error_from_reason",
    "safe_name",
]

_PLAIN_NAME = re.compile(r"^[A-Za-z0-9._ +=@-]{1,120}\Z")


class UnreadableBatch(Exception):
    """A landed batch was refused whole; the file stays where it is and is retried when it changes.

    Args:
        what: What is wrong, in one sentence, without content of the file.
        where: Name of the file or folder within the landing folder.
        mend: What a person can do about it.

    Attributes:
        reason: Machine-readable reason, e.g. ``corrupt_file``.
    """

    reason: ClassVar[str] = "unreadable"

    def __init__(self, what: str, *, where: str = "", mend: str = "") -> None:
        self.what = what
        self.where = safe_name(where) if where else ""
        self.mend = mend
        place = f" ({self.where})" if self.where else ""
        super().__init__(f"{self.reason}{place}: {what}" + (f" To mend: {mend}" if mend else ""))

    def to_dict(self) -> dict[str, str]:
        """Return the error as JSON-serialisable strings; ``error_from_reason`` reads it back."""
        return {"reason": self.reason, "what": self.what, "where": self.where, "mend": self.mend}


class CorruptFile(UnreadableBatch):
    """The bytes are not a readable file of the announced format."""

    reason = "corrupt_file"


class ManifestMismatch(CorruptFile):
    """The files are not those that the producer's manifest lists."""

    reason = "manifest_mismatch"


class ChangedDuringRun(UnreadableBatch):
    """The content is no longer what the sensor saw; the next tick requests the new content."""

    reason = "changed_during_run"


class MissingColumn(UnreadableBatch):
    """A required column is in no accepted spelling among the landed columns, or is there twice."""

    reason = "missing_column"


class UnsafeArchive(UnreadableBatch):
    """The file grows too far when unpacked, or holds another archive."""

    reason = "unsafe_archive"


class UnsafePath(UnreadableBatch):
    """A name points, or could point, outside the landing folder."""

    reason = "unsafe_path"


class UnsupportedFormat(UnreadableBatch):
    """The file is none of parquet, csv, jsonl, each optionally gzipped."""

    reason = "unsupported_format"


class MissingFile(UnreadableBatch):
    """The batch was there when the sensor looked and is gone now."""

    reason = "missing_file"


_BY_REASON: dict[str, type[UnreadableBatch]] = {
    kind.reason: kind
    for kind in (
        CorruptFile,
        ManifestMismatch,
        ChangedDuringRun,
        MissingColumn,
        UnsafeArchive,
        UnsafePath,
        UnsupportedFormat,
        MissingFile,
    )
}


def error_from_reason(reason: str, what: str, *, where: str = "", mend: str = "") -> UnreadableBatch:
    """Rebuild the error of another process from its ``to_dict``; an unknown reason is a corrupt file."""
    return _BY_REASON.get(reason, CorruptFile)(what, where=where, mend=mend)


def safe_name(name: str) -> str:
    """Return a file name fit for one line of a log: control characters and oddities escaped, at most 120 characters."""
    if _PLAIN_NAME.match(name):
        return name
    return ascii(name)[:120]
