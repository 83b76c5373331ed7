"""How good sets of answers are against gold: precision, recall, F1 with a bootstrap over documents. Pure; knows no corpus.

Mentions are (start, end, type), relations any pairs: what is compared is equal or not. Counts are kept per document, so that micro
averages, document averages and intervals are sums of rows (`statistics.bootstrap`: documents are drawn, as what one says hangs together).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.bootstrap import interval, replicate_sums

__all__ = ["SetScore", "counts_of", "f1_of", "overlap_counts", "score_sets"]

Counts = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Span = tuple[int, int, str]
_SEED = 20_250_101
_REPLICATES = 1_000


@dataclass(frozen=True)
class SetScore:
    """Scores of one extractor on one set of documents. None where nothing can be said: nothing found, or nothing annotated.

    Attributes
    ----------
    n_true_positive
        Annotated and found. With overlap: annotated ones that something of their type overlaps.
    f1_low, f1_high
        95 % percentile interval, documents drawn with replacement.
    """

    n_documents: int
    n_gold: int
    n_found: int
    n_true_positive: int
    precision: float | None
    recall: float | None
    f1: float | None
    f1_low: float | None
    f1_high: float | None


def counts_of(gold: Sequence[Collection[Hashable]], found: Sequence[Collection[Hashable]]) -> Counts:
    """Return, per document, gold, found, gold that is found, found that is gold: shape (documents, 4). The same twice counts once."""
    rows = [(len(g := set(a)), len(f := set(b)), n := len(g & f), n) for a, b in zip(gold, found, strict=True)]
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def overlap_counts(gold: Sequence[Collection[Span]], found: Sequence[Collection[Span]]) -> Counts:
    """Like `counts_of`, for spans of which a character of the same type in common is enough."""
    rows = []
    for a, b in zip(gold, found, strict=True):
        meant, said = sorted(set(a)), sorted(set(b))
        rows.append((len(meant), len(said), _touched(meant, said), _touched(said, meant)))
    return np.array(rows, dtype=np.int64).reshape(-1, 4)


def _touched(ones: Sequence[Span], others: Sequence[Span]) -> int:
    return sum(any(o[2] == one[2] and o[0] < one[1] and one[0] < o[1] for o in others) for one in ones)


def f1_of(sums: npt.ArrayLike) -> float | None:
    """Return F1 of summed counts; None where nothing is annotated and nothing found."""
    gold, found, hit_gold, hit_found = np.asarray(sums, dtype=np.float64)
    return float(_f1(np.array([[gold, found, hit_gold, hit_found]]))[0]) if gold + found else None


def _f1(sums: Floats) -> Floats:
    """F1 per row; 0 where nothing agrees, nan where there is nothing."""
    gold, found, hit_gold, hit_found = sums.T
    with np.errstate(invalid="ignore", divide="ignore"):
        precision, recall = np.nan_to_num(hit_found / found), np.nan_to_num(hit_gold / gold)
        f1 = np.nan_to_num(2 * precision * recall / (precision + recall))
    return np.where(gold + found > 0, f1, np.nan)


def score_sets(
    counts: Counts, average: str = "micro", *, n_replicates: int = _REPLICATES, seed: int = _SEED
) -> SetScore:
    """Return the scores of counts per document (`counts_of` or `overlap_counts`).

    Parameters
    ----------
    average
        ``micro``: of the sums; ``document``: mean over documents in which something is annotated or found (precision over those with
        something found, recall over those with something annotated).

    Raises
    ------
    ValueError
        If `average` is neither.
    """
    if average not in ("micro", "document"):
        raise ValueError(f"average {average!r}: expected micro or document")
    values = counts.astype(np.float64).reshape(-1, 4)
    gold, found, hit_gold, hit_found = (int(n) for n in values.sum(axis=0))
    if average == "micro":
        precision, recall = _ratio(hit_found, found), _ratio(hit_gold, gold)
        f1 = f1_of((gold, found, hit_gold, hit_found))
    else:
        precision, recall = _mean(values[:, 3], values[:, 1]), _mean(values[:, 2], values[:, 0])
        f1 = _of_documents(_document_columns(values).sum(axis=0, keepdims=True))[0]
        f1 = None if np.isnan(f1) else float(f1)
    low = high = None
    if f1 is not None and len(values) > 1:
        columns = values if average == "micro" else _document_columns(values)
        sums = replicate_sums(np.arange(len(values)), columns, n_replicates=n_replicates, seed=seed)
        low, high = interval(_f1(sums) if average == "micro" else _of_documents(sums))
    return SetScore(len(values), gold, found, hit_gold, precision, recall, f1, low, high)


def _ratio(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _mean(part: Floats, whole: Floats) -> float | None:
    some = whole > 0
    return float((part[some] / whole[some]).mean()) if some.any() else None


def _document_columns(values: Floats) -> Floats:
    """Return F1 of each document and 1, or 0 and 0 where there is nothing to judge."""
    f1 = _f1(values)
    return np.column_stack([np.nan_to_num(f1), np.isfinite(f1)]).astype(np.float64)


def _of_documents(sums: Floats) -> Floats:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray(sums[:, 0] / sums[:, 1])
