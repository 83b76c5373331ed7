"""Which adapter of a model was trained last, and which one labels: two small files beside the adapters, replaced whole."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Literal

from clinical_assets.language_models.adapter_store import adapter_folder
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.loading import ModelError

__all__ = ["Pointer", "point_at", "pointed_at"]

Pointer = Literal["candidate", "promoted"]


def point_at(models: Path, task: str, entry: ModelEntry, which: Pointer, digest: str) -> None:
    """Say which adapter of a model was trained last (candidate), or labels (promoted); atomic."""
    path = _path(models, task, entry, which)
    handle, temporary = tempfile.mkstemp(prefix=f".{which}.", dir=path.parent)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as stream:
            json.dump({"adapter_sha": digest}, stream)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def pointed_at(models: Path, task: str, entry: ModelEntry, which: Pointer) -> str | None:
    """Return the digest of the adapter that was trained last (candidate), or that labels (promoted); None if there is none.

    Raises
    ------
    ModelError
        If the file that says so cannot be read: then nothing is labelled, rather than by the base.
    """
    path = _path(models, task, entry, which)
    try:
        return str(json.loads(path.read_text(encoding="ascii"))["adapter_sha"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError):
        raise ModelError(
            f"{path} cannot be read; it should hold the digest of an adapter in that folder. Remove it and materialize the "
            f"adapter's {'promotion' if which == 'promoted' else 'training'} again"
        ) from None


def _path(models: Path, task: str, entry: ModelEntry, which: Pointer) -> Path:
    beside_any = adapter_folder(models, task, entry, "any")
    return beside_any.with_name(f"{which}.json")
