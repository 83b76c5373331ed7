"""Where a short summary should look: how much each sentence is worth by itself, whatever facts it holds.

Four priors, each in [0, 1], weighted by the study (`study.summarizing.Focus`): early sentences (exponential decay), sentences like
the rest of the text (centrality: mean cosine, as in LexRank's degree; Erkan & Radev 2004), like the opening sentence (a title or
a complaint), and sentences that use one of the words asked for (query-focused summarization).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.study.summarizing import Focus

__all__ = ["priors"]

_ENOUGH = 2  # words asked for; more make a sentence no better


def priors(focus: Focus, sentences: Sequence[str], similarity: Any) -> npt.NDArray[np.float64]:
    """Return the worth of each sentence per token, >= 0; the whole is 1 for a sentence that has all there is.

    Parameters
    ----------
    similarity
        Square matrix of the sentences, >= 0; another shape (there were too many) leaves centrality and opening out.
    """
    n = len(sentences)
    matrix = np.asarray(similarity, dtype=float)
    if matrix.shape != (n, n):
        matrix = np.zeros((n, n))
    central = matrix.mean(axis=1)
    asked = np.zeros(n)
    if focus.words:
        found = re.compile(rf"(?<!\w)(?:{'|'.join(map(re.escape, focus.words))})(?!\w)", re.IGNORECASE)
        asked = np.array([min(_ENOUGH, sum(1 for _ in found.finditer(text))) / _ENOUGH for text in sentences])
    parts = (
        (focus.position, np.exp(-np.arange(n) / focus.decay)),
        (focus.centrality, central / central.max() if central.max() > 0 else central),
        (focus.opening, np.minimum(matrix[0], 1.0)),
        (focus.asked, asked),
    )
    whole = sum(weight for weight, _ in parts)
    return np.asarray(sum(weight * part for weight, part in parts) / whole if whole else np.zeros(n))
