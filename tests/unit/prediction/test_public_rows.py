"""Two hospitals of UCI heart: the models are as good as others found them."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from clinical_assets.prediction.chain import ask
from clinical_assets.prediction.classical import predict_everywhere
from clinical_assets.statistics.roc import auroc
from clinical_assets.study.prediction import PredictionQuestion


def test_lasso_is_near_the_area_that_was_measured_elsewhere(
    public_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """.91 in cross-validation (public data README)."""
    path = Path(__file__).resolve().parents[3] / "benchmarks" / "prediction_public.py"
    spec = importlib.util.spec_from_file_location("prediction_public", path)
    assert spec is not None
    assert spec.loader is not None
    prediction_public = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(prediction_public)
    monkeypatch.setattr(prediction_public, "DATA", public_data)
    if not (public_data / "tabular" / "uci_heart").is_dir():
        pytest.skip(f"no tabular data at {public_data}; set CLINICAL_PUBLIC_DATA to run this")
    question = PredictionQuestion.model_validate({**prediction_public.heart(tmp_path), "splits": {"repeats": 1}})
    asked = ask(question, tmp_path, lambda sql: None)
    assert (asked.dataset.n, int(asked.dataset.y.sum())) == (597, 245)
    _, found = predict_everywhere("lasso", asked.dataset, asked.assigned, balance="weights", seed=42)
    out = np.zeros(asked.dataset.n)
    for part in found[1:]:
        out[part.rows] = part.probability
    rows = asked.assigned.rows("train", "validation")
    assert auroc(asked.dataset.y[rows], out[rows]) > 0.89
