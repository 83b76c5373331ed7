"""Learners of a risk: fitted on prepared training rows, kept as plain arrays or LightGBM text, never pickled.

Class weights make learners look at rare cases; the risks they give are brought back to the prevalence of training by the offset that
the weights put on the log-odds (King & Zeng 2001), so that they can be read as risks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["DEFAULTS", "Fitted", "contributions", "fit_learner", "oversample"]

Floats = npt.NDArray[np.float64]
Floats32 = npt.NDArray[np.float32]
Arrays = dict[str, npt.NDArray[Any]]

_EDGE = 1e-6
_SVM_MOST = 20_000
_STRENGTH, _STRENGTHS = 0.1, (0.003, 0.01, 0.03, 0.1, 0.3, 1.0)  # inverse of the penalty

# What is used unless tuning finds better; every one is a plain number.
DEFAULTS: dict[str, dict[str, float]] = {
    "logistic": {"l1_ratio": 0.5},  # strength by cross-validation inside the training rows
    "random_forest": {"trees": 300, "min_leaf": 3},
    "lightgbm": {"rounds": 150, "learning_rate": 0.05, "leaves": 15, "min_leaf": 10, "share": 0.5, "l2": 1.0},
    "svm": {"c": 1.0},
    "mlp": {"hidden": 32, "dropout": 0.3, "learning_rate": 2e-3, "weight_decay": 1e-2, "epochs": 60},
}
# With many rows many small leaves chase noise. Chosen on a validation part of the training patients of Diabetes-130.
_LARGE_ROWS = 20_000
_LARGE: dict[str, dict[str, float]] = {"lightgbm": {"rounds": 300, "learning_rate": 0.03, "leaves": 7, "min_leaf": 200}}


@dataclass(frozen=True)
class Fitted:
    """A fitted learner.

    Attributes
    ----------
    learner
        Its name.
    arrays
        Numbers that give its predictions.
    text
        LightGBM's model text; empty for others.
    offset
        Added to the log-odds: undoes class weights.
    parameters
        What it was fitted with.
    """

    learner: str
    arrays: Arrays
    text: str = ""
    offset: float = 0.0
    parameters: Mapping[str, float] = field(default_factory=dict)

    def predict(self, x: Floats32) -> Floats:
        """Return the risk of each row, shape (n,), above 0 and below 1."""
        from scipy.special import expit, logit

        score = np.clip(_PREDICT[self.learner](self, x), _EDGE, 1 - _EDGE)
        return np.asarray(expit(logit(score) + self.offset)) if self.offset else score


def fit_learner(
    learner: str,
    x: Floats32,
    y: npt.NDArray[np.int64],
    *,
    weighted: bool,
    seed: int,
    parameters: Mapping[str, float] | None = None,
) -> Fitted:
    """Fit a learner on prepared rows.

    Parameters
    ----------
    learner
        logistic (elastic net), random_forest, lightgbm, svm (radial basis) or mlp (torch).
    x, y
        Shapes (n, k) and (n,), 0 or 1, both there.
    weighted
        Give both classes the same total weight.
    seed
        Of all that is drawn.
    parameters
        Instead of `DEFAULTS`, by name.

    Raises
    ------
    ValueError
        For an unknown learner or parameter, one class only, or too many rows for an SVM.
    """
    if learner not in _FIT:
        raise ValueError(f"no learner {learner!r}; known: {', '.join(_FIT)}")
    large = _LARGE.get(learner, {}) if y.size > _LARGE_ROWS else {}
    chosen = {**DEFAULTS[learner], **large, **(parameters or {})}
    unknown = sorted(set(chosen) - set(DEFAULTS[learner]) - {"strength"})
    if unknown:
        raise ValueError(f"learner {learner}: unknown parameters {', '.join(unknown)}")
    n1 = int(y.sum())
    if not 0 < n1 < y.size:
        raise ValueError("only one class among the training rows; a model needs cases and controls")
    balance = (y.size - n1) / n1 if weighted else 1.0
    fitted = _FIT[learner](x, y, chosen, balance, seed)
    # an SVM's Platt scaling sees the classes as they are: nothing to undo
    offset = -float(np.log(balance)) if learner != "svm" else 0.0
    return Fitted(learner, fitted[0], fitted[1], offset, chosen)


def oversample(x: Floats32, y: npt.NDArray[np.int64], seed: int) -> tuple[Floats32, npt.NDArray[np.int64]]:
    """Return training rows with SMOTE's synthetic cases: the published design, off by default as it spoils risks.

    Raises
    ------
    RuntimeError
        If imbalanced-learn is not installed.
    """
    try:
        from imblearn.over_sampling import SMOTE  # type: ignore[import-not-found]
    except ImportError:
        raise RuntimeError(
            "risk.models.oversampling: smote needs imbalanced-learn, which is not installed: pip install imbalanced-learn, or set "
            "oversampling: none and class_weight: balanced"
        ) from None
    made = SMOTE(random_state=seed).fit_resample(x, y)
    return np.asarray(made[0], dtype=np.float32), np.asarray(made[1], dtype=np.int64)


def contributions(model: Fitted, x: Floats32) -> Floats:
    """Return how much each column adds to the log-odds of each row (TreeSHAP of LightGBM), shape (n, k + 1), the last the base.

    Raises
    ------
    ValueError
        For another learner.
    """
    if model.learner != "lightgbm":
        raise ValueError(f"contributions are LightGBM's; the model is {model.learner}")
    return np.asarray(_booster(model).predict(x, pred_contrib=True, num_threads=1))


# --- elastic-net logistic regression ---


def _fit_logistic(
    x: Floats32, y: npt.NDArray[np.int64], p: Mapping[str, float], balance: float, seed: int
) -> tuple[Arrays, str]:
    import warnings

    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold

    from clinical_assets.statistics.roc import auroc

    large = y.size > 5_000
    common: dict[str, Any] = {
        "solver": "saga", "class_weight": {0: 1.0, 1: balance}, "random_state": seed, "max_iter": 60 if large else 200,
        "tol": 1e-2 if large else 2e-3, "l1_ratio": p["l1_ratio"],
    }  # fmt: skip
    folds = min(3, int(y.sum()), int(y.size - y.sum()))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a little short of the optimum predicts as well
        strength = p.get("strength", _STRENGTH)
        if "strength" not in p and folds >= 2 and not large:
            # not LogisticRegressionCV: its scoring costs more than its fitting here
            areas = np.zeros(len(_STRENGTHS))
            for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y):
                # coarser than the fit that is kept: which strength ranks best shows early
                path = LogisticRegression(warm_start=True, **{**common, "tol": 1e-2, "max_iter": 60})
                for i, c in enumerate(_STRENGTHS):
                    path.set_params(C=c).fit(x[train], y[train])
                    areas[i] += float(auroc(y[test], x[test] @ path.coef_[0]))
            strength = _STRENGTHS[int(areas.argmax())]
        fitted = LogisticRegression(C=strength, **common).fit(x, y)
    return {
        "weights": np.asarray(fitted.coef_[0], dtype=np.float64),
        "intercept": np.asarray(fitted.intercept_, dtype=np.float64),
    }, ""


def _predict_logistic(model: Fitted, x: Floats32) -> Floats:
    from scipy.special import expit

    return np.asarray(expit(x @ model.arrays["weights"] + model.arrays["intercept"][0]))


# --- random forest ---


def _fit_forest(
    x: Floats32, y: npt.NDArray[np.int64], p: Mapping[str, float], balance: float, seed: int
) -> tuple[Arrays, str]:
    from sklearn.ensemble import RandomForestClassifier

    forest = RandomForestClassifier(
        n_estimators=int(p["trees"]), min_samples_leaf=int(p["min_leaf"]), class_weight={0: 1.0, 1: balance}, random_state=seed,
        n_jobs=1,
    ).fit(x, y)  # fmt: skip
    trees = [one.tree_ for one in forest.estimators_]
    starts = np.cumsum([0, *(tree.node_count for tree in trees)])
    share = [tree.value[:, 0, 1] / tree.value[:, 0, :].sum(axis=1) for tree in trees]
    return {
        "roots": starts[:-1].astype(np.int64),
        "left": np.concatenate([_below(t.children_left, s) for t, s in zip(trees, starts, strict=False)]),
        "right": np.concatenate([_below(t.children_right, s) for t, s in zip(trees, starts, strict=False)]),
        "feature": np.concatenate([t.feature for t in trees]).astype(np.int64),
        "threshold": np.concatenate([t.threshold for t in trees]),
        "share": np.concatenate(share),
    }, ""


def _below(children: npt.NDArray[np.int64], start: int) -> npt.NDArray[np.int64]:
    return np.where(children < 0, -1, children + start).astype(np.int64)


def _predict_forest(model: Fitted, x: Floats32) -> Floats:
    a = model.arrays
    total = np.zeros(x.shape[0])
    rows = np.arange(x.shape[0])
    for root in a["roots"]:
        node = np.full(x.shape[0], root)
        inner = a["left"][node] >= 0
        while inner.any():
            at = node[inner]
            goes_left = x[rows[inner], a["feature"][at]].astype(np.float64) <= a["threshold"][at]
            node[inner] = np.where(goes_left, a["left"][at], a["right"][at])
            inner = a["left"][node] >= 0
        total += a["share"][node]
    return total / a["roots"].size


# --- LightGBM ---


def _fit_lightgbm(
    x: Floats32, y: npt.NDArray[np.int64], p: Mapping[str, float], balance: float, seed: int
) -> tuple[Arrays, str]:
    import lightgbm

    settings = {
        "objective": "binary", "learning_rate": p["learning_rate"], "num_leaves": int(p["leaves"]),
        "min_data_in_leaf": int(min(p["min_leaf"], max(y.size // 10, 1))), "feature_fraction": p["share"], "lambda_l2": p["l2"],
        "scale_pos_weight": balance, "seed": seed, "deterministic": True, "force_row_wise": True, "num_threads": 1, "verbosity": -1,
    }  # fmt: skip
    # without a threshold of its own it may drop rare columns; the names are kept beside the model
    data = lightgbm.Dataset(x, label=y, free_raw_data=False, params={"verbosity": -1})
    booster = lightgbm.train(settings, data, num_boost_round=int(p["rounds"]))
    return {}, str(booster.model_to_string())


def _booster(model: Fitted) -> Any:
    import lightgbm

    return lightgbm.Booster(model_str=model.text)


def _predict_lightgbm(model: Fitted, x: Floats32) -> Floats:
    return np.asarray(_booster(model).predict(x, num_threads=1), dtype=np.float64)


# --- support vector machine ---


def _fit_svm(
    x: Floats32, y: npt.NDArray[np.int64], p: Mapping[str, float], balance: float, seed: int
) -> tuple[Arrays, str]:
    from scipy.special import expit
    from sklearn.model_selection import StratifiedKFold, cross_val_predict
    from sklearn.svm import SVC

    from clinical_assets.statistics.calibration import fit_platt

    if y.size > _SVM_MOST:
        raise ValueError(
            f"svm: {y.size} training rows; its time grows with their square, so at most {_SVM_MOST}. Choose lightgbm."
        )
    machine = SVC(C=p["c"], gamma="scale", class_weight={0: 1.0, 1: balance})
    folds = min(3, int(y.sum()), int(y.size - y.sum()))
    if folds < 2:
        raise ValueError("svm: fewer than 2 rows of a class; its decision values cannot be turned into risks")
    parts = StratifiedKFold(folds, shuffle=True, random_state=seed)
    platt = fit_platt(y, expit(cross_val_predict(machine, x, y, cv=parts, method="decision_function")))
    machine.fit(x, y)
    return {
        "support": np.asarray(machine.support_vectors_, dtype=np.float32),
        "dual": np.asarray(machine.dual_coef_[0], dtype=np.float64),
        "intercept": np.asarray(machine.intercept_, dtype=np.float64),
        "gamma": np.asarray([machine._gamma], dtype=np.float64),
        "platt": np.asarray([platt.intercept, platt.slope]),
    }, ""


def _predict_svm(model: Fitted, x: Floats32) -> Floats:
    from scipy.special import expit
    from sklearn.metrics.pairwise import rbf_kernel

    from clinical_assets.statistics.calibration import Platt

    a = model.arrays
    if not x.shape[0]:
        return np.zeros(0)
    decision = rbf_kernel(x, a["support"], gamma=float(a["gamma"][0])) @ a["dual"] + a["intercept"][0]
    return Platt(float(a["platt"][0]), float(a["platt"][1])).apply(expit(decision))


# --- multilayer perceptron: see network ---


def _fit_mlp(
    x: Floats32, y: npt.NDArray[np.int64], p: Mapping[str, float], balance: float, seed: int
) -> tuple[Arrays, str]:
    from clinical_assets.risk.network import fit_network

    return fit_network(x, y, p, balance, seed), ""


def _predict_mlp(model: Fitted, x: Floats32) -> Floats:
    from clinical_assets.risk.network import apply_network

    return apply_network(model.arrays, x)


_Fit = Callable[[Floats32, "npt.NDArray[np.int64]", Mapping[str, float], float, int], tuple[Arrays, str]]
_FIT: dict[str, _Fit] = {
    "logistic": _fit_logistic,
    "random_forest": _fit_forest,
    "lightgbm": _fit_lightgbm,
    "svm": _fit_svm,
    "mlp": _fit_mlp,
}
_PREDICT: dict[str, Callable[[Fitted, Floats32], Floats]] = {
    "logistic": _predict_logistic,
    "random_forest": _predict_forest,
    "lightgbm": _predict_lightgbm,
    "svm": _predict_svm,
    "mlp": _predict_mlp,
}
