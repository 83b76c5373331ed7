"""Stored models answer as the fitted ones do, are named by their content, and what was changed is not read."""

from __future__ import annotations

import numpy as np
import pytest

from clinical_assets.prediction.classical import LEARNERS, fit
from clinical_assets.prediction.portable import MODEL_FILES, load_portable, portable, save_portable
from clinical_assets.prediction.splits import assign
from clinical_assets.storage.content_folder import FolderError
from tests.unit.prediction.asking import dataset, question, table


@pytest.fixture(scope="module")
def rows():
    data = dataset(table(240, 1, signal=2.0))
    return data, assign(data, question().splits)


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("balance", ["weights", "oversample", "none"])
def test_a_stored_model_answers_as_the_fitted_one(name: str, balance: str, rows, tmp_path) -> None:
    """Against the predictions of scikit-learn and LightGBM, with an unseen category among the rows."""
    data, found = rows
    model = fit(name, data.features, data.columns, data.y, found.rows("train"), balance=balance, seed=3)
    digest = save_portable(tmp_path, portable(model))
    assert {path.name for path in (tmp_path / digest).iterdir()} == set(MODEL_FILES)
    again = load_portable(tmp_path, digest)
    columns = {feature: list(values) for feature, values in data.columns.items()}
    judged = found.rows("validation", "test")
    columns["site"][judged[0]] = "moon"
    columns["site"][judged[1]] = None
    assert again.n_unseen(columns, judged) == model.n_unseen(columns, judged) == 2
    np.testing.assert_allclose(again.matrix(columns, judged), model.matrix(columns, judged), atol=1e-6)
    np.testing.assert_allclose(again.predict(columns, judged), model.predict(columns, judged), atol=2e-6)
    assert again.chosen == model.chosen
    assert save_portable(tmp_path, again) == digest


def test_a_model_that_was_changed_or_lost_is_not_read(rows, tmp_path) -> None:
    data, found = rows
    model = fit("lasso", data.features, data.columns, data.y, found.rows("train"), balance="none", seed=0)
    digest = save_portable(tmp_path, portable(model))
    described = tmp_path / digest / "model.json"
    kept = described.read_text(encoding="utf-8")
    described.write_text(kept.replace('"offset": -0.0', '"offset": 1.0').replace('"offset": 0.0', '"offset": 1.0'))
    with pytest.raises(FolderError, match="was changed after it was written; materialize the model again"):
        load_portable(tmp_path, digest)
    assert save_portable(tmp_path, portable(model)) == digest  # mended by the next materialization
    assert load_portable(tmp_path, digest).offset == model.offset
    with pytest.raises(FolderError, match="No such file"):
        load_portable(tmp_path, "0" * 32)
