"""Folders that are named by the digest of what is in them: written whole or not at all, and not read if they were changed."""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from clinical_assets.storage.failpoints import failpoint

__all__ = ["FolderError", "put_folder", "read_folder"]


class FolderError(ValueError):
    """A stored folder that cannot be used, and how to mend it."""


def put_folder(parent: Path, files: Mapping[str, bytes]) -> str:
    """Write files into ``parent/<digest>`` and return the digest (hex, 32); the same files are written once.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind then.
    """
    digest = _digest(files)
    target = parent / digest
    if target.is_dir() and _holds(target, files):
        return digest
    parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    work = Path(tempfile.mkdtemp(prefix=".writing.", dir=parent))
    try:
        for name, content in files.items():
            with (work / name).open("wb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        failpoint("content_folder.before_replace")
        if target.is_dir():  # was changed after it was written
            shutil.rmtree(target)
        os.replace(work, target)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return digest


def read_folder(parent: Path, digest: str, names: Sequence[str], mend: str) -> dict[str, bytes]:
    """Return the files of ``parent/<digest>``.

    Parameters
    ----------
    mend
        What to do where they cannot be used, for the message.

    Raises
    ------
    FolderError
        If a file is missing, or the files are not those that were written.
    """
    target = parent / digest
    try:
        files = {name: (target / name).read_bytes() for name in names}
    except OSError as error:
        raise FolderError(f"{target}: {error.strerror}; {mend}") from None
    if _digest(files) != digest:
        raise FolderError(f"{target} was changed after it was written; {mend}")
    return files


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    return all((folder / name).is_file() and (folder / name).read_bytes() == content for name, content in files.items())


def _digest(files: Mapping[str, bytes]) -> str:
    sha = hashlib.sha256()
    for name, content in sorted(files.items()):
        for part in (name.encode(), content):
            sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()[:32]
