"""The steps of a comparison, free of Dagster: ask the rows, let each model answer, judge all that answered.

Each model is a step by itself; whichever fails, the others stand, and what it answered before to this very question stays.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from pydantic import ValidationError

from clinical_assets.language_models.adapter_store import read_card
from clinical_assets.language_models.answers import Answer, Backend
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora import TrainedAdapter, train_adapter
from clinical_assets.language_models.lora_settings import LoraSettings, preset_of
from clinical_assets.prediction.classical import (
    CONSTANTS,
    LEARNERS,
    LOGISTIC,
    Predicted,
    constant_predictions,
    predict_everywhere,
)
from clinical_assets.prediction.importance import coefficients, permutation_importance
from clinical_assets.prediction.language import PredictionTask, answers_to_rows, odds_offset, status_of
from clinical_assets.prediction.rows import Dataset, QuestionError, dataset_of, read_source
from clinical_assets.prediction.splits import assign
from clinical_assets.prediction.store import Asked, ModelFacts, identity_of, keep_model
from clinical_assets.storage.lake import Lake, Written
from clinical_assets.study.prediction import PredictionFeature, PredictionQuestion

__all__ = [
    "STACKED",
    "ask",
    "ask_language_model",
    "fine_tune",
    "run_classical",
    "run_constants",
    "run_stacked",
    "settings_to_try",
]

STACKED = "lightgbm_stacked"
_VERSION = "2"  # raise it whenever the same question would get other answers
_DESCRIPTIONS = {
    "always_yes": "Always yes",
    "always_no": "Always no",
    "prevalence": "The share of yes among the training rows, for everybody",
    "lasso": "Logistic regression with an L1 penalty",
    "elastic_net": "Logistic regression, half L1 and half L2 penalty",
    "random_forest": "Random forest",
    "lightgbm": "LightGBM",
}

Log = Callable[[str], None]


def ask(question: PredictionQuestion, landing: Path, query: Callable[[str], pa.Table]) -> Asked:
    """Read the rows of the question and assign them to splits and folds.

    Raises
    ------
    QuestionError
        If the question cannot be asked of them.
    """
    dataset = dataset_of(question, read_source(question, landing, query))
    return Asked(question, dataset, assign(dataset, question.splits), dataset.digest(question))


def run_constants(lake: Lake, asked: Asked, *, made_at: datetime, run_id: str) -> list[Written]:
    """Keep the three constants: what every model has to beat."""
    made = []
    for name in CONSTANTS:
        rows = _rows_of(asked, constant_predictions(name, asked.dataset, asked.assigned))
        facts = ModelFacts(name, "constant", _DESCRIPTIONS[name], asked.assigned.rows("train").size, 0.0, {})
        made.append(keep_model(lake, asked, facts, rows, identity=asked.sha, made_at=made_at, run_id=run_id))
    return made


def run_classical(
    lake: Lake,
    asked: Asked,
    name: str,
    *,
    made_at: datetime,
    run_id: str,
    log: Log = lambda line: None,
    model_name: str | None = None,
    family: str = "classical",
    description: str = "",
    follows: str | None = "",
) -> Written:
    """Fit a classical model on the training rows and in every fold, and keep its answers, coefficients and importances.

    Parameters
    ----------
    model_name, family, description
        Of a variant; None and empty for the model itself.
    follows
        What else its answers follow from.

    Raises
    ------
    ValueError
        If it cannot be fitted.
    """
    called, chosen = model_name or name, asked.question.models
    limits = {
        "importance_repeats": chosen.importance_repeats,
        **({"coefficient_draws": chosen.coefficient_draws} if name in LOGISTIC else {}),
    }
    identity = _digest(asked.sha, called, LEARNERS[name], limits, follows)
    if identity_of(lake, called) == identity:
        log(f"{called}: nothing changed since it answered")
        return lake.written("prediction/predictions", called)
    started, seed = time.monotonic(), asked.question.splits.seed
    model, predicted = predict_everywhere(
        name,
        asked.dataset,
        asked.assigned,
        balance=chosen.balance,
        seed=seed,
        progress=lambda done, total: log(f"{called}: fold {done} of {total}") if done % 5 == 0 else None,
    )
    train, validation = asked.assigned.rows("train"), asked.assigned.rows("validation")
    weights = permutation_importance(model, asked.dataset, validation, repeats=chosen.importance_repeats, seed=seed)
    if name in LOGISTIC:
        weights += coefficients(model, asked.dataset, train, seed=seed, n_draws=chosen.coefficient_draws)
    facts = ModelFacts(
        called,
        family,
        description or _DESCRIPTIONS[name],
        int(train.size),
        time.monotonic() - started,
        {**LEARNERS[name], "balance": chosen.balance, **model.chosen},
        n_unseen=predicted[0].n_unseen,
    )
    if facts.n_unseen:
        log(
            f"{called}: {facts.n_unseen} values of categories that the training rows do not have; none of the known ones stands in"
        )
    return keep_model(
        lake, asked, facts, _rows_of(asked, predicted), weights, identity=identity, made_at=made_at, run_id=run_id
    )


def run_stacked(
    lake: Lake, asked: Asked, labeller: str, *, made_at: datetime, run_id: str, log: Log = lambda line: None
) -> Written:
    """Fit a LightGBM that has P(yes) of a zero-shot language model as one more feature.

    Raises
    ------
    QuestionError
        If that model has not answered this question without training for it.
    """
    rows = (
        lake.read("prediction/predictions", labeller).to_pylist()
        if lake.has("prediction/predictions", labeller)
        else []
    )
    if not rows or rows[0]["question_sha"] != asked.sha or any(row["design"] != "every_row" for row in rows):
        raise QuestionError(
            f"prediction.models.stacked_on: {labeller} has not answered this question zero-shot; materialize prediction/{labeller} first"
        )
    told = {row["row_id"]: row["probability"] for row in rows}
    feature = PredictionFeature(name=f"p_yes_{labeller}"[:63], kind="number")
    columns = {**asked.dataset.columns, feature.name: [told[row_id] for row_id in asked.dataset.ids]}
    dataset = Dataset(**{**vars(asked.dataset), "columns": columns, "features": (*asked.dataset.features, feature)})
    wider = Asked(asked.question, dataset, asked.assigned, asked.sha)
    return run_classical(
        lake,
        wider,
        "lightgbm",
        made_at=made_at,
        run_id=run_id,
        log=log,
        model_name=STACKED,
        family="stacked",
        description=f"LightGBM with P(yes) of {labeller} as a feature",
        follows=identity_of(lake, labeller),
    )


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
    identity = _digest(asked.sha, entry.labeller, revision, entry.full_decoding, entry.dtype, entry.template_text())
    if identity_of(lake, entry.labeller) == identity:
        log(f"{entry.labeller}: nothing changed since it answered")
        return lake.written("prediction/predictions", entry.labeller)
    started = time.monotonic()
    with open_backend() as backend:
        everybody = np.arange(asked.dataset.n)
        answers = answers_to_rows(backend, asked.dataset, everybody, asked.question.missing_text, log)
    facts = _language_facts(
        entry, entry.labeller, answers, 0, time.monotonic() - started, revision, {"decoding": entry.full_decoding}
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

    Parameters
    ----------
    open_backend
        Opens the model with the adapter of that digest.

    Raises
    ------
    ModelError
        If the base cannot be used, there are too few examples, or a saved adapter has other settings than were asked for.
    """
    started = time.monotonic()
    task = PredictionTask(entry, asked.question, asked.dataset, asked.assigned)
    tried = []
    for settings in settings_to_try(asked.question, entry):
        made = train_adapter(entry, task, settings, models=models, base_folder=base_folder, device=device, log=log)
        card = read_card(made.folder)
        if card.settings != settings:
            raise ModelError(
                f"model {entry.name!r}: adapter {made.digest[:16]} was saved with other settings than were asked for"
            )
        best = max((epoch.get("auroc", float("nan")) for epoch in made.history), default=float("nan"))
        tried.append((best, made, card))
        log(
            f"{entry.adapted_labeller}: rank {settings.rank}, rate {settings.learning_rate:g}: AUROC of validation {best:.3f}"
        )
    best, made, card = max(tried, key=lambda one: (not np.isnan(one[0]), one[0]))
    labeller = entry.adapted_labeller
    identity = _digest(asked.sha, labeller, made.digest, entry.full_decoding)
    if identity_of(lake, labeller) == identity:
        return lake.written("prediction/predictions", labeller), made
    rows = asked.assigned.rows("validation", "test")
    with open_backend(made.digest) as backend:
        answers = answers_to_rows(backend, asked.dataset, rows, asked.question.missing_text, log)
    offset = odds_offset(asked.question, asked.dataset.y[asked.assigned.rows("train")])
    settings_row = {
        **card.settings.model_dump(),
        "auroc_validation": best,
        "n_tried": len(tried),
        "best_epoch": made.best_epoch,
    }
    n_train = int(asked.assigned.rows("train").size)
    facts = _language_facts(
        entry, labeller, answers, n_train, time.monotonic() - started, card.base_revision, settings_row, made.digest
    )
    told = [_answer_row(asked, row, answer, "held_out", offset) for row, answer in sorted(answers.items())]
    return keep_model(lake, asked, facts, told, identity=identity, made_at=made_at, run_id=run_id), made


def _language_facts(
    entry: ModelEntry,
    labeller: str,
    answers: Mapping[int, Answer],
    n_train: int,
    seconds: float,
    revision: str,
    settings: Mapping[str, Any],
    adapter: str = "",
) -> ModelFacts:
    def total(name: str) -> int:
        return sum(getattr(answer, name) or 0 for answer in answers.values())

    how = "fine-tuned for the question" if adapter else "zero-shot"
    return ModelFacts(
        labeller,
        "language_model",
        f"{entry.description}; {how}",
        n_train,
        seconds,
        settings,
        total("n_input_tokens"),
        total("n_output_tokens"),
        revision=revision,
        adapter_sha=adapter,
    )


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


def _rows_of(asked: Asked, predicted: Sequence[Predicted]) -> list[dict[str, Any]]:
    ids = asked.dataset.ids
    return [
        {
            "row_id": ids[i],
            "design": one.design,
            "repeat": one.repeat,
            "fold": one.fold,
            "probability": float(p),
            "status": "answered",
        }
        for one in predicted
        for i, p in zip(one.rows.tolist(), one.probability, strict=True)
    ]


def _digest(*parts: Any) -> str:
    return hashlib.sha256(json.dumps([_VERSION, *parts], sort_keys=True, default=str).encode()).hexdigest()
