"""The steps of a comparison, free of Dagster: ask the rows, let each model answer, judge all that answered.

Each model is a step by itself; whichever fails, the others stand, and what it answered before to this very question stays.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.prediction.classical import (
    CONSTANTS,
    LEARNERS,
    LOGISTIC,
    Model,
    Predicted,
    constant_predictions,
    predict_everywhere,
)
from clinical_assets.prediction.importance import coefficients, permutation_importance
from clinical_assets.prediction.portable import Portable, load_portable, portable, save_portable
from clinical_assets.prediction.rows import Dataset, QuestionError, dataset_of, read_source
from clinical_assets.prediction.scoring import models_folder
from clinical_assets.prediction.splits import assign
from clinical_assets.prediction.store import Asked, ModelFacts, identity_of, keep_model, trained_before
from clinical_assets.prediction.usage import measured
from clinical_assets.storage.content_folder import FolderError
from clinical_assets.storage.lake import Lake, Written
from clinical_assets.study.prediction import PredictionFeature, PredictionQuestion

__all__ = [
    "STACKED",
    "Log",
    "ask",
    "digest_of",
    "run_classical",
    "run_constants",
    "run_stacked",
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
    models: Path | None = None,
    log: Log = lambda line: None,
    model_name: str | None = None,
    family: str = "classical",
    description: str = "",
    follows: str | None = "",
) -> Written:
    """Fit a classical model on the training rows and in every fold, and keep it, its answers, coefficients and importances.

    A model that was trained on just this is not trained again: where only the number of shuffles changed, the stored one is looked at anew.

    Parameters
    ----------
    models
        Folder of stored models; None to store none.
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
    draws = chosen.coefficient_draws if name in LOGISTIC else 0
    training = digest_of(asked.sha, called, LEARNERS[name], draws, follows)
    identity = digest_of(training, chosen.importance_repeats)
    folder = None if models is None else models_folder(models, asked.question, called)
    stored = trained_before(lake, called, training)
    if identity_of(lake, called) == identity and (folder is None or (stored and (folder / stored).is_dir())):
        log(f"{called}: nothing changed since it answered")
        return lake.written("prediction/predictions", called)
    with measured() as usage:
        kept = _stored(folder, stored, log)
        if kept is not None and stored is not None:
            log(f"{called}: the stored model answers again; nothing is trained")
            rows, weights = _looked_at_anew(lake, asked, called, kept)
            n_unseen, settings, model_sha = kept.n_unseen(asked.dataset.columns, _judged(asked)), kept.chosen, stored
        else:
            model, predicted = predict_everywhere(
                name,
                asked.dataset,
                asked.assigned,
                balance=chosen.balance,
                seed=asked.question.splits.seed,
                progress=lambda done, total: log(f"{called}: fold {done} of {total}") if done % 5 == 0 else None,
            )
            rows, weights = _rows_of(asked, predicted), _importance(asked, model)
            if draws:
                train = asked.assigned.rows("train")
                weights += coefficients(model, asked.dataset, train, seed=asked.question.splits.seed, n_draws=draws)
            n_unseen, settings = predicted[0].n_unseen, model.chosen
            model_sha = save_portable(folder, portable(model)) if folder is not None else ""
    if n_unseen:
        log(
            f"{called}: {n_unseen} values of categories that the training rows do not have; none of the known ones stands in"
        )
    facts = ModelFacts(
        called,
        family,
        description or _DESCRIPTIONS[name],
        int(asked.assigned.rows("train").size),
        usage.seconds,
        {**LEARNERS[name], "balance": chosen.balance, **settings},
        n_unseen=n_unseen,
        model_sha=model_sha,
        processor_seconds=usage.processor_seconds,
        peak_bytes=usage.peak_bytes,
    )
    return keep_model(
        lake, asked, facts, rows, weights, identity=identity, training=training, made_at=made_at, run_id=run_id
    )


def _stored(folder: Path | None, digest: str | None, log: Log) -> Portable | None:
    if folder is None or digest is None:
        return None
    try:
        return load_portable(folder, digest)
    except FolderError as error:
        log(f"{error}: it is trained again")
        return None


def _judged(asked: Asked) -> npt.NDArray[np.int64]:
    return asked.assigned.rows("validation", "test")


def _importance(asked: Asked, model: Model | Portable) -> list[dict[str, Any]]:
    validation, repeats = asked.assigned.rows("validation"), asked.question.models.importance_repeats
    return permutation_importance(model, asked.dataset, validation, repeats=repeats, seed=asked.question.splits.seed)


def _looked_at_anew(
    lake: Lake, asked: Asked, called: str, model: Portable
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Answers of the stored model on the rows it was held out from, those of the folds as they are; importances made anew."""
    held = lake.read("prediction/predictions", called).to_pylist()
    folds = [
        {k: row[k] for k in ("row_id", "design", "repeat", "fold", "probability", "status")}
        for row in held
        if row["design"] == "cross_validation"
    ]
    rows = _judged(asked)
    again = Predicted("held_out", 0, 0, rows, model.predict(asked.dataset.columns, rows))
    coefficients_kept = [
        {k: row[k] for k in ("kind", "feature", "value", "low", "high", "share_nonzero")}
        for row in lake.read("prediction/weights", called).to_pylist()
        if row["kind"] == "coefficient"
    ]
    return [*_rows_of(asked, [again]), *folds], [*_importance(asked, model), *coefficients_kept]


def run_stacked(
    lake: Lake,
    asked: Asked,
    labeller: str,
    *,
    made_at: datetime,
    run_id: str,
    models: Path | None = None,
    log: Log = lambda line: None,
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
        models=models,
        log=log,
        model_name=STACKED,
        family="stacked",
        description=f"LightGBM with P(yes) of {labeller} as a feature",
        follows=identity_of(lake, labeller),
    )


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


def digest_of(*parts: Any) -> str:
    """Return the SHA-256 (hex) of what answers follow from, code version included."""
    return hashlib.sha256(json.dumps([_VERSION, *parts], sort_keys=True, default=str).encode()).hexdigest()
