"""Killed while a model of the prediction question is kept: what was there stands whole, and the next run ends as if nothing had been."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clinical_assets.prediction.chain import run_classical
from clinical_assets.prediction.portable import load_portable
from clinical_assets.prediction.scoring import models_folder
from clinical_assets.prediction.splits import assign
from clinical_assets.prediction.store import Asked, held_models
from clinical_assets.storage import failpoints
from clinical_assets.storage.lake import Lake
from tests.unit.prediction.asking import dataset, question, table

NOW: dict[str, Any] = {"made_at": datetime(2026, 1, 1, tzinfo=UTC), "run_id": "r"}
# Before the model is put in place, and around the three tables of a model.
PLACES = [
    "content_folder.before_replace",
    "lake.before_replace:1",
    "lake.after_replace:2",
    "lake.before_replace:3",
    "lake.after_replace:3",
]


def put(seed: int) -> Asked:
    q = question(splits={"folds": 2, "repeats": 1})
    data = dataset(table(120, seed), splits={"folds": 2, "repeats": 1})
    return Asked(q, data, assign(data, q.splits), data.digest(q))


def work(folder: Path, asked: Asked, place: str = "") -> int:
    """Run a model in a process of its own (forked: libraries take longer to import than it trains); return its end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.environ["CLINICAL_FAILPOINT"] = place
            failpoints._visits.clear()
            run_classical(Lake(folder / "lake"), asked, "random_forest", models=folder / "models", **NOW)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("place", PLACES)
def test_killed_while_a_model_is_kept(place: str, tmp_path: Path) -> None:
    before, after = put(2), put(3)
    lake, models = Lake(tmp_path / "lake"), tmp_path / "models"
    assert work(tmp_path, before) == 0
    stands = lake.read("prediction/predictions", "random_forest")
    assert work(tmp_path, after, place) == -signal.SIGKILL, "the failpoint was not reached"
    kept = lake.read("prediction/predictions", "random_forest")
    if place != "lake.after_replace:3":  # answers are written last: until then those of before stand
        assert kept.equals(stands)
    assert ("random_forest" in held_models(lake, after.sha)) == (place == "lake.after_replace:3")
    assert work(tmp_path, after) == 0
    facts = lake.read("prediction/models", "random_forest").to_pylist()[0]
    assert facts["question_sha"] == after.sha
    assert (
        load_portable(models_folder(models, after.question, "random_forest"), facts["model_sha"]).name
        == "random_forest"
    )
