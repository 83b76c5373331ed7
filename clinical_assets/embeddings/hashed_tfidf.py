"""The encoder that needs no weights: hashed TF-IDF of character n-grams, reduced by a singular value decomposition (LSA).

It knows spelling, not meaning: names that share stems are alike ("diabetes", "diabetic"), synonyms are not. The platform fits it on the
names of the vocabulary, which are no data of persons, so that vectors made with it leak nothing from test to training data. Where
it is fitted on texts of persons instead, that has to happen inside the training folds: it is a transformer with fit and transform.

Deerwester et al., Indexing by latent semantic analysis, JASIS 1990; hashing as in scikit-learn's HashingVectorizer.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.language_models.text_vectors import Vectors, unit_rows

__all__ = ["DIMENSION", "NAME", "HashedTfidfSvd", "NotFittedError", "corpus_revision", "fitted_on"]

NAME = "hashed_tfidf_svd"
DIMENSION = 128
_VERSION = 1
_FEATURES = 2**14
_NGRAMS = (3, 4)
_SEED = 0
_DATES = re.compile(r"\[\d{4}-\d{2}-\d{2}\] - ")
_FEW_TEXTS = 2_000
_MOST_TEXTS = 20_000  # of a corpus, by hash; more change little


class NotFittedError(RuntimeError):
    """The transformer was asked for vectors before it was fitted."""


class HashedTfidfSvd:
    """Texts to vectors of `dimension` numbers, at length 1; a text without any n-gram that was fitted is a vector of zeros.

    Parameters
    ----------
    dimension
        Numbers of a vector. A corpus of fewer texts gives as many as it has; the others are zero.

    Notes
    -----
    Dates of chronologies are left out before the n-grams are taken. Deterministic: the same texts in any order give the same fit.
    """

    def __init__(self, dimension: int = DIMENSION) -> None:
        self.dimension = dimension
        self.weights: npt.NDArray[np.float64] | None = None  # inverse document frequency, shape (features,)
        self.components: npt.NDArray[np.float64] | None = None  # shape (features, dimension)

    def fit(self, texts: Sequence[str], y: object = None) -> HashedTfidfSvd:
        """Learn frequencies and components from texts; order and repetitions do not count.

        Raises
        ------
        ValueError
            If there are fewer than two distinct texts.
        """
        from sklearn.decomposition import TruncatedSVD
        from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

        distinct = sorted({text for text in texts if text})
        if len(distinct) < 2:
            raise ValueError(f"{NAME} is fitted on {len(distinct)} distinct texts; at least 2 are needed")
        counted = _counts(distinct)
        n_with = np.bincount(counted.indices, minlength=_FEATURES)
        weights = np.log((1 + len(distinct)) / (1 + n_with)) + 1
        rank = min(self.dimension, len(distinct) - 1)
        # exact where that is quick; the other is close, and takes seconds for tens of thousands of texts
        few = len(distinct) <= _FEW_TEXTS
        svd = TruncatedSVD(rank, algorithm="arpack" if few else "randomized", n_iter=4, random_state=_SEED)
        with threadpool_limits(1, user_api="blas"):  # small products: more threads took ten times as long
            svd.fit(_weighted(counted, weights))
        components = np.zeros((_FEATURES, self.dimension))
        components[:, :rank] = svd.components_.T
        self.weights, self.components = weights, components
        return self

    def transform(self, texts: Sequence[str]) -> Vectors:
        """Return the vectors, float32 of shape (n, dimension).

        Raises
        ------
        NotFittedError
            Before `fit`.
        """
        if self.weights is None or self.components is None:
            raise NotFittedError(f"{NAME}: fit it on texts of the training data, or of the vocabulary, first")
        if not texts:
            return np.zeros((0, self.dimension), np.float32)
        return unit_rows(_weighted(_counts(texts), self.weights) @ self.components)

    def fit_transform(self, texts: Sequence[str], y: object = None) -> Vectors:
        """Fit, and return the vectors of the same texts."""
        return self.fit(texts).transform(texts)

    def encode(self, texts: Sequence[str], instruction: str = "") -> Vectors:
        """Return the vectors; there is nothing that an instruction could change."""
        return self.transform(texts)


def _counts(texts: Sequence[str]) -> Any:
    """Count n-grams, shape (texts, features). None crosses a blank, so they are hashed once a distinct word and added up."""
    from collections import Counter

    from scipy.sparse import csr_matrix
    from sklearn.feature_extraction.text import HashingVectorizer

    columns: dict[str, int] = {}
    numbers: list[int] = []
    counts: list[int] = []
    ends = [0]
    for text in texts:
        for word, n in Counter(_DATES.sub(" ", text).lower().split()).items():
            numbers.append(columns.setdefault(word, len(columns)))
            counts.append(n)
        ends.append(len(numbers))
    words = csr_matrix((counts, numbers, ends), shape=(len(texts), max(1, len(columns))), dtype=np.float64)
    hashing = HashingVectorizer(
        analyzer="char_wb", ngram_range=_NGRAMS, n_features=_FEATURES, norm=None, alternate_sign=False
    )
    return (words @ hashing.transform(list(columns) or [""])).tocsr()


def _weighted(counted: Any, weights: npt.NDArray[np.float64]) -> Any:
    from sklearn.preprocessing import normalize

    sublinear = counted.copy()
    sublinear.data = np.log(sublinear.data) + 1
    return normalize(sublinear.multiply(weights).tocsr())


def corpus_revision(texts: Sequence[str]) -> str:
    """Return what tells a fit from others: the digest of the texts it is fitted on, and of the method."""
    from importlib.metadata import version

    said = json.dumps([_VERSION, _FEATURES, _NGRAMS, DIMENSION, version("scikit-learn")])
    digest = hashlib.sha256(said.encode())
    for text in sorted(set(texts)):
        digest.update(text.encode() + b"\0")
    return digest.hexdigest()[:40]


def fitted_on(texts: Sequence[str], models: Path) -> HashedTfidfSvd:
    """Return the encoder fitted on these texts: read from ``models/hashed_tfidf_svd/<revision>`` or fitted, and kept there.

    Raises
    ------
    ValueError
        If there are fewer than two distinct texts.
    """
    from safetensors.numpy import load_file, save_file

    folder = models / NAME / corpus_revision(texts)
    path = folder / "model.safetensors"
    encoder = HashedTfidfSvd()
    if path.is_file():
        held = load_file(path)
        encoder.weights, encoder.components = held["weights"], held["components"]
        return encoder
    distinct = sorted(set(texts), key=lambda text: hashlib.sha256(text.encode()).digest())[:_MOST_TEXTS]
    encoder.fit(distinct)
    assert encoder.weights is not None
    assert encoder.components is not None
    folder.mkdir(parents=True, exist_ok=True)
    handle, temp = tempfile.mkstemp(prefix=".model.", suffix=".tmp", dir=folder)
    os.close(handle)
    try:
        save_file({"weights": encoder.weights, "components": encoder.components}, temp)
        os.replace(temp, path)
    finally:
        Path(temp).unlink(missing_ok=True)
    return encoder
