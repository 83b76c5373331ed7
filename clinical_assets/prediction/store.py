"""What is kept in the lake of a question: its rows once, and of each model its answers, what it is and what it looks at.

One partition a model, so that one that fails or is made anew touches no other. All of it names the digest of question, rows and splits:
answers to another question are never judged.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_assets.prediction.rows import Dataset
from clinical_assets.prediction.splits import Assigned
from clinical_assets.storage.lake import Lake, Written
from clinical_assets.storage.prediction_contracts import PREDICTION_TABLES
from clinical_assets.study.prediction import PredictionQuestion

__all__ = [
    "Asked",
    "ModelFacts",
    "asked_rows",
    "held_models",
    "identity_of",
    "keep_model",
    "keep_rows",
    "trained_before",
    "write_table",
]


@dataclass(frozen=True)
class Asked:
    """A question with its rows and splits, and the digest of all of it."""

    question: PredictionQuestion
    dataset: Dataset
    assigned: Assigned
    sha: str

    @property
    def names(self) -> dict[str, str]:
        """Return the columns that every table has."""
        return {"question": self.question.name, "question_sha": self.sha}

    def subgroups(self) -> dict[str, list[str]]:
        """Return feature -> its value a row, as text, of the features whose groups are judged apart."""
        known = {feature.name for feature in self.dataset.features}
        return {
            name: [_shown(value) for value in self.dataset.columns[name]]
            for name in self.question.subgroups
            if name in known
        }


@dataclass(frozen=True)
class ModelFacts:
    """What a model is and what it took; see the table models."""

    model: str
    family: str
    description: str
    n_train: int
    seconds: float
    settings: Mapping[str, Any]
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None
    n_unseen: int = 0
    revision: str = ""
    adapter_sha: str = ""
    model_sha: str = ""
    processor_seconds: float = 0.0
    peak_bytes: int = 0


def asked_rows(asked: Asked) -> pa.Table:
    """Return the table rows."""
    groups = asked.subgroups()
    rows = [
        {
            **asked.names,
            "row_id": row_id,
            "group": int(asked.dataset.groups[i]),
            "outcome": bool(asked.dataset.y[i]),
            "split": str(asked.assigned.split[i]),
            "folds": [int(fold) for fold in asked.assigned.folds[:, i]],
            "features": json.dumps(asked.dataset.record(i), sort_keys=True),
            "subgroups": json.dumps({name: values[i] for name, values in groups.items()}, sort_keys=True),
        }
        for i, row_id in enumerate(asked.dataset.ids)
    ]
    return pa.Table.from_pylist(rows, PREDICTION_TABLES["prediction/rows"])


def keep_rows(lake: Lake, asked: Asked) -> Written:
    """Write the table rows."""
    return lake.write("prediction/rows", asked_rows(asked), PREDICTION_TABLES["prediction/rows"])


def write_table(
    lake: Lake, table: str, rows: Sequence[Mapping[str, Any]], batch: str | None = None, **metadata: str
) -> Written:
    """Write rows of a prediction table."""
    schema = PREDICTION_TABLES[table]
    return lake.write(table, pa.Table.from_pylist(list(rows), schema), schema, batch=batch, metadata=metadata)


def keep_model(
    lake: Lake,
    asked: Asked,
    facts: ModelFacts,
    predictions: Sequence[Mapping[str, Any]],
    weights: Sequence[Mapping[str, Any]] = (),
    *,
    identity: str,
    made_at: datetime,
    run_id: str,
    training: str = "",
) -> Written:
    """Write all there is of a model; its answers last: where they stand, all of it does.

    Parameters
    ----------
    predictions, weights
        Rows without question and model.
    identity
        Digest of everything that the answers and weights follow from.
    training
        Digest of what the fitted model follows from, without how it is looked at.
    """
    names = {**asked.names, "model": facts.model}
    row = {**asked.names, **vars(facts), "settings": json.dumps(dict(facts.settings), sort_keys=True, default=str)}
    write_table(lake, "prediction/models", [{**row, "made_at": made_at, "run_id": run_id}], facts.model)
    write_table(lake, "prediction/weights", [{**names, **one} for one in weights], facts.model)
    told = [{"answer": None, "text": None, "repeat": 0, "fold": 0, **names, **one} for one in predictions]
    return write_table(lake, "prediction/predictions", told, facts.model, identity=identity, training=training)


def identity_of(lake: Lake, model: str) -> str | None:
    """Return what the kept answers of a model follow from; None where there are none."""
    return (
        lake.metadata("prediction/predictions", model).get("identity")
        if lake.has("prediction/predictions", model)
        else None
    )


def trained_before(lake: Lake, model: str, training: str) -> str | None:
    """Return the digest of the stored model that these answers came from, if it follows from just this training; None otherwise."""
    held = lake.has("prediction/predictions", model) and lake.has("prediction/models", model)
    if not held or lake.metadata("prediction/predictions", model).get("training") != training:
        return None
    return str(lake.read("prediction/models", model, columns=["model_sha"]).to_pylist()[0]["model_sha"]) or None


def held_models(lake: Lake, sha: str) -> dict[str, list[dict[str, Any]]]:
    """Return model -> its predictions, of the models that answered this very question."""
    found = {}
    for model in lake.batches("prediction/predictions"):
        rows = lake.read("prediction/predictions", model).to_pylist()
        if rows and rows[0]["question_sha"] == sha:
            found[model] = rows
    return found


def _shown(value: Any) -> str:
    if value is None:
        return "(not recorded)"
    return ("yes" if value else "no") if isinstance(value, bool | np.bool_) else str(value)
