"""Adapters on disk: what tells one from another, where it is kept, and whether what lies there is whole and fits its base."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from clinical_assets.language_models.answers import sha256
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.training_task import Example, TrainingTask
from clinical_assets.storage.failpoints import failpoint

__all__ = [
    "ADAPTER_FILES",
    "AdapterCard",
    "adapter_digest",
    "adapter_folder",
    "check_adapter",
    "check_prompt",
    "examples_digest",
    "publish_adapter",
    "read_card",
    "workshop",
]

# Raise it whenever the same examples and settings would give other weights.
_VERSION = "1"
_ABANDONED_SECONDS = 7 * 86_400.0
_CANNOT_WRITE = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
_CARD = "adapter_card.json"
ADAPTER_FILES = ("adapter_model.safetensors", "adapter_config.json")


class AdapterCard(BaseModel):
    """What is known of an adapter, beside its weights; holds no text of a note.

    Attributes
    ----------
    digest
        Names the adapter: data, settings, base, prompt and code version.
    task, model, base, base_revision
        What it is for, the catalogue's name of its base, where that comes from, and what tells its weights from others.
    prompt_sha
        Digest of the wording it was trained with.
    train_digest, validation_digest
        Of the examples (ids, texts, targets).
    n_train, n_validation, n_cut
        Examples, and how many of them had their text cut to the token budget.
    settings
        How it was trained.
    files
        SHA-256 (hex) of each file of the adapter.
    base_validation_loss
        Validation loss of the base, nats a token: where the adapter started.
    history
        One row an epoch: epoch, step, loss, validation_loss, learning_rate, and the task's measures.
    losses
        Training loss of every step.
    best_epoch
        The epoch whose weights are kept.
    stopped
        finished, early (nothing got better), or not_finite (the loss exploded or was no number; an earlier epoch is kept).
    n_steps, seconds, tokens_per_second, peak_bytes
        Of the training; seconds and tokens of the last process only if it was resumed; tokens count every row in full.
    n_trainable, n_parameters
        Parameters of the adapter, and of the base.
    device, versions
        Where, and with which libraries.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    digest: str
    task: str
    model: str
    base: str
    base_revision: str
    prompt_sha: str
    train_digest: str
    validation_digest: str
    n_train: int
    n_validation: int
    n_cut: int
    settings: LoraSettings
    files: dict[str, str]
    base_validation_loss: float
    history: list[dict[str, float]]
    losses: list[float]
    best_epoch: int
    stopped: str
    n_steps: int
    seconds: float
    tokens_per_second: float
    peak_bytes: int
    n_trainable: int
    n_parameters: int
    device: str
    versions: dict[str, str]


def examples_digest(examples: Sequence[Example]) -> str:
    """Return the SHA-256 (hex) of examples: ids, groups, texts and targets, whatever their order."""
    digest = hashlib.sha256()
    for item in sorted(sha256(e.example_id, e.group, e.text, e.target) for e in examples):
        digest.update(item.encode())
    return digest.hexdigest()


def adapter_digest(entry: ModelEntry, base_revision: str, task: TrainingTask, settings: LoraSettings) -> str:
    """Return what tells an adapter from others (hex): data, settings, base, prompt, chat template and code version.

    Parameters
    ----------
    base_revision
        As :func:`clinical_assets.language_models.loading.model_revision` gives it.
    """
    weights = {e.target: list(map(list, task.decides(e.target))) for e in task.train}
    return sha256(
        _VERSION,
        task.name,
        task.metric_name or "",
        task.prompt.sha256,
        examples_digest(task.train),
        examples_digest(task.validation),
        json.dumps(weights, sort_keys=True),
        settings.model_dump_json(),
        base_revision,
        entry.template_text(),
        f"{entry.name} {entry.dtype} {entry.reasoning}",
    )


def adapter_folder(models: Path, task_name: str, entry: ModelEntry, digest: str) -> Path:
    """Return where an adapter is kept: ``<models>/adapters_<task>_<model>/<digest>``."""
    if not re.fullmatch(r"[a-z][a-z_]*", task_name):
        raise ModelError(f"task {task_name!r}: a task's name is small letters and underscores, it names a folder")
    return models / f"adapters_{task_name}_{entry.name}" / digest[:16]


def read_card(folder: Path) -> AdapterCard:
    """Return what is known of an adapter.

    Raises
    ------
    ModelError
        If there is none, or its card cannot be read.
    """
    path = folder / _CARD
    if not path.is_file():
        raise ModelError(
            f"adapter {folder}: there is none ({_CARD} is missing); materialize the adapter, or name another. "
            "The base model is not used in its stead"
        )
    try:
        return AdapterCard.model_validate_json(path.read_bytes())
    except (ValidationError, OSError) as error:
        raise ModelError(
            f"adapter {folder}: {_CARD} cannot be read ({type(error).__name__}); remove the folder and train it again"
        ) from None


def check_adapter(folder: Path, *, base_revision: str, prompt_sha: str | None = None) -> AdapterCard:
    """Return the card of an adapter that is whole and fits.

    Parameters
    ----------
    base_revision
        Of the weights it is to be put on.
    prompt_sha
        Digest of the wording it is to be asked with; None to leave that open.

    Raises
    ------
    ModelError
        If it is missing, a file is missing or was changed, or it was trained on another base or with another prompt.
    """
    card = read_card(folder)
    for name in ADAPTER_FILES:
        path = folder / name
        if not path.is_file():
            raise ModelError(f"adapter {folder}: {name} is missing; remove the folder and train it again")
        if card.files.get(name) != file_sha256(path):
            raise ModelError(
                f"adapter {folder}: {name} is not the file that was saved (its SHA-256 differs); it is corrupt or was "
                "changed. Remove the folder and train it again, or restore it from a copy"
            )
    if card.base_revision != base_revision:
        raise ModelError(
            f"adapter {folder}: trained on {card.model} at revision {card.base_revision}, but the weights at hand are "
            f"{base_revision}; pin that revision, or train an adapter for this one"
        )
    if prompt_sha is not None:
        check_prompt(folder, card, prompt_sha)
    return card


def check_prompt(folder: Path, card: AdapterCard, prompt_sha: str) -> None:
    """Raise ModelError if an adapter was trained with another wording than it is to be asked with."""
    if card.prompt_sha != prompt_sha:
        raise ModelError(
            f"adapter {folder}: trained with another prompt (digest {card.prompt_sha[:12]}, asked now "
            f"{prompt_sha[:12]}); ask with the wording it was trained with, or train it again"
        )


def file_sha256(path: Path) -> str:
    """Return the SHA-256 (hex) of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def publish_adapter(folder: Path, weights: Path, facts: Mapping[str, Any], readme: str) -> AdapterCard:
    """Put an adapter into `folder` as a whole, or not at all.

    Parameters
    ----------
    weights
        Folder (on the same file system) that holds the adapter's files; they are copied.
    facts
        The card but for `files`.
    readme
        The card for people.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    work = folder.with_name(f".publishing.{folder.name}")
    shutil.rmtree(work, ignore_errors=True)
    try:
        work.mkdir(mode=0o700)
        for name in ADAPTER_FILES:
            shutil.copyfile(weights / name, work / name)
        card = AdapterCard(**facts, files={name: file_sha256(work / name) for name in ADAPTER_FILES})
        (work / _CARD).write_text(card.model_dump_json(indent=1), encoding="utf-8")
        (work / "README.md").write_text(readme, encoding="utf-8")
        for item in work.iterdir():
            with item.open("rb") as stream:
                os.fsync(stream.fileno())
        failpoint("lora.before_replace")
        os.replace(work, folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    return card


@contextlib.contextmanager
def workshop(folder: Path) -> Iterator[Path]:
    """Give the private folder of a training; it is removed when the training succeeds, and kept to go on from when it does not.

    Raises
    ------
    ModelError
        If another process trains the same adapter, or something cannot be written.
    """
    work = folder.with_name(f".training.{folder.name}")
    try:
        work.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in folder.parent.glob(".training.*"):  # of a training that nobody went on with
            if left != work and time.time() - left.stat().st_mtime > _ABANDONED_SECONDS:
                shutil.rmtree(left, ignore_errors=True)
        with (work / "lock").open("w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ModelError(f"adapter {folder}: another process is training it; wait until it is done") from None
            yield work
    except Exception as error:
        if _is_write_failure(error):
            free = shutil.disk_usage(folder.parent).free if folder.parent.exists() else 0
            raise ModelError(
                f"adapter {folder}: cannot be written ({_reason(error)}; {free / 1e9:.2f} GB free there); no half adapter is left. "
                "Make room, or see to the folder's permissions, and run it again: it goes on from its last checkpoint"
            ) from None
        raise
    shutil.rmtree(work, ignore_errors=True)


def _is_write_failure(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in _CANNOT_WRITE
    text = str(error)
    return type(error).__name__ == "SafetensorError" or "PytorchStreamWriter" in text or "failed writing file" in text


def _reason(error: Exception) -> str:
    return (
        (error.strerror or "input or output error")
        if isinstance(error, OSError)
        else "a file could not be written whole"
    )
