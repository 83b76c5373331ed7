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
    """Return the part of each group, so that parts resemble each other in every label.

    Groups go in the order of iterative stratification (Sechidis, Tsoumakas & Vlahavas 2011): those with the label of which the
    fewest examples are left first, largest first. Each goes where the squared distance between what parts hold and their share of
    what has been given out so far, in units of each label's total, grows least. All labels are looked at, not the rarest
    alone, as a group holds many at once.

    Parameters
    ----------
    contents
        Shape (n_groups, n_labels): how many examples of each label a group holds; column 0 counts its notes.
    wanted
        Shape (n_parts, n_labels): how many examples each part is still to get.
    seed
        Of the order of equal groups, and of the choice among equal parts.
    fill_only
        True: a part takes groups only until it has the notes that it wants, which it exceeds by less than a group; the rest,
        which resembles the parts, is `NOWHERE`.

    Returns
    -------
    array
        Shape (n_groups,): index of the part.
    """
    random = np.random.default_rng(seed)
    total = contents.sum(axis=0)
    open_to = wanted.clip(min=0)
    if fill_only:
        open_to = np.vstack([open_to, (total - open_to.sum(axis=0)).clip(min=0)])
    shares = _shares(open_to)
    held, given = np.zeros(open_to.shape), np.zeros(total.shape)
    part_of = np.full(len(contents), NOWHERE, dtype=np.int64)
    for group in _order(contents, random):
        given += contents[group]
        growth = ((held - shares * given) * contents[group] / np.maximum(total, 1)).sum(axis=1)
        if fill_only:
            growth[:-1][held[:-1, 0] >= open_to[:-1, 0]] = np.inf
        best = int(np.lexsort((random.random(len(growth)), growth))[0])
        held[best] += contents[group]
        part_of[group] = best if best < len(wanted) else NOWHERE
    if fill_only:
        _top_up(part_of, contents[:, 0], open_to[:-1, 0] - held[:-1, 0])
    return part_of


def _shares(wanted: Floats) -> Floats:
    """Each part's share of each label; that of the notes where nobody wants more of a label."""
    sums = wanted.sum(axis=0)
    of_notes = wanted[:, 0] / sums[0] if sums[0] else np.full(len(wanted), 1 / len(wanted))
    return np.asarray(np.divide(wanted, sums, out=np.tile(of_notes[:, None], wanted.shape[1]), where=sums > 0))


def _order(contents: Floats, random: np.random.Generator) -> list[int]:
    shuffled = random.permutation(len(contents))
    left, order = np.ones(len(contents), dtype=bool), []
    while left.any():
        totals = contents[left].sum(axis=0)
        label = int(np.argmin(np.where(totals > 0, totals, np.inf)))
        having = shuffled[left[shuffled] & (contents[shuffled, label] > 0)]
        order += having[np.argsort(-contents[having, label], kind="stable")].tolist()
        left[having] = False
    return order


def _top_up(part_of: Ints, sizes: Floats, short: Floats) -> None:
    """Give parts that are short of notes groups that nobody has, smallest first."""
    spare = iter(sorted(np.flatnonzero(part_of == NOWHERE), key=lambda group: sizes[group]))
    for part in range(len(short)):
        while short[part] > 0 and (group := next(spare, None)) is not None:
            part_of[group] = part
            short[part] -= sizes[group]
