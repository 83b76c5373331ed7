"""Trained models on disk: folders named by the digest of their files, and one small file that says which is in use.

``<folder>/<digest>/<files>`` and ``<folder>/promoted.json``. A model appears whole or not at all, the same one is written once, and what
does not match its digest is not read. What the files hold is the business of whoever writes them; never pickle.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from clinical_assets.storage.failpoints import failpoint

__all__ = ["StoredModelError", "files_digest", "load_model_files", "promoted_model", "save_model_files"]

_DIGEST = re.compile(r"[0-9a-f]{32}")
_PROMOTED = "promoted.json"


class StoredModelError(ValueError):
    """A stored model that cannot be used, and how to mend it."""


def files_digest(files: Mapping[str, bytes]) -> str:
    """Return the digest of a model's files: 32 hex digits."""
    sha = hashlib.sha256()
    for name in sorted(files):
        for part in (name.encode(), files[name]):
            sha.update(len(part).to_bytes(8, "big") + part)
    return sha.hexdigest()[:32]


def save_model_files(folder: Path, files: Mapping[str, bytes]) -> str:
    """Write a model below ``folder``, put it in use, and return its digest.

    Raises
    ------
    ValueError
        If there are no files, or a name is not that of a file.
    """
    if not files or any(Path(name).name != name or name.startswith(".") for name in files):
        raise ValueError(f"model files {sorted(files)}: expected at least one plain file name")
    digest = files_digest(files)
    target = folder / digest
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not target.is_dir():
        work = Path(tempfile.mkdtemp(prefix=".model.", dir=folder))
        try:
            for name, data in files.items():
                _write(work / name, data)
            _sync(work)
            failpoint("model_folder.before_replace")
            os.replace(work, target)
        except BaseException:
            shutil.rmtree(work, ignore_errors=True)
            if not target.is_dir():  # else another process wrote the same model meanwhile
                raise
    failpoint("model_folder.after_replace")
    handle, temporary = tempfile.mkstemp(prefix=".promoted.", dir=folder)
    os.close(handle)
    _write(Path(temporary), json.dumps({"model_sha": digest}).encode())
    os.replace(temporary, folder / _PROMOTED)
    _sync(folder)
    return digest


def promoted_model(folder: Path) -> str | None:
    """Return the digest of the model in use; None if there is none.

    Raises
    ------
    StoredModelError
        If the file that says so cannot be read.
    """
    path = folder / _PROMOTED
    try:
        digest = str(json.loads(path.read_text(encoding="ascii"))["model_sha"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        digest = ""
    if not _DIGEST.fullmatch(digest):
        raise StoredModelError(f"{path} cannot be read; remove it and train the model again")
    return digest


def load_model_files(folder: Path, digest: str) -> dict[str, bytes]:
    """Read a model and check that it is what its name says.

    Raises
    ------
    StoredModelError
        If it is not there, cannot be read, or its content has another digest.
    """
    target = folder / digest
    try:
        files = {path.name: path.read_bytes() for path in sorted(target.iterdir())}
    except OSError as error:
        raise StoredModelError(f"{target}: {error.strerror}; train the model again") from None
    if files_digest(files) != digest:
        raise StoredModelError(f"{target} was changed after it was written; remove it and train the model again")
    return files


def _write(path: Path, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
