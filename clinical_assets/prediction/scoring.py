"""Which model is promoted, and what it says of rows whose outcome nobody knows yet."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_assets.prediction.classical import LEARNERS
from clinical_assets.prediction.portable import load_portable
from clinical_assets.prediction.rows import QuestionError, Value, read_source, unanswered_of
from clinical_assets.prediction.store import Asked, held_models, write_table
from clinical_assets.statistics.roc import auroc
from clinical_assets.storage.lake import Lake, Written
from clinical_assets.study.prediction import PredictionQuestion

__all__ = ["Promoted", "models_folder", "promoted_model", "score_unanswered", "unanswered"]

Rows = tuple[list[str], dict[str, list[Value]]]


@dataclass(frozen=True)
class Promoted:
    """The model that scores.

    Attributes
    ----------
    model, model_sha
        Its name, and the digest of the stored model.
    auroc_validation
        By which it was chosen; no test row had a part in it.
    auroc_low
        Lower 95 % limit of its AUROC out of fold.
    threshold
        Of the validation rows.
    """

    model: str
    model_sha: str
    auroc_validation: float
    auroc_low: float
    threshold: float


def models_folder(models: Path, question: PredictionQuestion, model: str) -> Path:
    """Return where the stored models of a name are: ``<models>/prediction_<question>/<model>``."""
    return models / f"prediction_{question.name}" / model


def promoted_model(lake: Lake, asked: Asked) -> Promoted | str:
    """Return the classical model that ranks the validation rows best, or the one the study names; or why there is none.

    One whose AUROC out of fold may be 0.5 is not promoted, named or not.

    Raises
    ------
    QuestionError
        If this question has not been judged.
    """
    results = lake.read("prediction/results").to_pylist() if lake.has("prediction/results") else []
    of = {
        (row["model"], row["design"], row["metric"]): row
        for row in results
        if row["question_sha"] == asked.sha and row["subgroup"] == "all"
    }
    if not of:
        raise QuestionError("the models of this question have not been judged; materialize prediction/comparison first")
    validation = asked.assigned.rows("validation")
    truth, ids = asked.dataset.y[validation], [asked.dataset.ids[i] for i in validation]
    found = []
    for model, rows in held_models(lake, asked.sha).items():
        named = asked.question.models.promoted in (None, model)
        if model not in LEARNERS or not named or (model, "test", "threshold") not in of:
            continue
        told = {row["row_id"]: row["probability"] for row in rows if row["design"] == "held_out"}
        sha = lake.read("prediction/models", model).to_pylist()[0].get("model_sha")  # none before models were stored
        low = of[model, "cross_validation", "auroc"]["low"]
        area = float(auroc(truth, [told[row_id] for row_id in ids]))
        if sha and low is not None and low > 0.5:
            found.append(Promoted(model, sha, area, low, of[model, "test", "threshold"]["value"]))
    if not found:
        return "no model that can be stored ranks better than chance out of fold, with limits: nothing is promoted, nobody is scored"
    return max(found, key=lambda one: one.auroc_validation)


def unanswered(asked: Asked, landing: Path, query: Callable[[str], pa.Table]) -> Rows:
    """Return ids and features of the source's rows without an outcome.

    Raises
    ------
    QuestionError
        As `rows.dataset_of`.
    """
    return unanswered_of(asked.question, read_source(asked.question, landing, query), asked.dataset.features)


def score_unanswered(
    lake: Lake, asked: Asked, promoted: Promoted | str, rows: Rows, models: Path, *, made_at: datetime, run_id: str
) -> Written:
    """Keep P(yes) of the rows without an outcome; none where nothing is promoted.

    Raises
    ------
    FolderError
        If the stored model is not there, or was changed.
    """
    if isinstance(promoted, str):
        return write_table(lake, "prediction/scores", [])
    ids, columns = rows
    model = load_portable(models_folder(models, asked.question, promoted.model), promoted.model_sha)
    everybody = np.arange(len(ids))
    probability = model.predict(columns, everybody) if ids else np.zeros(0)
    scored = [
        {
            **asked.names,
            "row_id": row_id,
            "model": promoted.model,
            "model_sha": promoted.model_sha,
            "probability": float(p),
            "said_yes": bool(p >= promoted.threshold),
            "n_missing": _n_missing(columns, i),
            "n_unseen": model.n_unseen(columns, everybody[i : i + 1]),
            "made_at": made_at,
            "run_id": run_id,
        }
        for i, (row_id, p) in enumerate(zip(ids, probability, strict=True))
    ]
    return write_table(lake, "prediction/scores", scored)


def _n_missing(columns: Mapping[str, Sequence[Any]], row: int) -> int:
    return sum(values[row] is None for values in columns.values())
