"""Training the model of relations on documents that people annotated, and choosing its threshold by documents left out."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.entities.relations.documents import Document, Pair
from clinical_assets.entities.relations.model import Floats, PairTable, RelationModel, among_others, pair_table
from clinical_assets.entities.relations.words import N_BUCKETS

__all__ = ["Parameters", "TooFewRelations", "best_threshold", "out_of_fold", "train_relations"]

Flags = npt.NDArray[np.bool_]
LEAST_DOCUMENTS, LEAST_RELATIONS = 10, 10


class TooFewRelations(ValueError):
    """Annotated documents that a model cannot be trained on."""


@dataclass(frozen=True)
class Parameters:
    """Of the two models and of choosing the threshold. Chosen by cross-validation inside the training documents of BC5CDR.

    Attributes
    ----------
    inverse_penalty
        C of the logistic regression over words.
    least_pairs
        Pairs in which a word must stand to be read.
    n_trees, n_bags
        Rounds of boosting, and models with different draws whose mean is taken.
    n_bags_held_out
        Of these, how many are made in each fold of choosing the threshold, which needs less.
    n_folds
        Of documents.
    """

    inverse_penalty: float = 0.1
    least_pairs: int = 3
    learning_rate: float = 0.03
    n_trees: int = 200
    n_leaves: int = 15
    least_in_leaf: int = 20
    column_share: float = 0.4
    row_share: float = 0.7
    l2: float = 5.0
    n_bags: int = 5
    n_bags_held_out: int = 2
    n_folds: int = 5
    seed: int = 0


def train_relations(
    documents: Sequence[Document],
    gold: Sequence[Collection[Pair]],
    parameters: Parameters | None = None,
    *,
    card: dict[str, Any] | None = None,
    log: Callable[[str], None] = lambda _: None,
) -> RelationModel:
    """Return a model with the threshold that gave the best F1 on documents left out.

    Parameters
    ----------
    documents, gold
        Documents with their annotated relations; one document per article.
    card
        What to keep beside how it was made, e.g. digests of the corpora.

    Raises
    ------
    TooFewRelations
        If there are fewer than 10 documents with a pair, or fewer than 10 pairs that are a relation or that are none.
    """
    chosen = parameters or Parameters()
    table = pair_table(documents)
    y = np.asarray(
        [pair in gold[owner] for owner, pair in zip(table.document, table.pairs, strict=True)], dtype=np.bool_
    )
    n_documents, n_positive = len(set(table.document.tolist())), int(y.sum())
    if n_documents < LEAST_DOCUMENTS or min(n_positive, y.size - n_positive) < LEAST_RELATIONS:
        raise TooFewRelations(
            f"{n_documents} documents with a chemical and a disease, {n_positive} of {y.size} pairs annotated as a relation; "
            f"expected at least {LEAST_DOCUMENTS} documents, {LEAST_RELATIONS} relations and {LEAST_RELATIONS} pairs that are none: "
            "land a larger corpus in landing/corpora"
        )
    n_gold = sum(len(set(one)) for one in gold)
    held_out = out_of_fold(table, y, chosen)
    threshold, f1 = best_threshold(held_out, y, n_gold)
    log(f"{y.size} pairs, {n_positive} relations: F1 {f1:.3f} on documents left out, threshold {threshold:.3f}")
    model = _fit(table, y, chosen)
    made = {
        **(card or {}),
        "parameters": vars(chosen),
        "n_documents": len(documents),
        "n_pairs": int(y.size),
        "n_relations": n_gold,
        "cross_validated_f1": round(f1, 6),
    }
    return RelationModel(
        model.names, model.bucket_index, model.bucket_weight, model.intercept, model.trees, threshold, made
    )


def out_of_fold(table: PairTable, y: Flags, parameters: Parameters) -> Floats:
    """Return for each pair its probability by a model that saw no pair of the document."""
    out = np.zeros(y.size)
    folds = _folds(table.document, parameters.n_folds, parameters.seed)
    fewer = replace(parameters, n_bags=min(parameters.n_bags, parameters.n_bags_held_out))
    for fold in range(parameters.n_folds):
        held = folds == fold
        if held.any():
            out[held] = _fit(table.take(~held), y[~held], fewer).predict(table.take(held))
    return out


def best_threshold(probabilities: Floats, y: Flags, n_gold: int) -> tuple[float, float]:
    """Return the threshold with the best F1, and that F1; it lies midway between two probabilities.

    Parameters
    ----------
    n_gold
        Relations annotated, those that no pair stands for among them: they are missed at any threshold.
    """
    order = np.argsort(-probabilities, kind="stable")
    sorted_p = probabilities[order]
    hits = np.cumsum(y[order])
    f1 = 2 * hits / (np.arange(1, y.size + 1) + n_gold)
    # a cut between equal probabilities is none
    last_of_equal = np.append(sorted_p[1:] < sorted_p[:-1], True)
    best = int(np.argmax(np.where(last_of_equal, f1, -1.0)))
    below = sorted_p[best + 1] if best + 1 < y.size else 0.0
    return float((sorted_p[best] + below) / 2), float(f1[best])


def _folds(document: npt.NDArray[np.int64], n: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the fold of each row; a document is in one."""
    distinct, index = np.unique(document, return_inverse=True)
    return (np.random.default_rng(seed).permutation(distinct.size) % n)[index]


def _fit(table: PairTable, y: Flags, parameters: Parameters) -> RelationModel:
    """Fit both models; the trees learn from what the linear one says of documents it did not see."""
    matrix, index = _word_matrix(table, parameters.least_pairs)
    said = np.zeros(y.size)
    folds = _folds(table.document, parameters.n_folds, parameters.seed + 1)
    for fold in range(parameters.n_folds):
        held = folds == fold
        if held.any():
            weights, intercept = _fit_words(matrix[~held], y[~held], parameters)
            said[held] = matrix[held] @ weights + intercept
    weights, intercept = _fit_words(matrix, y, parameters)
    seen = np.hstack([table.features, among_others(table, said)])
    trees = tuple(_fit_trees(seen, y, parameters, bag) for bag in range(parameters.n_bags))
    used = np.flatnonzero(np.abs(weights) > 1e-4)
    return RelationModel(
        table.names, index[used], weights[used].astype(np.float32), float(intercept), trees, threshold=0.5
    )


def _word_matrix(table: PairTable, least: int) -> tuple[Any, npt.NDArray[np.int64]]:
    """Return which pair has which bucket, and the buckets: those of at least so many pairs. No outcome is looked at."""
    from scipy.sparse import csr_matrix

    lengths = [len(one) for one in table.buckets]
    columns = np.fromiter((bucket for one in table.buckets for bucket in one), dtype=np.int64, count=sum(lengths))
    counts = np.bincount(columns, minlength=N_BUCKETS)
    index = np.flatnonzero(counts >= least)
    place = np.full(N_BUCKETS, -1)
    place[index] = np.arange(index.size)
    rows, at = np.repeat(np.arange(len(lengths)), lengths), place[columns]
    kept = at >= 0
    return csr_matrix((np.ones(int(kept.sum())), (rows[kept], at[kept])), shape=(len(lengths), index.size)), index


def _fit_words(matrix: Any, y: Flags, parameters: Parameters) -> tuple[Floats, float]:
    from sklearn.linear_model import LogisticRegression

    if y.all() or not y.any() or not matrix.shape[1]:
        return np.zeros(matrix.shape[1]), 0.0
    fitted = LogisticRegression(C=parameters.inverse_penalty, solver="liblinear", random_state=parameters.seed).fit(
        matrix, y
    )
    return fitted.coef_[0], float(fitted.intercept_[0])


def _fit_trees(seen: Floats, y: Flags, parameters: Parameters, bag: int) -> str:
    import lightgbm

    settings = {
        "objective": "binary",
        "learning_rate": parameters.learning_rate,
        "num_leaves": parameters.n_leaves,
        "min_data_in_leaf": parameters.least_in_leaf,
        "feature_fraction": parameters.column_share,
        "bagging_fraction": parameters.row_share,
        "bagging_freq": 1,
        "lambda_l2": parameters.l2,
        "seed": parameters.seed + bag,
        "num_threads": 1,
        "deterministic": True,
        "force_row_wise": True,
        "verbose": -1,
    }
    trained = lightgbm.train(settings, lightgbm.Dataset(seen, y.astype(np.int8)), parameters.n_trees)
    return str(trained.model_to_string())
