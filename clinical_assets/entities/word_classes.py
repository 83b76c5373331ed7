"""Words that are used alike get one class: clusters of word vectors that are learned from text without annotations.

Vectors are the leading singular vectors of the positive pointwise mutual information of words within three places of each other
(Levy, Goldberg & Dagan, TACL 2015), clusters by k-means; classes of words carry a small corpus far (Miller, Guinness & Zamanian,
NAACL 2004; Turian, Ratinov & Bengio, ACL 2010).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ClassSettings", "Vectors", "learn_vectors", "word_clusters"]

Floats = npt.NDArray[np.float32]
_WORD = re.compile(r"[A-Za-z]+|\d+|[^\sA-Za-z\d]")
_WINDOW = 3
_GAP = np.full(_WINDOW, -1, dtype=np.int64)


@dataclass(frozen=True)
class ClassSettings:
    """How words are put into classes.

    Attributes
    ----------
    dimensions
        Length of a word's vector.
    clusters
        Numbers of clusters: each word gets one class of each clustering.
    least
        Occurrences from which on a word has a vector.
    most_words
        The most frequent ones that have one.
    """

    dimensions: int = 150
    clusters: tuple[int, ...] = (100, 300, 1000)
    least: int = 4
    most_words: int = 30_000
    seed: int = 0


@dataclass(frozen=True)
class Vectors:
    """Unit vectors of words: shape (words, dimensions); digits of a number are one word, 0."""

    words: tuple[str, ...]
    values: Floats


def learn_vectors(texts: Iterable[str], settings: ClassSettings, log: Callable[[str], None]) -> Vectors | None:
    """Return vectors of the words of texts; None where too few words occur often enough for the clusters asked for."""
    from sklearn.utils.extmath import randomized_svd

    documents, counts = [], Counter[str]()
    for text in texts:
        words = ["0" if word.isdigit() else word.lower() for word in _WORD.findall(text)]
        counts.update(words)
        documents.append(words)
    kept = sorted((w for w, n in counts.items() if n >= settings.least), key=lambda w: (-counts[w], w))[
        : settings.most_words
    ]
    n_least = max(settings.dimensions, *settings.clusters) + 1
    log(f"word classes: {len(documents):,} texts, {counts.total():,} words, {len(kept):,} of them often enough")
    if len(kept) <= n_least:
        return None
    index = {word: i for i, word in enumerate(kept)}
    information = _information(documents, index)
    left, strength, _ = randomized_svd(
        information, n_components=settings.dimensions, n_iter=3, random_state=settings.seed
    )
    values = left * np.sqrt(strength)
    values /= np.maximum(np.linalg.norm(values, axis=1, keepdims=True), 1e-9)
    return Vectors(tuple(kept), values.astype(np.float32))


def _information(documents: list[list[str]], index: dict[str, int]) -> Any:
    """Return the sparse matrix of positive pointwise mutual information, near words counting more."""
    from scipy import sparse

    n = len(index)
    parts = [
        part for words in documents for part in (np.array([index.get(w, -1) for w in words], dtype=np.int64), _GAP)
    ]
    ids = np.concatenate(parts)
    counts: Any = sparse.csr_matrix((n, n), dtype=np.float32)
    for step in range(1, _WINDOW + 1):
        a, b = ids[:-step], ids[step:]
        both = (a >= 0) & (b >= 0)
        weights = np.full(int(both.sum()), 1 / step, dtype=np.float32)
        pairs = sparse.coo_matrix((weights, (a[both], b[both])), shape=(n, n)).tocsr()
        counts = counts + pairs + pairs.T
    counts = counts.tocoo()
    total = np.asarray(counts.sum(axis=1)).ravel()
    smoothed = total**0.75  # context distribution smoothing, as in Levy et al.
    smoothed /= smoothed.sum()
    value = np.log(np.maximum(counts.data / (total[counts.row] * smoothed[counts.col]), 1e-12))
    positive = value > 0
    return sparse.csr_matrix(
        (value[positive].astype(np.float32), (counts.row[positive], counts.col[positive])), shape=(n, n)
    )


def word_clusters(vectors: Vectors, settings: ClassSettings) -> dict[str, tuple[str, ...]]:
    """Return word -> its class in each clustering, e.g. ``c100=7``."""
    from sklearn.cluster import MiniBatchKMeans

    labels = []
    for n in settings.clusters:
        means = MiniBatchKMeans(n, random_state=settings.seed, batch_size=2048, n_init=3).fit(vectors.values)
        labels.append([f"c{n}={label}" for label in means.labels_])
    return {word: tuple(label[i] for label in labels) for i, word in enumerate(vectors.words)}
