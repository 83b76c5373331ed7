"""A killed evaluation goes on with the fits that were put by, and comes to the same numbers."""

from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np

from clinical_assets.risk import experiments
from clinical_assets.risk.candidates import Candidate, OutOfFold
from clinical_assets.risk.experiments import run_matrix
from clinical_assets.risk.features import Features, dense_block, vector_block
from clinical_assets.risk.finished_fits import TABLE, LakeFits
from clinical_assets.risk.splits import repeated_folds
from clinical_assets.storage.lake import Lake
from clinical_assets.study.risk import RiskModels

NOW = dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
CELLS = [Candidate("counts", "logistic"), Candidate("embeddings", "logistic", "e"), Candidate("counts", "lightgbm")]
N_SPLITS = 3


def small(shift: float = 0.0) -> tuple[Features, np.ndarray]:
    rng = np.random.default_rng(0)
    y = np.tile([0, 1, 0], 20)
    demo = dense_block("demo", {"age": rng.normal(size=60) + y + shift})
    vectors = vector_block("condition", "e", rng.normal(size=(60, 4)) + y[:, None])
    return Features(np.arange(60), {block.name: block for block in (demo, vectors)}), y


def evaluated(
    lake: Lake,
    settings: RiskModels | None = None,
    *,
    shift: float = 0.0,
    cells: list[Candidate] = CELLS,
    done: Callable[[int], None] = lambda n: None,
    question: str = "q",
) -> list[OutOfFold]:
    features, y = small(shift)
    settings = settings or RiskModels()
    fits = LakeFits(lake, question, features, y, settings, made_at=NOW, every=0)
    splits = repeated_folds(y, features.persons, folds=N_SPLITS, repeats=1, seed=0)
    parts = run_matrix(cells, features, y, splits, settings, fits=fits, done=done)
    fits.flush()
    fits.forget_others()
    return parts


def risks(parts: list[OutOfFold]) -> dict[tuple[str, int], list[float]]:
    return {(part.candidate.name, part.split.fold): part.risk.tolist() for part in parts}


def counting(monkeypatch) -> list[str]:
    fitted: list[str] = []
    whole = experiments.fit_learner

    def counted(learner, *more, **others):
        fitted.append(learner)
        return whole(learner, *more, **others)

    monkeypatch.setattr(experiments, "fit_learner", counted)
    return fitted


def test_killed_and_run_again_only_the_rest_is_fitted(tmp_path: Path, monkeypatch) -> None:
    root = str(Path(__file__).resolve().parents[3])
    code = (
        "from tests.unit.risk.test_resuming import evaluated\nfrom clinical_assets.storage.lake import Lake\n"
        f"evaluated(Lake({str(tmp_path / 'killed')!r}))"
    )
    environment = {**os.environ, "CLINICAL_FAILPOINT": "risk.after_fits:4", "PYTHONPATH": root}
    killed = subprocess.run([sys.executable, "-c", code], env=environment, cwd=root, check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr[-500:]
    fitted, told = counting(monkeypatch), []
    parts = evaluated(Lake(tmp_path / "killed"), done=told.append)
    assert len(fitted) == len(CELLS) * N_SPLITS - 4
    assert sum(told) == len(CELLS) * N_SPLITS  # progress counts what was done before too
    assert risks(parts) == risks(evaluated(Lake(tmp_path / "whole")))


def test_what_a_fit_depends_on_is_its_address(tmp_path: Path, monkeypatch) -> None:
    lake, fitted = Lake(tmp_path), counting(monkeypatch)

    def n_new(**changed) -> int:
        fitted.clear()
        evaluated(lake, **changed)
        return len(fitted)

    one = len(CELLS) * N_SPLITS
    assert (n_new(), n_new()) == (one, 0)
    assert n_new(settings=RiskModels(bootstrap=500)) == 0  # limits are no part of a fit
    more = [*CELLS, Candidate("embeddings", "lightgbm", "e")]
    assert n_new(cells=more) == N_SPLITS  # a model more: the others stand
    assert n_new(settings=RiskModels(seed=7), cells=more) == one + N_SPLITS
    assert n_new(cells=more) == one + N_SPLITS  # parts that nobody asked for were deleted
    assert n_new(shift=1.0, cells=more) == 2 * N_SPLITS  # other counts: the fits on embeddings alone stand
    held = set(lake.batches(TABLE))
    assert n_new(question="other") == one
    assert held < set(lake.batches(TABLE))  # another question deletes nothing of this one
