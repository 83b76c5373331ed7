"""Classical models of a prediction question: preparation and fit inside the folds, predictions out of them.

Numbers are imputed by the median (with a column that says so) and standardised, categories become indicators; all of that is learnt from
the training rows. A category that training did not have is none of the known ones, which is counted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clinical_assets.prediction.rows import Dataset, Value
from clinical_assets.prediction.splits import Assigned
from clinical_assets.statistics.roc import auroc
from clinical_assets.study.prediction import PredictionFeature

if TYPE_CHECKING:
    from sklearn.compose import ColumnTransformer

__all__ = [
    "CONSTANTS",
    "EDGE",
    "LEARNERS",
    "LOGISTIC",
    "Model",
    "Predicted",
    "as_frame",
    "constant_predictions",
    "fit",
    "oversampled",
    "predict_everywhere",
]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

CONSTANTS = ("always_yes", "always_no", "prevalence")
# What each is fitted with; the strength of a penalty is chosen inside the training rows.
LEARNERS: dict[str, dict[str, Any]] = {
    "lasso": {"l1_ratio": 1.0, "solver": "liblinear", "tol": 1e-4},
    "elastic_net": {"l1_ratio": 0.5, "solver": "saga", "tol": 3e-3},
    "random_forest": {"n_estimators": 100, "min_samples_leaf": 5, "max_features": "sqrt"},
    # For tables of hundreds of rows: randomised thresholds and an L2 penalty were the best of ten on simulated tables, before any real one.
    "lightgbm": {
        "n_estimators": 150,
        "min_child_samples": 15,
        "learning_rate": 0.05,
        "colsample_bytree": 0.5,
        "reg_lambda": 10.0,
        "extra_trees": True,
    },
}
LOGISTIC = ("lasso", "elastic_net")
# What is chosen inside the training rows; the simplest first, which wins a tie.
_CHOICES: dict[str, tuple[str, tuple[float, ...]]] = {
    "lasso": ("C", (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),  # inverse of the penalty
    "elastic_net": ("C", (0.01, 0.03, 0.1, 0.3, 1.0, 3.0)),
    "lightgbm": ("num_leaves", (2, 4, 7)),  # 2: no interactions
}
_ABSENT = "(not recorded)"
EDGE = 1e-6  # probabilities stay that far from 0 and 1


@dataclass(frozen=True)
class Predicted:
    """Probabilities of rows by a model that has not seen them.

    Attributes
    ----------
    design
        held_out (fitted on the training rows; validation and test rows) or cross_validation.
    repeat, fold
        Of the cross-validation; 0 otherwise.
    rows, probability
        Shape (k,).
    n_unseen
        Values of categories that training did not have.
    """

    design: str
    repeat: int
    fold: int
    rows: Whole
    probability: Floats
    n_unseen: int = 0


@dataclass(frozen=True)
class Model:
    """Preparation and learner, fitted on some rows.

    Attributes
    ----------
    name
        One of `LEARNERS`.
    features
        What it sees.
    prepare
        From raw columns to numbers.
    fitted
        A classifier of scikit-learn or LightGBM.
    offset
        Added to the log-odds: undoes class weights and oversampling, after which probabilities stand for patients as they come
        (King & Zeng 2001).
    chosen
        What was chosen inside the training rows: C (the inverse of the penalty) of a logistic model, num_leaves of LightGBM.
    """

    name: str
    features: tuple[PredictionFeature, ...]
    prepare: ColumnTransformer
    fitted: Any
    offset: float
    chosen: Mapping[str, float] = field(default_factory=dict)

    @property
    def columns(self) -> list[str]:
        """Names of the columns that the learner sees."""
        return [str(name) for name in self.prepare.get_feature_names_out()]

    def matrix(self, columns: Mapping[str, Sequence[Value]], rows: Whole) -> npt.NDArray[np.float32]:
        """Return the prepared rows."""
        return np.asarray(self.prepare.transform(as_frame(self.features, columns, rows)), dtype=np.float32)

    def predict(self, columns: Mapping[str, Sequence[Value]], rows: Whole) -> Floats:
        """Return P(yes), shape (k,)."""
        return self.of_matrix(self.matrix(columns, rows))

    def of_matrix(self, x: npt.NDArray[np.float32]) -> Floats:
        """Return P(yes) of prepared rows."""
        from scipy.special import expit, logit

        p = np.clip(np.asarray(self.fitted.predict_proba(x))[:, 1], EDGE, 1 - EDGE)
        return np.asarray(expit(logit(p) + self.offset))

    def weights(self) -> Floats:
        """Return the coefficients of a logistic model, one a column."""
        return np.asarray(self.fitted.coef_[0], dtype=np.float64)

    def refitted(self, x: npt.NDArray[np.float32], y: Whole, weight: Floats) -> Floats:
        """Return the coefficients of a logistic model fitted again, at its penalty, with rows that count `weight` times."""
        from sklearn.base import clone

        return np.asarray(clone(self.fitted).fit(x, y, sample_weight=weight).coef_[0], dtype=np.float64)

    def n_unseen(self, columns: Mapping[str, Sequence[Value]], rows: Whole) -> int:
        """Return how many values are of a category that training did not have."""
        known = self.prepare.named_transformers_.get("category")
        names = [f.name for f in self.features if f.kind == "category"]
        if not names or known is None or isinstance(known, str):
            return 0
        return sum(
            (columns[name][i] or _ABSENT) not in set(levels)
            for name, levels in zip(names, known.categories_, strict=True)
            for i in rows
        )


def fit(
    name: str,
    features: tuple[PredictionFeature, ...],
    columns: Mapping[str, Sequence[Value]],
    y: Whole,
    rows: Whole,
    *,
    balance: str,
    seed: int,
    chosen: Mapping[str, float] | None = None,
) -> Model:
    """Fit a model on some rows.

    Parameters
    ----------
    name
        One of `LEARNERS`.
    columns, y
        Of all rows.
    rows
        Row numbers to learn from; may repeat.
    balance
        weights, oversample (rows of the rarer answer again, these rows only) or none.
    chosen
        What is not to be chosen inside the rows but given, {"C": 1.0} say.

    Raises
    ------
    ValueError
        If only one answer is among the rows.
    """
    n_yes = int(y[rows].sum())
    if not 0 < n_yes < rows.size:
        raise ValueError("only one answer among the training rows; a model needs both")
    offset = -float(np.log((rows.size - n_yes) / n_yes)) if balance != "none" else 0.0
    prepare = _preparation(features).fit(as_frame(features, columns, rows))
    if balance == "oversample":
        rows = oversampled(rows, y, seed)
    x = np.asarray(prepare.transform(as_frame(features, columns, rows)), dtype=np.float32)
    weighted = "balanced" if balance == "weights" else None
    found = dict(chosen) if chosen is not None else _chosen(name, x, y[rows], weighted, seed)
    return Model(name, features, prepare, _learner(name, weighted, seed, found).fit(x, y[rows]), offset, found)


def predict_everywhere(
    name: str,
    dataset: Dataset,
    assigned: Assigned,
    *,
    balance: str,
    seed: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> tuple[Model, list[Predicted]]:
    """Fit on the training rows and in every fold; return the model of the training rows and all predictions."""
    given: dict[str, Any] = {"balance": balance, "seed": seed}
    model = fit(name, dataset.features, dataset.columns, dataset.y, assigned.rows("train"), **given)
    judged = assigned.rows("validation", "test")
    found = [_predicted(model, dataset, "held_out", 0, 0, judged)]
    places = [(r, int(f)) for r in range(assigned.folds.shape[0]) for f in range(int(assigned.folds[r].max()) + 1)]
    for done, (repeat, fold) in enumerate(places, start=1):
        train, test = assigned.parts(repeat, fold)
        one = fit(name, dataset.features, dataset.columns, dataset.y, train, **given)
        found.append(_predicted(one, dataset, "cross_validation", repeat, fold, test))
        progress(done, len(places))
    return model, found


def constant_predictions(name: str, dataset: Dataset, assigned: Assigned) -> list[Predicted]:
    """Return what a model says that knows no patient: always yes, always no, or the share of yes among the training rows.

    Raises
    ------
    ValueError
        If there is no such constant.
    """
    if name not in CONSTANTS:
        raise ValueError(f"no constant {name!r}; known: {', '.join(CONSTANTS)}")

    def constant(train: Whole) -> float:
        return {"always_yes": 1.0, "always_no": 0.0}.get(name, float(dataset.y[train].mean()))

    judged = assigned.rows("validation", "test")
    found = [Predicted("held_out", 0, 0, judged, np.full(judged.size, constant(assigned.rows("train"))))]
    for repeat, folds in enumerate(assigned.folds):
        for fold in range(int(folds.max()) + 1):
            train, test = assigned.parts(repeat, fold)
            found.append(Predicted("cross_validation", repeat, fold, test, np.full(test.size, constant(train))))
    return found


def _predicted(model: Model, dataset: Dataset, design: str, repeat: int, fold: int, rows: Whole) -> Predicted:
    return Predicted(
        design, repeat, fold, rows, model.predict(dataset.columns, rows), model.n_unseen(dataset.columns, rows)
    )


def _preparation(features: Sequence[PredictionFeature]) -> ColumnTransformer:
    from sklearn.compose import ColumnTransformer
    from sklearn.impute import SimpleImputer
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import OneHotEncoder, StandardScaler

    numbers = [f.name for f in features if f.kind != "category"]
    categories = [f.name for f in features if f.kind == "category"]
    impute = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    encode = OneHotEncoder(handle_unknown="ignore", drop="if_binary", sparse_output=False)
    steps: list[tuple[str, Any, list[str]]] = []
    if numbers:
        steps.append(("number", make_pipeline(impute, StandardScaler()), numbers))
    if categories:
        steps.append(("category", encode, categories))
    return ColumnTransformer(steps, verbose_feature_names_out=False)


def as_frame(features: Sequence[PredictionFeature], columns: Mapping[str, Sequence[Value]], rows: Whole) -> Any:
    """Return rows as a pandas frame: numbers with nan, categories with a level of their own for what was not recorded."""
    import pandas as pd

    made: dict[str, Any] = {}
    for feature in features:
        values = columns[feature.name]
        if feature.kind == "category":
            made[feature.name] = [values[i] if values[i] is not None else _ABSENT for i in rows]
        else:
            picked = [values[i] for i in rows]
            made[feature.name] = np.asarray([np.nan if v is None else float(v) for v in picked], dtype=np.float64)
    return pd.DataFrame(made)


def oversampled(rows: Whole, y: Whole, seed: int) -> Whole:
    """Return rows with those of the rarer answer again, whole rounds and then a draw, until both are as many."""
    yes, no = rows[y[rows] == 1], rows[y[rows] == 0]
    rarer, missing = (yes, no.size - yes.size) if yes.size < no.size else (no, yes.size - no.size)
    whole, part = divmod(missing, rarer.size)
    again = np.concatenate([np.tile(rarer, whole), np.random.default_rng(seed).permutation(rarer)[:part]])
    return np.concatenate([rows, again]).astype(np.int64)


def _chosen(name: str, x: npt.NDArray[np.float32], y: Whole, weighted: str | None, seed: int) -> dict[str, float]:
    """The value with the best mean area under the ROC curve in three inner parts; the simpler at a tie."""
    from sklearn.model_selection import StratifiedKFold

    if name not in _CHOICES:
        return {}
    setting, values = _CHOICES[name]
    folds = min(3, int(y.sum()), int(y.size - y.sum()))
    if folds < 2:
        return {setting: values[len(values) // 2]}
    areas = np.zeros(len(values))
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(x, y):
        for i, value in enumerate(values):
            one = _learner(name, weighted, seed, {setting: value}).fit(x[train], y[train])
            areas[i] += float(auroc(y[test], np.asarray(one.predict_proba(x[test]))[:, 1]))
    return {setting: values[int(areas.argmax())]}


def _learner(name: str, weighted: str | None, seed: int, chosen: Mapping[str, float]) -> Any:
    given: dict[str, Any] = {"class_weight": weighted, "random_state": seed, **LEARNERS[name], **chosen}
    if name in LOGISTIC:
        from sklearn.linear_model import LogisticRegression

        return LogisticRegression(max_iter=300, **given)
    if name == "random_forest":
        from sklearn.ensemble import RandomForestClassifier

        return RandomForestClassifier(n_jobs=1, **given)
    from lightgbm import LGBMClassifier

    return LGBMClassifier(n_jobs=1, deterministic=True, force_row_wise=True, verbosity=-1, **given)
