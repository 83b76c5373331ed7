"""The steps of a comparison that ask language models: as they are, and fine-tuned for the question, free of Dagster."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError

from clinical_assets.language_models.adapter_store import read_card
from clinical_assets.language_models.answers import Answer, Backend
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora import TrainedAdapter, train_adapter
from clinical_assets.language_models.lora_settings import LoraSettings, preset_of
from clinical_assets.prediction.chain import Log, digest_of
from clinical_assets.prediction.language import PredictionTask, answers_to_rows, odds_offset, status_of
from clinical_assets.prediction.rows import QuestionError
from clinical_assets.prediction.splits import fold_as_test
from clinical_assets.prediction.store import Asked, ModelFacts, identity_of, keep_model
from clinical_assets.prediction.usage import Usage, measured
from clinical_assets.storage.lake import Lake, Written
from clinical_assets.study.prediction import PredictionQuestion

__all__ = ["ask_language_model", "fine_tune", "refuse_other_settings", "settings_to_try"]


def ask_language_model(
    lake: Lake,
    asked: Asked,
    entry: ModelEntry,
    revision: str,
    open_backend: Callable[[], AbstractContextManager[Backend]],
    *,
    made_at: datetime,
    run_id: str,
    log: Log = lambda line: None,
) -> Written:
    """Let a language model answer every row, as it is, and keep the answers.

    Parameters
    ----------
    revision
        What tells its weights from others; if these answered this question already, nothing is asked.

    Raises
    ------
    ModelError, ServerError, DeviceError
        If the model cannot be used.
    """
    identity = digest_of(asked.sha, entry.labeller, revision, entry.full_decoding, entry.dtype, entry.template_text())
    if identity_of(lake, entry.labeller) == identity:
        log(f"{entry.labeller}: nothing changed since it answered")
        return lake.written("prediction/predictions", entry.labeller)
    with measured() as usage, open_backend() as backend:
        everybody = np.arange(asked.dataset.n)
        answers = answers_to_rows(backend, asked.dataset, everybody, asked.question.missing_text, log)
    facts = _language_facts(
        entry, entry.labeller, answers.values(), 0, usage, revision, {"decoding": entry.full_decoding}
    )
    rows = [_answer_row(asked, row, answer, "every_row", 0.0) for row, answer in sorted(answers.items())]
    return keep_model(lake, asked, facts, rows, identity=identity, made_at=made_at, run_id=run_id)


def settings_to_try(question: PredictionQuestion, entry: ModelEntry) -> list[LoraSettings]:
    """Return how adapters of a model are trained for the question: one, or one for each of the sweep.

    Raises
    ------
    QuestionError
        If a setting does not exist or cannot be.
    """
    wish = question.fine_tuning
    try:
        base = preset_of(wish.preset) if wish.preset else entry.lora_settings
        tried = wish.sweep or [{}]
        return [LoraSettings.model_validate({**base.model_dump(), **wish.settings, **one}) for one in tried]
    except (ValidationError, ValueError) as error:
        found = error.errors(include_url=False, include_input=False) if isinstance(error, ValidationError) else []
        said = "; ".join(f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in found) or str(error)
        raise QuestionError(
            f"prediction.fine_tuning: {said}; settings are: {', '.join(LoraSettings.model_fields)}"
        ) from None


def fine_tune(
    lake: Lake,
    asked: Asked,
    entry: ModelEntry,
    open_backend: Callable[[str], AbstractContextManager[Backend]],
    *,
    models: Path,
    base_folder: Path | None,
    device: Device,
    made_at: datetime,
    run_id: str,
    log: Log = lambda line: None,
) -> tuple[Written, TrainedAdapter]:
    """Train adapters on the training rows (or find them trained), keep the answers of the one that ranks the validation rows best.

    With `fine_tuning.folds`, one more adapter a fold of the first repeat, with the settings that won, answers its fold: then fine-tuned
    models are judged out of fold on the folds of all the others.

    Parameters
    ----------
    open_backend
        Opens the model with the adapter of that digest.

    Raises
    ------
    ModelError
        If the base cannot be used, there are too few examples, or a saved adapter has other settings than were asked for.
    """
    labeller, missing_text = entry.adapted_labeller, asked.question.missing_text

    def train(task: PredictionTask, settings: LoraSettings) -> TrainedAdapter:
        made = train_adapter(entry, task, settings, models=models, base_folder=base_folder, device=device, log=log)
        refuse_other_settings(entry, made.folder, settings)
        return made

    with measured() as usage:
        task = PredictionTask(entry, asked.question, asked.dataset, asked.assigned)
        tried = []
        for settings in settings_to_try(asked.question, entry):
            made = train(task, settings)
            best = max((epoch.get("auroc", float("nan")) for epoch in made.history), default=float("nan"))
            tried.append((best, settings, made))
            log(f"{labeller}: rank {settings.rank}, rate {settings.learning_rate:g}: AUROC of validation {best:.3f}")
        best, settings, made = max(tried, key=lambda one: (not np.isnan(one[0]), one[0]))
        folds = int(asked.assigned.folds[0].max()) + 1 if asked.question.fine_tuning.folds else 0
        identity = digest_of(asked.sha, labeller, made.digest, entry.full_decoding, folds)
        if identity_of(lake, labeller) == identity:
            return lake.written("prediction/predictions", labeller), made
        with open_backend(made.digest) as backend:
            rows = asked.assigned.rows("validation", "test")
            answers = answers_to_rows(backend, asked.dataset, rows, missing_text, log)
        told = _told(asked, answers, "held_out", asked.assigned.rows("train"))
        every = list(answers.values())
        for fold in range(folds):
            apart = fold_as_test(asked.assigned, fold)
            one = train(PredictionTask(entry, asked.question, asked.dataset, apart), settings)
            with open_backend(one.digest) as backend:
                answers = answers_to_rows(backend, asked.dataset, apart.rows("test"), missing_text, log)
            told += _told(asked, answers, "cross_validation", apart.rows("train"), fold)
            every += answers.values()
            log(f"{labeller}: fold {fold + 1} of {folds} answered")
    card = read_card(made.folder)
    settings_row = {
        **card.settings.model_dump(),
        "auroc_validation": best,
        "n_tried": len(tried),
        "best_epoch": made.best_epoch,
        "n_trainable": card.n_trainable,
    }
    n_train = int(asked.assigned.rows("train").size)
    usage.peak_bytes = max(usage.peak_bytes, made.peak_bytes)
    facts = _language_facts(entry, labeller, every, n_train, usage, card.base_revision, settings_row, made.digest)
    return keep_model(lake, asked, facts, told, identity=identity, made_at=made_at, run_id=run_id), made


def refuse_other_settings(entry: ModelEntry, folder: Path, asked_for: LoraSettings) -> None:
    """Raise ModelError unless an adapter was saved with the settings that were asked for: its card, and what PEFT wrote of itself.

    The published comparison printed ranks that its trainer never got.
    """
    saved = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    wanted = {"r": asked_for.rank, "lora_alpha": asked_for.alpha, "lora_dropout": asked_for.dropout}
    differs = {name: (saved.get(name), value) for name, value in wanted.items() if saved.get(name) != value}
    if read_card(folder).settings != asked_for or differs:
        raise ModelError(
            f"model {entry.name!r}: adapter {folder.name} was saved with other settings than were asked for"
            + "".join(f"; {name}: {was}, asked for {value}" for name, (was, value) in differs.items())
            + "; remove the folder and train it again"
        )


def _language_facts(
    entry: ModelEntry,
    labeller: str,
    answers: Collection[Answer],
    n_train: int,
    usage: Usage,
    revision: str,
    settings: Mapping[str, Any],
    adapter: str = "",
) -> ModelFacts:
    def total(name: str) -> int:
        return sum(getattr(answer, name) or 0 for answer in answers)

    how = "fine-tuned for the question" if adapter else "zero-shot"
    return ModelFacts(
        labeller,
        "language_model",
        f"{entry.description}; {how}",
        n_train,
        usage.seconds,
        settings,
        total("n_input_tokens"),
        total("n_output_tokens"),
        revision=revision,
        adapter_sha=adapter,
        processor_seconds=usage.processor_seconds,
        peak_bytes=usage.peak_bytes,
    )


def _told(
    asked: Asked, answers: Mapping[int, Answer], design: str, trained_on: npt.NDArray[np.int64], fold: int = 0
) -> list[dict[str, Any]]:
    offset = odds_offset(asked.question, asked.dataset.y[trained_on])
    return [
        {**_answer_row(asked, row, answer, design, offset), "fold": fold} for row, answer in sorted(answers.items())
    ]


def _answer_row(asked: Asked, row: int, answer: Answer, design: str, offset: float) -> dict[str, Any]:
    p, value = answer.probabilities[0], answer.values[0]
    if p is not None and offset:
        odds = np.log(max(p, 1e-9)) - np.log(max(1 - p, 1e-9)) + offset
        p = float(1 / (1 + np.exp(-odds)))
    wrote = answer.text
    if wrote is None and value is not None:
        wrote = json.dumps({asked.question.name: value})
    return {
        "row_id": asked.dataset.ids[row],
        "design": design,
        "probability": p,
        "answer": value if p is None else None,
        "status": status_of(answer),
        "text": wrote,
    }
