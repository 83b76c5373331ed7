"""Vectors of a person made of the vectors of the names on record: their mean, weighted by recency, or by how rare a name is.

A name is encoded once, whoever has it, so this costs a fraction of encoding every person's text; what the order and the company of the
names say is lost.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from clinical_assets.language_models.text_vectors import Vectors, unit_rows

__all__ = ["aggregate", "weights_of"]


def weights_of(
    how: str,
    persons: npt.NDArray[np.int64],
    names: npt.NDArray[np.int64],
    days_before: npt.NDArray[np.float64],
    *,
    half_life_days: float = 365.0,
) -> npt.NDArray[np.float64]:
    """Return what each record counts for, shape (records,).

    Parameters
    ----------
    how
        mean: every record counts one. recency: ``0.5 ** (days_before / half_life_days)``. tfidf: inverse document frequency of the
        name over these persons, ``ln((1 + n) / (1 + n with the name)) + 1``: a number that other persons' records enter into, so where
        it feeds a model, take the training persons' only.
    persons, names
        Number of the record's person and name, from 0.
    days_before
        Days from the record to the index date.

    Raises
    ------
    ValueError
        If `how` is none of these, or a record is not before the index date.
    """
    if days_before.size and days_before.min() <= 0:
        raise ValueError("a record on or after the index date counts for nothing and must not be here")
    if how == "mean":
        return np.ones(persons.size)
    if how == "recency":
        return np.asarray(0.5 ** (days_before / half_life_days), dtype=np.float64)
    if how == "tfidf":
        pairs = np.unique(np.stack([persons, names]), axis=1)
        with_name = np.bincount(pairs[1], minlength=int(names.max(initial=-1)) + 1)
        return np.asarray((np.log((1 + np.unique(persons).size) / (1 + with_name)) + 1)[names], dtype=np.float64)
    raise ValueError(f"unknown aggregation {how!r}; expected mean, recency or tfidf")


def aggregate(
    vectors: Vectors,
    persons: npt.NDArray[np.int64],
    names: npt.NDArray[np.int64],
    weights: npt.NDArray[np.float64],
    n_persons: int,
) -> Vectors:
    """Return the weighted mean of names' vectors per person at length 1, float32 of shape (n_persons, dimension).

    Parameters
    ----------
    vectors
        Of the names, shape (names, dimension).
    persons, names, weights
        Per record, shape (records,).
    """
    from scipy.sparse import coo_matrix

    counted = coo_matrix((weights, (persons, names)), shape=(n_persons, len(vectors))).tocsr()
    return unit_rows(counted @ vectors.astype(np.float64))
