"""A linear-chain conditional random field over tags of tokens (Lafferty, McCallum & Pereira, ICML 2001), by CRFsuite.

Stored in CRFsuite's own format: numbers and names of features, no pickle.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.entities.tags import TAGS

__all__ = ["LinearChain", "train_linear_chain"]

Floats = npt.NDArray[np.float64]


def train_linear_chain(
    examples: Iterable[tuple[list[list[str]], list[str]]], target: Path, *, c1: float, c2: float, iterations: int
) -> None:
    """Train on (features of tokens, tags) of documents and write the model to `target`, whole or not at all.

    Parameters
    ----------
    c1, c2
        Weights of the L1 and L2 penalties.
    iterations
        Of L-BFGS (OWL-QN), at most.

    Raises
    ------
    ValueError
        If there is nothing to learn from.
    """
    import pycrfsuite

    trainer = pycrfsuite.Trainer(algorithm="lbfgs", verbose=False)
    n = 0
    for features, tags in examples:
        if tags:
            trainer.append(features, tags)
            n += 1
    if not n:
        raise ValueError("no document with a token: there is nothing to train on")
    trainer.set_params(
        {"c1": c1, "c2": c2, "max_iterations": iterations, "feature.possible_transitions": True, "feature.minfreq": 1}
    )
    handle, temporary = tempfile.mkstemp(prefix=".crf.", dir=target.parent)
    os.close(handle)
    try:
        trainer.train(temporary)
        os.replace(temporary, target)
    finally:
        Path(temporary).unlink(missing_ok=True)


class LinearChain:
    """A trained model.

    Parameters
    ----------
    path
        File that `train_linear_chain` wrote; who opens it has checked its digest.
    """

    def __init__(self, path: Path) -> None:
        import pycrfsuite

        self._tagger: Any = pycrfsuite.Tagger()
        self._tagger.open(str(path))
        self._columns = [(i, tag) for i, tag in enumerate(TAGS) if tag in set(self._tagger.labels())]

    def probabilities(self, features: Sequence[list[str]]) -> Floats:
        """Return P(tag) of each token, shape (tokens, len(TAGS)); a tag that training never saw has 0."""
        out = np.zeros((len(features), len(TAGS)))
        if len(features):
            self._tagger.set(features)
            marginal = self._tagger.marginal
            for column, tag in self._columns:
                out[:, column] = [marginal(tag, i) for i in range(len(features))]
        return out
