"""Groups that must stay together, and their draw into parts that resemble each other. Arrays only; knows no table.

scikit-learn has no split that is grouped and stratified on several labels at once (StratifiedGroupKFold takes one label and
makes equal folds), and iterative-stratification knows no groups: hence the few lines here.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["NOWHERE", "connected_groups", "draw_parts"]

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

NOWHERE = -1  # a group that no part needs


def connected_groups(persons: npt.NDArray, texts: npt.NDArray) -> Ints:
    """Return for each note the group it belongs to: notes of one person, or with one text, are in one group.

    Parameters
    ----------
    persons, texts
        Shape (n_notes,): person_id, and a digest of the text.

    Returns
    -------
    array
        Shape (n_notes,), from 0, in no meaningful order.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    _, person = np.unique(persons, return_inverse=True)
    _, text = np.unique(texts, return_inverse=True)
    n = int(person.max() + text.max() + 2) if len(person) else 0
    if not n:
        return np.zeros(0, dtype=np.int64)
    edges = coo_array((np.ones(len(person)), (person, text + person.max() + 1)), shape=(n, n))
    return np.asarray(connected_components(edges, directed=False)[1][person], dtype=np.int64)


def draw_parts(contents: Floats, wanted: Floats, *, seed: int, fill_only: bool = False) -> Ints:
    """Return the part of each group by iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011), group by group.

    The label of which the fewest examples are left goes first: its groups, largest first, each to the part that wants the most
    of it; among equals to the part that wants the most notes, then to the first by a seeded draw.

    Parameters
    ----------
    contents
        Shape (n_groups, n_labels): how many examples of each label a group holds; column 0 counts its notes.
    wanted
        Shape (n_parts, n_labels): how many examples each part is still to get.
    seed
        Of the order of equal groups and the choice among equal parts.
    fill_only
        True: a part takes groups only as long as it wants notes, and groups that none wants are `NOWHERE`.

    Returns
    -------
    array
        Shape (n_groups,): index of the part.
    """
    random = np.random.default_rng(seed)
    shuffled = random.permutation(len(contents))
    wanted, part_of = wanted.astype(float).copy(), np.full(len(contents), NOWHERE, dtype=np.int64)
    left = np.ones(len(contents), dtype=bool)
    while left.any():
        totals = contents[left].sum(axis=0)
        label = int(np.argmin(np.where(totals > 0, totals, np.inf)))
        having = shuffled[left[shuffled] & (contents[shuffled, label] > 0)]
        for group in having[np.argsort(-contents[having, label], kind="stable")]:
            left[group] = False
            keys = np.stack([wanted[:, label], wanted[:, 0], random.random(len(wanted))])
            if fill_only:
                keys[:, wanted[:, 0] <= 0] = -np.inf
            best = int(np.lexsort(keys[::-1])[-1])
            if np.isfinite(keys[0, best]):
                part_of[group] = best
                wanted[best] -= contents[group]
    return part_of
