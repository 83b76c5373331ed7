"""Killed while a model of the prediction question is kept: what was there stands whole, and the next run ends as if nothing had been."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from clinical_assets.prediction.chain import run_classical, run_constants
from clinical_assets.prediction.compare import compare
from clinical_assets.prediction.portable import load_portable
from clinical_assets.prediction.scoring import models_folder
from clinical_assets.prediction.splits import assign
from clinical_assets.prediction.store import Asked
from clinical_assets.storage import failpoints
from clinical_assets.storage.lake import Lake
from tests.unit.prediction.asking import dataset, question, table

NOW: dict[str, Any] = {"made_at": datetime(2026, 1, 1, tzinfo=UTC), "run_id": "r"}
# Before the model is put in place, and before and after each of the three tables of a model.
PLACES = [
    "content_folder.before_replace",
    *(f"lake.{where}:{k}" for k in (1, 2, 3) for where in ("before_replace", "after_replace")),
]


def put(seed: int) -> Asked:
    q = question()
    data = dataset(table(120, seed))
    return Asked(q, data, assign(data, q.splits), data.digest(q))


def work(folder: Path, asked: Asked, place: str = "") -> int:
    """Run a model in a process of its own (forked: libraries take longer to import than it trains); return its end."""
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            os.environ["CLINICAL_FAILPOINT"] = place
            failpoints._visits.clear()
            run_classical(Lake(folder / "lake"), asked, "lasso", models=folder / "models", **NOW)
            code = 0
        finally:
            os._exit(code)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


@pytest.mark.parametrize("place", PLACES)
def test_killed_while_a_model_is_kept(place: str, tmp_path: Path) -> None:
    before, after = put(2), put(3)
    lake, models = Lake(tmp_path / "lake"), tmp_path / "models"
    assert work(tmp_path, before) == 0
    stands = lake.read("prediction/predictions", "lasso")
    assert work(tmp_path, after, place) == -signal.SIGKILL, "the failpoint was not reached"
    kept = lake.read("prediction/predictions", "lasso")
    if place != "lake.after_replace:3":  # answers are written last: until then those of before stand
        assert kept.equals(stands)
    # the answers there are, are judged as answers to their own question and to no other
    run_constants(lake, after, **NOW)
    judged = {one.model for one in compare(lake, after, []).judged}
    assert ("lasso" in judged) == (place == "lake.after_replace:3")
    assert work(tmp_path, after) == 0
    facts = lake.read("prediction/models", "lasso").to_pylist()[0]
    assert facts["question_sha"] == after.sha
    assert load_portable(models_folder(models, after.question, "lasso"), facts["model_sha"]).name == "lasso"
    clean = tmp_path / "clean"
    assert work(clean, after) == 0
    assert lake.read("prediction/predictions", "lasso").equals(
        Lake(clean / "lake").read("prediction/predictions", "lasso")
    )
