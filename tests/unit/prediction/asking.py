"""A small question about small tables, for tests."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from clinical_assets.prediction.rows import Dataset, dataset_of
from clinical_assets.study.prediction import PredictionQuestion

FEATURES: list[dict[str, Any]] = [
    {"name": "age", "kind": "number", "unit": "years"},
    {"name": "hb", "kind": "number", "label": "Haemoglobin", "unit": "g/dL"},
    {"name": "site", "kind": "category"},
    {"name": "treated", "kind": "yes_no"},
]


def question(**changes: Any) -> PredictionQuestion:
    given: dict[str, Any] = {
        "name": "removal",
        "question": "Will manual removal be required?",
        "source": {"file": "rows.csv"},
        "outcome": {"column": "removal"},
        "features": FEATURES,
        "subgroups": ["site"],
        "splits": {"folds": 3, "repeats": 2},
        "models": {"bootstrap": 100, "importance_repeats": 2, "coefficient_draws": 20},
    }
    return PredictionQuestion.model_validate({**given, **changes})


def table(n: int = 120, seed: int = 0, *, signal: float = 1.5) -> dict[str, list[Any]]:
    chance = np.random.default_rng(seed)
    age, hb = chance.normal(30, 6, n), chance.normal(11, 1.5, n)
    yes = chance.random(n) < 1 / (1 + np.exp(-(0.3 + signal * (hb - 11))))
    return {
        "id": [f"p{i}" for i in range(n)],
        "age": [f"{value:.1f}" for value in age],
        "hb": ["" if i % 17 == 3 else f"{value:.2f}" for i, value in enumerate(hb)],
        "site": [["north", "south", "west"][i % 3] for i in range(n)],
        "treated": [["Yes", "No", ""][int(k)] for k in chance.choice(3, n, p=[0.5, 0.4, 0.1])],
        "removal": ["Yes" if one else "No" for one in yes],
    }


def dataset(columns: dict[str, list[Any]] | None = None, **changes: Any) -> Dataset:
    return dataset_of(question(**changes), pa.table(columns or table()))
