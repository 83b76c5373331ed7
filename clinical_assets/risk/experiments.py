"""The ablation matrix: every feature set with every learner and encoder on every split, all that is fitted fitted inside it.

A block is prepared once per split and shared by all feature sets and learners that have it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.features import Features
from clinical_assets.risk.learners import Fitted, fit_learner, oversample
from clinical_assets.risk.preparation import Prepared, fit_block, stack
from clinical_assets.risk.splits import Split
from clinical_assets.risk.tuning import tune
from clinical_assets.study.risk import RiskModels

__all__ = ["Candidate", "OutOfFold", "RiskModel", "candidates", "fit_model", "run_matrix"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]


@dataclass(frozen=True, order=True)
class Candidate:
    """A cell of the matrix."""

    feature_set: str
    learner: str
    encoder: str = ""

    @property
    def name(self) -> str:
        """Return what it is called in tables, e.g. ``counts+embeddings/lightgbm/minilm``."""
        return "/".join(part for part in (self.feature_set, self.learner, self.encoder) if part)


@dataclass(frozen=True)
class RiskModel:
    """Preparation and learner together: from features to risks.

    Attributes
    ----------
    candidate
        What it is.
    prepared
        Fitted blocks, in the order of the columns.
    fitted
        The learner.
    """

    candidate: Candidate
    prepared: Sequence[Prepared]
    fitted: Fitted

    def columns(self) -> list[str]:
        """Return the names of the columns the learner sees."""
        return [name for one in self.prepared for name in one.names]

    def matrix(self, features: Features) -> npt.NDArray[np.float32]:
        """Return the prepared features, shape (n, columns)."""
        return stack(self.prepared, list(features.blocks.values()))

    def predict(self, features: Features) -> Floats:
        """Return the risk of each person, shape (n,)."""
        return self.fitted.predict(self.matrix(features))


@dataclass(frozen=True)
class OutOfFold:
    """Risks of persons by models that have not seen them.

    Attributes
    ----------
    candidate, split
        Of which model, on which split.
    rows
        Row numbers of the tested persons.
    risk
        One each.
    """

    candidate: Candidate
    split: Split
    rows: Whole
    risk: Floats


def candidates(settings: RiskModels, encoders: Sequence[str]) -> list[Candidate]:
    """Return the cells of a study's matrix; feature sets without embeddings have no encoder."""
    chosen = settings.encoders or list(encoders)
    return [
        Candidate(feature_set, learner, encoder)
        for feature_set in settings.feature_sets
        for learner in settings.learners
        for encoder in (chosen if "embeddings" in feature_set.split("+") else [""])
    ]


def fit_model(candidate: Candidate, features: Features, y: Whole, settings: RiskModels) -> RiskModel:
    """Fit one model on all rows given.

    Raises
    ------
    ValueError
        If the feature set has no block, or only one class is there.
    """
    return next(iter(_fit_all([candidate], features, y, settings)))


def run_matrix(
    cells: Sequence[Candidate],
    features: Features,
    y: Whole,
    splits: Sequence[Split],
    settings: RiskModels,
    *,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[OutOfFold]:
    """Return out-of-fold risks of every cell on every split; a split with one class in training is left out.

    Parameters
    ----------
    cells
        From `candidates`.
    features, y
        The same persons in the same order; y is 1 for a case.
    splits
        From `splits`.
    settings
        Of the study.
    progress
        Told how many splits are done.

    Raises
    ------
    ValueError
        If a feature set has no block.
    """
    found = []
    for done, split in enumerate(splits, start=1):
        target = y[split.train]
        if target.size and 0 < target.sum() < target.size:
            test = features.rows(split.test)
            cache: dict[str, npt.NDArray[np.float32]] = {}
            for model in _fit_all(cells, features.rows(split.train), target, settings):
                for one in model.prepared:
                    if one.name not in cache:
                        cache[one.name] = one.apply(test.blocks[one.name])
                x = np.concatenate([cache[one.name] for one in model.prepared], axis=1)
                found.append(OutOfFold(model.candidate, split, split.test, model.fitted.predict(x)))
        progress(done, len(splits))
    return found


def _fit_all(cells: Sequence[Candidate], features: Features, y: Whole, settings: RiskModels) -> list[RiskModel]:
    prepared: dict[str, Prepared] = {}
    matrices: dict[str, npt.NDArray[np.float32]] = {}
    models = []
    for cell in cells:
        blocks = features.of(cell.feature_set, cell.encoder)
        for block in blocks:
            if block.name not in prepared:
                prepared[block.name] = fit_block(
                    block, minimum_persons=settings.minimum_persons, components=settings.components, seed=settings.seed
                )
                matrices[block.name] = prepared[block.name].apply(block)
        x, target = np.concatenate([matrices[block.name] for block in blocks], axis=1), y
        parameters: Mapping[str, float] = {}
        if settings.tuning_trials:
            parameters = tune(
                cell.learner,
                x,
                target,
                trials=settings.tuning_trials,
                seed=settings.seed,
                weighted=settings.class_weight == "balanced",
            )
        if settings.oversampling == "smote":
            x, target = oversample(x, target, settings.seed)
        weighted = settings.class_weight == "balanced" and settings.oversampling == "none"
        fitted = fit_learner(cell.learner, x, target, weighted=weighted, seed=settings.seed, parameters=parameters)
        models.append(RiskModel(cell, [prepared[block.name] for block in blocks], fitted))
    return models
