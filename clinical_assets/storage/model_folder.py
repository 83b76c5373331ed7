"""Trained models of several files, one of them in use; what the files hold is the business of whoever writes them, never pickle."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from clinical_assets.storage.content_folder import point_at, pointed_at, put_folder, read_folder
from clinical_assets.storage.failpoints import failpoint

__all__ = ["load_model_files", "promoted_model", "save_model_files"]

_MEND = "train the model again"


def save_model_files(folder: Path, files: Mapping[str, bytes]) -> str:
    """Write a model below ``folder``, put it in use, and return its digest.

    Raises
    ------
    ValueError
        If there are no files, or a name is not that of a file.
    """
    if not files or any(Path(name).name != name or name.startswith(".") for name in files):
        raise ValueError(f"model files {sorted(files)}: expected at least one plain file name")
    digest = put_folder(folder, files)
    failpoint("model_folder.after_replace")
    point_at(folder, digest)
    return digest


def promoted_model(folder: Path) -> str | None:
    """Return the digest of the model in use; None if there is none.

    Raises
    ------
    FolderError
        If the file that says so cannot be read.
    """
    return pointed_at(folder, _MEND)


def load_model_files(folder: Path, digest: str) -> dict[str, bytes]:
    """Read a model and check that it is what its name says.

    Raises
    ------
    FolderError
        If it is not there, cannot be read, or its content has another digest.
    """
    return read_folder(folder, digest, None, _MEND)
