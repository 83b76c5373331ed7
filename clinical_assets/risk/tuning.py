"""Finding a learner's parameters by optuna, on training rows only: inner parts judge, the test rows are never seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.learners import fit_learner
from clinical_assets.risk.splits import repeated_folds
from clinical_assets.statistics.roc import auroc

__all__ = ["tune"]


def tune(
    learner: str, x: npt.NDArray[np.float32], y: npt.NDArray[np.int64], *, trials: int, seed: int, weighted: bool
) -> dict[str, float]:
    """Return the parameters with the best mean area under the ROC curve in three inner parts.

    Raises
    ------
    RuntimeError
        If optuna is not installed.
    """
    try:
        import optuna
    except ImportError:
        raise RuntimeError(
            "risk.models.tuning_trials needs optuna, which is not installed: pip install optuna, or set tuning_trials: 0"
        ) from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    parts = repeated_folds(y, np.arange(y.size), folds=3, repeats=1, seed=seed)

    def value(trial: Any) -> float:
        parameters = _suggest(learner, trial)
        areas = [
            float(
                auroc(
                    y[part.test],
                    fit_learner(
                        learner, x[part.train], y[part.train], weighted=weighted, seed=seed, parameters=parameters
                    ).predict(x[part.test]),
                )
            )
            for part in parts
        ]
        return float(np.mean(areas))

    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    study.optimize(value, n_trials=trials)
    return {name: float(found) for name, found in study.best_params.items()}


def _suggest(learner: str, trial: Any) -> dict[str, float]:
    if learner == "logistic":
        return {
            "strength": trial.suggest_float("strength", 1e-3, 10, log=True),
            "l1_ratio": trial.suggest_float("l1_ratio", 0, 1),
        }
    if learner == "random_forest":
        return {"min_leaf": trial.suggest_int("min_leaf", 1, 20)}
    if learner == "lightgbm":
        return {
            "learning_rate": trial.suggest_float("learning_rate", 0.01, 0.2, log=True),
            "rounds": trial.suggest_int("rounds", 30, 400),
            "leaves": trial.suggest_int("leaves", 4, 31),
            "min_leaf": trial.suggest_int("min_leaf", 5, 50),
            "l2": trial.suggest_float("l2", 0.01, 10, log=True),
        }
    if learner == "svm":
        return {"c": trial.suggest_float("c", 1e-2, 1e2, log=True)}
    return {
        "hidden": trial.suggest_int("hidden", 8, 128),
        "dropout": trial.suggest_float("dropout", 0, 0.6),
        "learning_rate": trial.suggest_float("learning_rate", 1e-4, 1e-2, log=True),
    }
