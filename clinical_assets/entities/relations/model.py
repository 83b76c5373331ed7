"""The model of relations: a linear one over the words around a pair, and boosted trees over that and what can be counted.

Trees see, besides the features, what the linear model says of the pair and of the other pairs of the document: annotators give the one
chemical that a text is about, and the most specific of its diseases (Wei et al. 2016).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.entities.relations.documents import Document, Pair
from clinical_assets.entities.relations.features import FeatureReader
from clinical_assets.entities.relations.words import WordReader

__all__ = ["CONTEXT", "PairTable", "RelationModel", "among_others", "pair_table"]

Floats = npt.NDArray[np.float64]
CONTEXT = (
    "words", "words_below_best", "words_rank", "words_mean",
    "words_below_best_of_chemical", "words_mean_of_chemical", "words_below_best_of_disease", "words_mean_of_disease",
)  # fmt: skip


@dataclass(frozen=True)
class PairTable:
    """Pairs of documents, one row a pair.

    Attributes
    ----------
    features
        Shape (n, number of names).
    buckets
        Hashed words of each pair; see `words`.
    document
        Shape (n,), index of the document.
    """

    names: tuple[str, ...]
    features: Floats
    buckets: list[list[int]]
    document: npt.NDArray[np.int64]
    pairs: list[Pair]

    def take(self, rows: npt.NDArray[Any]) -> PairTable:
        """Return some of the rows."""
        places = np.arange(len(self.pairs))[rows]
        return PairTable(
            self.names,
            self.features[places],
            [self.buckets[i] for i in places],
            self.document[places],
            [self.pairs[i] for i in places],
        )


def pair_table(documents: Sequence[Document]) -> PairTable:
    """Return all pairs of the documents, in their order."""
    names: tuple[str, ...] = ()
    rows: list[list[float]] = []
    buckets: list[list[int]] = []
    owners: list[int] = []
    pairs: list[Pair] = []
    for index, document in enumerate(documents):
        found = document.pairs()
        if not found:
            continue
        counted, words = FeatureReader(document), WordReader(document)
        for pair in found:
            features = counted.features(pair)
            names = names or tuple(features)
            rows.append([float(value) for value in features.values()])
            buckets.append(words.buckets(pair))
            owners.append(index)
            pairs.append(pair)
    shape = np.asarray(rows, dtype=np.float64).reshape(len(rows), len(names))
    return PairTable(names, shape, buckets, np.asarray(owners, dtype=np.int64), pairs)


def among_others(table: PairTable, said: Floats) -> Floats:
    """Return the columns :data:`CONTEXT`: what the linear model says of a pair, and how that stands in its document."""
    out = np.zeros((said.size, len(CONTEXT)))
    out[:, 0] = said
    for rows in _grouped(table.document.tolist()):
        values = said[rows]
        out[rows, 1] = values.max() - values
        out[rows, 2] = (-values).argsort(kind="stable").argsort(kind="stable")
        out[rows, 3] = values.mean()
    for side, column in ((0, 4), (1, 6)):
        owners = [(d, pair[side]) for d, pair in zip(table.document.tolist(), table.pairs, strict=True)]
        for rows in _grouped(owners):
            values = said[rows]
            out[rows, column] = values.max() - values
            out[rows, column + 1] = values.mean()
    return out


def _grouped(owners: Sequence[Any]) -> list[npt.NDArray[np.int64]]:
    groups: dict[Any, list[int]] = {}
    for row, owner in enumerate(owners):
        groups.setdefault(owner, []).append(row)
    return [np.asarray(rows) for rows in groups.values()]


@dataclass(frozen=True)
class RelationModel:
    """A trained model.

    Attributes
    ----------
    names
        Features, in the order in which the trees know them; then come :data:`CONTEXT`.
    bucket_index, bucket_weight, intercept
        The linear model: weights of the buckets that have one.
    trees
        LightGBM models as text; their mean is the probability.
    threshold
        Probability from which on a text is held to say so.
    card
        How it was made: corpora, parameters, cross-validated scores.
    """

    names: tuple[str, ...]
    bucket_index: npt.NDArray[np.int64]
    bucket_weight: npt.NDArray[np.float32]
    intercept: float
    trees: tuple[str, ...]
    threshold: float
    card: Mapping[str, Any] = field(default_factory=dict)

    def words_score(self, table: PairTable) -> Floats:
        """Return what the linear model says of each pair, as log odds."""
        weights = dict(zip(self.bucket_index.tolist(), self.bucket_weight.tolist(), strict=True))
        return np.asarray(
            [self.intercept + sum(weights.get(bucket, 0.0) for bucket in one) for one in table.buckets],
            dtype=np.float64,
        )

    def probabilities(self, documents: Sequence[Document]) -> list[dict[Pair, float]]:
        """Return, for each document, pair -> P(the text says that the chemical induces the disease)."""
        out: list[dict[Pair, float]] = [{} for _ in documents]
        table = pair_table(documents)
        if not table.pairs:
            return out
        for owner, pair, value in zip(table.document.tolist(), table.pairs, self.predict(table).tolist(), strict=True):
            out[owner][pair] = value
        return out

    def predict(self, table: PairTable) -> Floats:
        """Return the probability of each row.

        Raises
        ------
        ValueError
            If the model was trained on other features than the table has.
        """
        if table.names != self.names:
            raise ValueError(
                f"the model knows {len(self.names)} features, this version has {len(table.names)} or other ones; "
                "train it anew: materialize entities/relation_model"
            )
        seen = np.hstack([table.features, among_others(table, self.words_score(table))])
        return np.mean([tree.predict(seen, num_threads=1) for tree in self._boosters], axis=0)

    @cached_property
    def _boosters(self) -> list[Any]:
        import lightgbm

        return [lightgbm.Booster(model_str=text) for text in self.trees]
