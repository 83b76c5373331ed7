"""Stored models answer again without training; the promoted one scores rows that nobody can judge yet; one that fails stops nobody."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from clinical_assets.prediction import chain
from clinical_assets.prediction.chain import run_classical, run_constants
from clinical_assets.prediction.compare import compare
from clinical_assets.prediction.rows import QuestionError, unanswered_of
from clinical_assets.prediction.scoring import models_folder, promoted_model, score_unanswered
from clinical_assets.prediction.splits import assign
from clinical_assets.prediction.store import Asked
from clinical_assets.storage.content_folder import FolderError
from clinical_assets.storage.lake import Lake
from tests.unit.prediction.asking import dataset, question, table

NOW: dict[str, Any] = {"made_at": datetime(2026, 1, 1, tzinfo=UTC), "run_id": "r"}


def put(columns: dict[str, list[Any]], **changes: Any) -> Asked:
    changes = {"splits": {"folds": 2, "repeats": 1}, **changes}
    q = question(**changes)
    data = dataset(columns, **changes)
    return Asked(q, data, assign(data, q.splits), data.digest(q))


def predictions(lake: Lake, model: str) -> list[dict[str, Any]]:
    return sorted(
        lake.read("prediction/predictions", model).to_pylist(),
        key=lambda r: (r["design"], r["repeat"], r["fold"], r["row_id"]),
    )


def no_training(*args: Any, **kwargs: Any) -> Any:
    raise AssertionError("it was trained")


def test_a_stored_model_is_looked_at_anew_without_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    it, lake, models = put(table(160, 2)), Lake(tmp_path / "lake"), tmp_path / "models"
    for name in ("lasso", "random_forest"):
        run_classical(lake, it, name, models=models, **NOW)
    before = {
        name: (predictions(lake, name), lake.read("prediction/weights", name).to_pylist())
        for name in ("lasso", "random_forest")
    }
    more = {"models": {**it.question.models.model_dump(), "importance_repeats": 4}}
    again = dataclasses.replace(it, question=question(splits={"folds": 2, "repeats": 1}, **more))
    assert again.dataset.digest(again.question) == it.sha  # how a model is looked at is no other question
    monkeypatch.setattr(chain, "predict_everywhere", no_training)
    for name, (rows, weights) in before.items():
        run_classical(lake, again, name, models=models, **NOW)
        after = predictions(lake, name)
        assert [r["row_id"] for r in after] == [r["row_id"] for r in rows]
        assert [r["probability"] for r in after] == pytest.approx([r["probability"] for r in rows], abs=2e-6)
        kept = lake.read("prediction/weights", name).to_pylist()
        assert [w for w in kept if w["kind"] == "coefficient"] == [w for w in weights if w["kind"] == "coefficient"]
        assert [w for w in kept if w["kind"] != "coefficient"] != [w for w in weights if w["kind"] != "coefficient"]
    # the very same is not even looked at
    written = lake.written("prediction/predictions", "lasso")
    assert run_classical(lake, again, "lasso", models=models, **NOW).digest == written.digest


def test_a_stored_model_that_was_changed_or_lost_is_trained_again(tmp_path: Path) -> None:
    it, lake, models = put(table(160, 2)), Lake(tmp_path / "lake"), tmp_path / "models"
    run_classical(lake, it, "lasso", models=models, **NOW)
    (folder,) = models_folder(models, it.question, "lasso").iterdir()
    shutil.rmtree(folder)
    said: list[str] = []
    run_classical(lake, it, "lasso", models=models, log=said.append, **NOW)
    assert folder.is_dir()
    assert not any("nothing changed" in line for line in said)


def test_the_promoted_model_scores_rows_without_an_outcome_and_an_unseen_category_is_counted(tmp_path: Path) -> None:
    columns = table(220, 2, signal=2.0)
    for row in (3, 8, 20, 21):
        columns["removal"][row] = ""
    columns["site"][3] = "moon"
    columns["treated"][8] = ""
    columns["hb"][8] = "NA"
    it, lake, models = put(columns), Lake(tmp_path / "lake"), tmp_path / "models"
    rows = unanswered_of(it.question, pa.table(columns), it.dataset.features)
    with pytest.raises(QuestionError, match="have not been judged"):
        promoted_model(lake, it)
    run_constants(lake, it, **NOW)
    for name in ("lasso", "random_forest"):
        run_classical(lake, it, name, models=models, **NOW)
    compare(lake, it, [])
    promoted = promoted_model(lake, it)
    assert not isinstance(promoted, str)
    assert promoted.model in ("lasso", "random_forest")
    assert promoted.auroc_low > 0.5
    score_unanswered(lake, it, promoted, rows, models, **NOW)
    scored = {r["row_id"]: r for r in lake.read("prediction/scores").to_pylist()}
    assert set(scored) == {"p3", "p8", "p20", "p21"}
    assert {row_id: r["n_unseen"] for row_id, r in scored.items()} == {"p3": 1, "p8": 0, "p20": 0, "p21": 0}
    assert scored["p8"]["n_missing"] == 2
    for r in scored.values():
        assert 0 < r["probability"] < 1
        assert r["said_yes"] == (r["probability"] >= promoted.threshold)
        assert r["model_sha"] == promoted.model_sha
    named = dataclasses.replace(
        it,
        question=it.question.model_copy(update={"models": it.question.models.model_copy(update={"promoted": "lasso"})}),
    )
    chosen = promoted_model(lake, named)
    assert not isinstance(chosen, str)
    assert chosen.model == "lasso"
    for path in (models_folder(models, it.question, "lasso") / chosen.model_sha).iterdir():
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(FolderError, match="was changed after it was written"):
        score_unanswered(lake, named, chosen, rows, models, **NOW)
    assert len(lake.read("prediction/scores")) == 4  # what was there stands


def test_nothing_is_promoted_where_nothing_ranks_better_than_chance(tmp_path: Path) -> None:
    columns = table(160, 5, signal=0.0)
    columns["removal"][0] = ""
    it, lake, models = put(columns), Lake(tmp_path / "lake"), tmp_path / "models"
    run_constants(lake, it, **NOW)
    run_classical(lake, it, "random_forest", models=models, **NOW)
    found = compare(lake, it, [])
    assert found.said[0].startswith("No model beats")
    promoted = promoted_model(lake, it)
    assert isinstance(promoted, str)
    assert "nothing is promoted" in promoted
    rows = unanswered_of(it.question, pa.table(columns), it.dataset.features)
    assert score_unanswered(lake, it, promoted, rows, models, **NOW).n_rows == 0


def test_a_model_that_fails_in_a_fold_leaves_what_it_said_before_and_the_others(tmp_path: Path, monkeypatch) -> None:
    it, lake, models = put(table(160, 2)), Lake(tmp_path / "lake"), tmp_path / "models"
    run_constants(lake, it, **NOW)
    run_classical(lake, it, "lasso", models=models, **NOW)
    before = predictions(lake, "lasso")
    other = put(table(160, 3))
    monkeypatch.setattr(chain, "predict_everywhere", no_training)
    with pytest.raises(AssertionError):
        run_classical(lake, other, "lasso", models=models, **NOW)
    assert predictions(lake, "lasso") == before
    found = compare(lake, it, ["lasso"])
    assert {r["model"] for r in found.results} == {"always_yes", "always_no", "prevalence", "lasso"}
