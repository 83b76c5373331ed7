"""Folders that are named by the digest of what is in them: written whole or not at all, and not read if they were changed.

Beside them a small file may say which one is in use. The stores of trained models are made of this.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from clinical_assets.storage.failpoints import failpoint

__all__ = ["FolderError", "point_at", "pointed_at", "put_folder", "read_folder", "sync"]

_DIGEST = re.compile(r"[0-9a-f]{32}")
_PROMOTED = "promoted.json"


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
        sync(work)
        failpoint("content_folder.before_replace")
        if target.is_dir():  # was changed after it was written
            shutil.rmtree(target)
        try:
            os.replace(work, target)
        except OSError:
            if not (target.is_dir() and _holds(target, files)):  # else another process wrote the same meanwhile
                raise
        sync(parent)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return digest


def read_folder(parent: Path, digest: str, names: Sequence[str] | None, mend: str) -> dict[str, bytes]:
    """Return the files of ``parent/<digest>``.

    Parameters
    ----------
    names
        Of the files; None for all that are there.
    mend
        What to do where they cannot be used, for the message.

    Raises
    ------
    FolderError
        If a file is missing, or the files are not those that were written.
    """
    target = parent / digest
    try:
        found = names if names is not None else [path.name for path in target.iterdir()]
        files = {name: (target / name).read_bytes() for name in found}
    except OSError as error:
        raise FolderError(f"{target}: {error.strerror}; {mend}") from None
    if _digest(files) != digest:
        raise FolderError(f"{target} was changed after it was written; {mend}")
    return files


def point_at(parent: Path, digest: str) -> None:
    """Say in ``parent/promoted.json`` which folder is in use; a reader sees the old one or the new one."""
    handle, temporary = tempfile.mkstemp(prefix=".promoted.", dir=parent)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        json.dump({"model_sha": digest}, file)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, parent / _PROMOTED)
    sync(parent)


def pointed_at(parent: Path, mend: str) -> str | None:
    """Return the digest of the folder that is in use; None if there is none.

    Raises
    ------
    FolderError
        If the file that says so cannot be read; `mend` is what to do then.
    """
    path = parent / _PROMOTED
    try:
        digest = str(json.loads(path.read_text(encoding="ascii"))["model_sha"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        digest = ""
    if not _DIGEST.fullmatch(digest):
        raise FolderError(f"{path} cannot be read; remove it and {mend}")
    return digest


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _holds(folder: Path, files: Mapping[str, bytes]) -> bool:
    return all((folder / name).is_file() and (folder / name).read_bytes() == content for name, content in files.items())


def _digest(files: Mapping[str, bytes]) -> str:
    sha = hashlib.sha256()
    for name, content in sorted(files.items()):
        for part in (name.encode(), content):
            sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()[:32]
