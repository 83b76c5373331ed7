"""Which rows train and which test: repeated parts by person, a split in time, one site at a time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Split", "by_site", "by_time", "repeated_folds"]

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """One fit: rows to train on, rows to test on.

    Attributes
    ----------
    design
        cross_validation, time or ``site``.
    repeat, fold
        Which of them; 0 where there is one.
    label
        What is tested, e.g. the site.
    train, test
        Row numbers; no person is in both.
    """

    design: str
    repeat: int
    fold: int
    label: str
    train: Whole
    test: Whole


def repeated_folds(
    y: npt.NDArray[np.int64], persons: npt.ArrayLike, *, folds: int, repeats: int, seed: int
) -> list[Split]:
    """Return stratified parts, each row tested once a repeat, all rows of a person in one part.

    Raises
    ------
    ValueError
        If a class has fewer persons than there are folds.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    groups = np.asarray(persons)
    least = min(int(np.unique(groups[y == side]).size) for side in (0, 1))
    if least < folds:
        raise ValueError(f"{folds} folds need at least {folds} persons of each class; the rarer class has {least}")
    single = np.unique(groups).size == groups.size
    splits = []
    for repeat in range(repeats):
        kind = StratifiedKFold if single else StratifiedGroupKFold
        parts = kind(folds, shuffle=True, random_state=seed + repeat)
        for fold, (train, test) in enumerate(parts.split(np.zeros((y.size, 1)), y, None if single else groups)):
            splits.append(Split("cross_validation", repeat, fold, "", train.astype(np.int64), test.astype(np.int64)))
    return splits


def by_time(days: npt.ArrayLike, split_day: float, *, gap: float = 0.0) -> Split:
    """Return training on rows before a day, testing on those `gap` days after it or later.

    Parameters
    ----------
    days
        Shape (n,), the index day as a number.
    split_day
        On the same scale.
    gap
        At least the follow-up where training outcomes must have been known on the first day of testing.

    Raises
    ------
    ValueError
        If either side is empty.
    """
    when = np.asarray(days, dtype=np.float64)
    train, test = np.flatnonzero(when < split_day), np.flatnonzero(when >= split_day + gap)
    if not train.size or not test.size:
        raise ValueError(f"time split: {train.size} rows before and {test.size} rows after; choose another day or gap")
    return Split("time", 0, 0, "later", train, test)


def by_site(sites: npt.ArrayLike) -> list[Split]:
    """Return one split per site: it is tested, all others train. Rows without a site only train."""
    given = np.asarray([str(site) if site is not None else "" for site in np.asarray(sites, dtype=object)])
    names = sorted(set(given.tolist()) - {""})
    if len(names) < 2:
        return []
    return [
        Split("site", 0, fold, name, np.flatnonzero(given != name), np.flatnonzero(given == name))
        for fold, name in enumerate(names)
    ]
