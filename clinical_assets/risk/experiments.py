"""The ablation matrix: every feature set with every learner and encoder on every split, all that is fitted fitted inside it.

A block is prepared once per split and shared by all feature sets and learners that have it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.candidates import Candidate, OutOfFold
from clinical_assets.risk.features import Features
from clinical_assets.risk.finished_fits import Fits, NoFits
from clinical_assets.risk.learners import Fitted, fit_learner, oversample
from clinical_assets.risk.preparation import Prepared, fit_block, stack
from clinical_assets.risk.splits import Split
from clinical_assets.risk.tuning import tune
from clinical_assets.study.risk import RiskModels

__all__ = ["RiskModel", "fit_model", "run_matrix"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]

_MANY_ROWS = 5_000


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
    fits: Fits | None = None,
    done: Callable[[int], None] = lambda n: None,
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
    fits
        Finished fits are taken from here, and put here.
    done
        Told how many fits are done now.

    Raises
    ------
    ValueError
        If a feature set has no block.
    """
    fits = fits or NoFits()
    found = []
    for split in splits:
        target = y[split.train]
        if not target.size or not 0 < target.sum() < target.size:
            done(len(cells))
            continue
        held = {cell: fits.get(cell, split) for cell in cells}
        missing = [cell for cell, risk in held.items() if risk is None]
        done(len(cells) - len(missing))
        test = features.rows(split.test)
        cache: dict[str, npt.NDArray[np.float32]] = {}
        for model in _fit_all(missing, features.rows(split.train), target, settings) if missing else ():
            for one in model.prepared:
                if one.name not in cache:
                    cache[one.name] = one.apply(test.blocks[one.name])
            x = np.concatenate([cache[one.name] for one in model.prepared], axis=1)
            part = OutOfFold(model.candidate, split, split.test, model.fitted.predict(x))
            held[model.candidate] = part.risk
            fits.put(part)
            done(1)
        found += [OutOfFold(cell, split, split.test, risk) for cell, risk in held.items() if risk is not None]
    return found


def one_thread(n_rows: int) -> Any:
    """Return a context in which small products use one thread: several wait for each other more than they work."""
    from threadpoolctl import threadpool_limits

    return threadpool_limits(1, user_api="blas") if n_rows < _MANY_ROWS else contextlib.nullcontext()


def _fit_all(cells: Sequence[Candidate], features: Features, y: Whole, settings: RiskModels) -> Iterator[RiskModel]:
    """Fit one cell after another; a block is prepared once."""
    with one_thread(y.size):
        yield from _fitted(cells, features, y, settings)


def _fitted(cells: Sequence[Candidate], features: Features, y: Whole, settings: RiskModels) -> Iterator[RiskModel]:
    prepared: dict[str, Prepared] = {}
    matrices: dict[str, npt.NDArray[np.float32]] = {}
    for cell in cells:
        blocks = features.of(cell.feature_set, cell.encoder)
        for block in blocks:
            if block.name not in prepared:
                prepared[block.name] = fit_block(
                    block,
                    minimum_persons=settings.minimum_persons,
                    components=settings.components,
                    reduction=settings.reduction,
                    seed=settings.seed,
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
        yield RiskModel(cell, [prepared[block.name] for block in blocks], fitted)
