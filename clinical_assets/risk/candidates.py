"""The cells of the ablation matrix: which feature set with which learner and encoder, and what a fit of one gives."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.splits import Split
from clinical_assets.study.risk import RiskModels

__all__ = ["Candidate", "OutOfFold", "candidates"]

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
