"""Trained taggers on disk: JSON, CRFsuite's format and spaCy's (msgpack, JSON, plain arrays), named by their digest; never pickle.

``models/entities_spacy/<digest>/`` holds model.json (what it is, and the SHA-256 of every other file), words.json, names.json,
choice.json, chain.crfsuite and network/; ``promoted.json`` beside it says which one extracts. A folder appears whole or not at all, and a
file that is not what model.json says is not read. Stages of a training that is not finished stand in ``.training.<digest of its input>``.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clinical_assets.entities.word_classes import Vectors
from clinical_assets.storage.content_folder import FolderError, point_at, pointed_at, sync
from clinical_assets.storage.failpoints import failpoint

if TYPE_CHECKING:
    from spacy.language import Language

__all__ = ["FOLDER", "Stages", "TaggerError", "keep_tagger", "open_verified", "promote", "promoted_tagger"]

FOLDER = "entities_spacy"
_FORMAT = 1
_PARTS = ("words.json", "names.json", "choice.json", "chain.crfsuite", "network")
_REMEDY = "land annotated documents in landing/corpora and run the job train_entity_model"


class TaggerError(ValueError):
    """No tagger can be used; the message says why and how to get one."""


class Stages:
    """Finished parts of a training in a folder of its own; a part that is there is not made again.

    Parameters
    ----------
    folder
        Made if missing. Its name stands for all that the training depends on, so that what is found there fits.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def file(self, name: str, make: Callable[[Path], object]) -> Path:
        """Return the file of a stage; `make` writes it to the path that it is given."""
        target = self.folder / name
        if not target.exists():
            temporary = self.folder / f".{name}.tmp"
            make(temporary)
            sync(temporary)
            failpoint("entity_model.before_stage")
            os.replace(temporary, target)
            failpoint("entity_model.after_stage")
        return target

    def json(self, name: str, make: Callable[[], Mapping[str, Any]]) -> dict[str, Any]:
        """Return the JSON of a stage."""
        path = self.file(name, lambda to: to.write_text(json.dumps(make(), sort_keys=True), encoding="utf-8"))
        said: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        return said

    def vectors(self, make: Callable[[], Vectors | None]) -> Vectors | None:
        """Return word vectors; None where the stage said that there are none."""

        def write(path: Path) -> None:
            from safetensors.numpy import save

            made = make()
            values = np.zeros((0, 1), dtype=np.float32) if made is None else np.ascontiguousarray(made.values)
            path.write_bytes(
                save({"values": values}, metadata={"words": json.dumps([] if made is None else made.words)})
            )

        from safetensors import safe_open

        with safe_open(self.file("vectors.safetensors", write), framework="numpy") as file:
            words = tuple(json.loads(file.metadata()["words"]))
            return Vectors(words, file.get_tensor("values")) if words else None

    def network(self, make: Callable[[], Language]) -> Language:
        """Return the trained pipeline."""
        target = self.folder / "network"
        if not target.is_dir():
            work = Path(tempfile.mkdtemp(prefix=".network.", dir=self.folder))
            make().to_disk(work)
            failpoint("entity_model.before_stage")
            os.replace(work, target)
            failpoint("entity_model.after_stage")
        return load_network(target)

    def discard(self) -> None:
        """Remove the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)


def load_network(folder: Path) -> Language:
    """Return the pipeline of a folder whose files were checked."""
    import spacy

    return spacy.load(folder)


def keep_tagger(models: Path, stages: Stages, described: Mapping[str, Any]) -> str:
    """Put the finished stages in place as a model, promote it, and return its digest; the same model is kept once."""
    folder = models / FOLDER
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    for left in folder.glob(".model.*"):  # of a run that was killed here
        shutil.rmtree(left, ignore_errors=True)
    work = Path(tempfile.mkdtemp(prefix=".model.", dir=folder))
    try:
        for name in _PARTS:
            source = stages.folder / name
            if source.is_dir():
                shutil.copytree(source, work / name)
            elif source.exists():
                shutil.copyfile(source, work / name)
        said = json.dumps({"format": _FORMAT, **described, "files": _digests(work)}, sort_keys=True, indent=1)
        (work / "model.json").write_text(said, encoding="utf-8")
        for path in work.rglob("*"):
            if path.is_file():
                sync(path)
        digest = hashlib.sha256(said.encode()).hexdigest()[:32]
        failpoint("entity_model.before_replace")
        if not (folder / digest).is_dir():
            os.replace(work, folder / digest)
            sync(folder)
        failpoint("entity_model.before_promotion")
    finally:
        shutil.rmtree(work, ignore_errors=True)
    promote(models, digest)
    return digest


def promote(models: Path, digest: str) -> None:
    """Say that this model extracts from now on."""
    point_at(models / FOLDER, digest)


def promoted_tagger(models: Path) -> str:
    """Return the digest of the tagger that extracts.

    Raises
    ------
    TaggerError
        If none was trained yet, or the file that says which cannot be read.
    """
    folder = models / FOLDER
    try:
        digest = pointed_at(folder, "run the job train_entity_model")
    except FolderError as error:
        raise TaggerError(str(error)) from None
    if digest is None:
        raise TaggerError(f"no entity model is trained yet (nothing in {folder} is in use); {_REMEDY}")
    return digest


def open_verified(models: Path, digest: str) -> tuple[Path, dict[str, Any]]:
    """Return a model's folder and description, after every file was found to be what the description says.

    Raises
    ------
    TaggerError
        If it is not there, of another format, or a file is missing, changed, or one that does not belong to it.
    """
    folder = models / FOLDER / digest
    try:
        said = (folder / "model.json").read_bytes()
        described: dict[str, Any] = json.loads(said)
    except (OSError, ValueError):
        raise TaggerError(f"{folder} is no entity model; {_REMEDY}") from None
    whole = hashlib.sha256(said).hexdigest()[:32] == digest
    if whole and described.get("format") != _FORMAT:
        raise TaggerError(f"{folder}: format {described.get('format')}, this version reads {_FORMAT}; {_REMEDY}")
    if not whole or _digests(folder) != described["files"]:
        raise TaggerError(f"{folder} was changed after it was written; remove it and run the job train_entity_model")
    return folder, described


def _digests(folder: Path) -> dict[str, str]:
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p != folder / "model.json")
    return {p.relative_to(folder).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest() for p in files}
