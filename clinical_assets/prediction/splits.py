"""Who is trained on, who chooses, who is judged; and the folds that all models share. Nobody is on two sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.prediction.rows import Dataset, QuestionError
from clinical_assets.risk.splits import repeated_folds
from clinical_assets.study.prediction import PredictionSplits

__all__ = ["Assigned", "assign", "fold_as_test", "leaking_groups"]

Whole = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Assigned:
    """Where each row stands.

    Attributes
    ----------
    split
        Shape (n,): train, validation or test (apart: in none of them).
    folds
        Shape (repeats, n): the fold that a row is judged in; -1 for test rows, which are in none.
    """

    split: npt.NDArray[np.str_]
    folds: Whole

    def rows(self, *splits: str) -> Whole:
        """Return the row numbers of these splits."""
        return np.flatnonzero(np.isin(self.split, splits))

    def parts(self, repeat: int, fold: int) -> tuple[Whole, Whole]:
        """Return the rows to train on and to judge, of one fold."""
        folds = self.folds[repeat]
        return np.flatnonzero((folds >= 0) & (folds != fold)), np.flatnonzero(folds == fold)


def assign(dataset: Dataset, settings: PredictionSplits) -> Assigned:
    """Return the splits, stratified by outcome, all rows of a group in one; the same for the same seed.

    Raises
    ------
    QuestionError
        If the rarer answer has too few rows for that many parts.
    """
    everybody = np.arange(dataset.n)
    try:
        test = _first_part(dataset, everybody, settings.test_share, settings.seed)
        rest = np.setdiff1d(everybody, test)
        validation = _first_part(
            dataset, rest, settings.validation_share / (1 - settings.test_share), settings.seed + 1
        )
        splits = repeated_folds(
            dataset.y[rest], dataset.groups[rest], folds=settings.folds, repeats=settings.repeats, seed=settings.seed
        )
    except ValueError as error:
        raise QuestionError(
            f"{error}: fewer folds, larger shares, or more rows are needed (prediction.splits)"
        ) from None
    split = np.full(dataset.n, "train", dtype="<U10")
    split[validation], split[test] = "validation", "test"
    folds = np.full((settings.repeats, dataset.n), -1, dtype=np.int64)
    for part in splits:
        folds[part.repeat, rest[part.test]] = part.fold
    found = Assigned(split, folds)
    for name in ("train", "validation", "test"):
        y = dataset.y[found.rows(name)]
        if y.size == 0 or y.min() == y.max():
            raise QuestionError(
                f"the {name} rows have one answer only ({y.size} rows); more rows or larger shares are needed"
            )
    return found


def fold_as_test(assigned: Assigned, fold: int) -> Assigned:
    """Return the splits in which a fold of the first repeat is judged, and nobody learns or chooses from it or from the test rows.

    Validation rows of the other folds choose as they always do.
    """
    mine = assigned.folds[0] == fold
    split = np.where(mine, "test", np.where(assigned.split == "test", "apart", assigned.split))
    return Assigned(split.astype("<U10"), assigned.folds)


def leaking_groups(dataset: Dataset, assigned: Assigned) -> int:
    """Return how many groups (persons, equal rows) stand in more than one split, or in several folds of a repeat; 0 is right."""
    keys = [assigned.split, *(folds[assigned.folds[0] >= 0] for folds in assigned.folds)]
    members = [dataset.groups, *[dataset.groups[assigned.folds[0] >= 0]] * assigned.folds.shape[0]]
    torn: set[int] = set()
    for key, groups in zip(keys, members, strict=True):
        seen: dict[int, object] = {}
        torn |= {g for g, k in zip(groups.tolist(), key.tolist(), strict=True) if seen.setdefault(g, k) != k}
    return len(torn)


def _first_part(dataset: Dataset, rows: Whole, share: float, seed: int) -> Whole:
    """One of as many stratified parts as the share asks for."""
    folds = max(2, round(1 / share))
    return rows[repeated_folds(dataset.y[rows], dataset.groups[rows], folds=folds, repeats=1, seed=seed)[0].test]
