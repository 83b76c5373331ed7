"""The steps from human labels to an adapter that labels, free of Dagster: train, compare with the base, decide."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from clinical_assets.adapters.comparison import Verdict, comparison_rows, verdict_of
from clinical_assets.adapters.gold_notes import gold_notes
from clinical_assets.adapters.label_task import LabelTask, answers_to
from clinical_assets.adapters.registry import (
    answer_rows,
    register_comparison,
    register_promotion,
    register_training,
    verdict_on,
)
from clinical_assets.labels.model_labels import question_of
from clinical_assets.language_models.adapter_pointers import point_at, pointed_at
from clinical_assets.language_models.adapter_store import AdapterCard, read_card
from clinical_assets.language_models.answers import Backend
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora import TrainedAdapter, train_adapter
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import StudyError
from clinical_assets.study.model import Study

__all__ = ["Compared", "Trained", "check_settings", "compare_with_base", "promote", "settings_of", "train_for_labels"]


@dataclass(frozen=True)
class Trained:
    """A trained adapter: what the engine says of it, and its card."""

    adapter: TrainedAdapter
    card: AdapterCard


@dataclass(frozen=True)
class Compared:
    """An adapter beside its base on the same test notes: one row a field and one for all, and the verdict."""

    digest: str
    rows: list[dict[str, Any]]
    verdict: Verdict
    n_notes: int


def settings_of(entry: ModelEntry, study: Study) -> LoraSettings:
    """Return how a model's adapters are trained: its preset, with what the study replaces.

    Raises
    ------
    StudyError
        If the study gives a setting that does not exist or cannot be.
    """
    replaced = study.fine_tuning.settings.get(entry.name, {})
    try:
        return LoraSettings.model_validate({**entry.lora_settings.model_dump(), **replaced})
    except ValidationError as error:
        problems = [
            ".".join(["fine_tuning", "settings", entry.name, *map(str, found["loc"])])
            + f": {found['msg']}; settings are: {', '.join(LoraSettings.model_fields)}"
            for found in error.errors(include_url=False, include_input=False)
        ]
        raise StudyError(study.name, problems) from None


def check_settings(study: Study, entries: Sequence[ModelEntry]) -> None:
    """Refuse what the study says of adapters that cannot be: a model that has none, a setting that does not exist.

    Parameters
    ----------
    entries
        The models that have adapters.

    Raises
    ------
    StudyError
        Naming what is known.
    """
    from difflib import get_close_matches

    names = [entry.name for entry in entries]
    for name in study.fine_tuning.settings:
        if name not in names:
            near = get_close_matches(name, names, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            problem = (
                f"fine_tuning.settings.{name}: no model with task adapters is called so{hint} Known: {', '.join(names)}"
            )
            raise StudyError(study.name, [problem])
    for entry in entries:
        settings_of(entry, study)


def train_for_labels(
    lake: Lake,
    entry: ModelEntry,
    study: Study,
    scope: Collection[int],
    *,
    models: Path,
    base_folder: Path | None,
    device: Device,
    trained_at: datetime,
    run_id: str,
    log: Callable[[str], None],
) -> Trained:
    """Train an adapter for the study's question, register it, and make it the candidate.

    Parameters
    ----------
    scope
        note_ids in the scope of labelling, which are taken first.
    models
        Folder of trained models.
    base_folder
        Where a demo model's weights are; None for what the entry names.

    Raises
    ------
    ModelError
        If the base cannot be used, there are too few examples, or a field is the same in all of them.
    StudyError
        If the study's settings are wrong.
    """
    settings, question = settings_of(entry, study), question_of(study, entry)
    notes = gold_notes(lake, question.schema.fields, scope, study.fine_tuning)
    log(
        f"{len(notes.train)} annotated notes to train on, {len(notes.validation)} to choose the epoch by "
        f"({notes.n_available} there are), {len(notes.test)} kept for the comparison"
    )
    task = LabelTask(entry, question, notes, study.labelling.overlap)
    made = train_adapter(entry, task, settings, models=models, base_folder=base_folder, device=device, log=log)
    card = read_card(made.folder)
    register_training(
        lake,
        card,
        made.folder.relative_to(models).as_posix(),
        task.metric_name,
        n_available=notes.n_available,
        trained_at=trained_at,
        run_id=run_id,
    )
    point_at(models, task.name, entry, "candidate", made.digest)
    return Trained(made, card)


def compare_with_base(
    lake: Lake,
    entry: ModelEntry,
    study: Study,
    scope: Collection[int],
    open_backend: Callable[[str | None], AbstractContextManager[Backend]],
    *,
    models: Path,
    labelled_at: datetime,
    run_id: str,
    log: Callable[[str], None],
) -> Compared:
    """Let base and candidate answer the same test notes, by the same decoder, and register what comes of it.

    Parameters
    ----------
    open_backend
        Opens the model with the adapter of that digest; without one for None.

    Raises
    ------
    ModelError
        If nothing was trained yet, there is no test note, or a model cannot be used.
    """
    digest = _candidate(models, entry)
    question = question_of(study, entry)
    notes = gold_notes(lake, question.schema.fields, scope, study.fine_tuning).test
    if not notes:
        raise ModelError(
            f"model {entry.name!r}: no annotated note is in the test split, so nothing can be compared; label more"
        )
    answers = {}
    for variant, adapter in (("base", None), ("adapter", digest)):
        log(f"{len(notes)} test notes are read by the {variant}")
        with open_backend(adapter) as backend:
            answers[variant] = answers_to(backend, notes, overlap=study.labelling.overlap)
    table = answer_rows(digest, question.schema.fields, notes, answers, labelled_at=labelled_at, run_id=run_id)
    rows = comparison_rows(table)
    verdict = verdict_of(rows)
    register_comparison(lake, digest, table, rows, verdict, n_notes=len(notes), decided_at=labelled_at, run_id=run_id)
    return Compared(digest, rows, verdict, len(notes))


def promote(lake: Lake, entry: ModelEntry, *, models: Path, promoted_at: datetime, run_id: str) -> str:
    """Let the candidate label from now on, and return its digest.

    Raises
    ------
    ModelError
        If nothing was trained, the candidate was not compared with its base, or it is not better: the one that labels stays.
    """
    digest = _candidate(models, entry)
    verdict = verdict_on(lake, digest)
    if verdict is None:
        raise ModelError(
            f"model {entry.name!r}: adapter {digest[:16]} was not compared with its base yet; materialize "
            f"adapters/labels_{entry.name}_evaluation"
        )
    if not verdict["promotable"]:
        raise ModelError(f"model {entry.name!r}: adapter {digest[:16]} is not promoted: {verdict['reasons']}")
    if pointed_at(models, LabelTask.name, entry, "promoted") != digest:
        register_promotion(lake, digest, promoted_at=promoted_at, run_id=run_id)
        point_at(models, LabelTask.name, entry, "promoted", digest)
    return digest


def _candidate(models: Path, entry: ModelEntry) -> str:
    digest = pointed_at(models, LabelTask.name, entry, "candidate")
    if digest is None:
        raise ModelError(
            f"model {entry.name!r}: no adapter was trained for it yet; materialize adapters/labels_{entry.name}"
        )
    return digest
