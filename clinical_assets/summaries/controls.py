"""Floors and controls without which a metric of summaries says little: lead-k, the copy, and somebody else's source.

A summarizer that ignores what it is given (the seed's second stage had an empty prompt) fits its own source no better than
another person's. `own_versus_shuffled` measures just that.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from clinical_assets.labels.sentences import sentence_spans
from clinical_assets.statistics.bootstrap import interval, replicate_sums
from clinical_assets.summaries.rouge import rouge_pairs
from clinical_assets.summaries.text_metrics import count_tokens

__all__ = ["OwnVersusShuffled", "lead_end", "lead_k", "own_versus_shuffled", "rouge2_f1"]

Fit = Callable[[Sequence[str], Sequence[str]], Sequence[float]]


def lead_k(text: str, k: int) -> str:
    """Return the first k sentences as they stand in the text: the lead baseline."""
    if k < 1:
        raise ValueError(f"k is {k}; expected at least 1 sentence")
    spans = sentence_spans(text)
    return text[spans[0][0] : spans[min(k, len(spans)) - 1][1]] if spans else ""


def lead_end(text: str, n_tokens: int) -> int:
    """Return where the lead baseline of a given length ends: after the first k sentences.

    k is chosen so that their tokens are as many as n_tokens, or as near as whole sentences allow (the shorter lead if two are
    equally near, at least one sentence). 0 for a blank text. ``facts_within(facts, end)`` are the facts of this lead.
    """
    if n_tokens < 0:
        raise ValueError(f"n_tokens is {n_tokens}; expected at least 0")
    best, distance, total = 0, float("inf"), 0
    for start, end in sentence_spans(text):
        total += count_tokens(text[start:end])
        if abs(total - n_tokens) >= distance:
            break
        best, distance = end, abs(total - n_tokens)
    return best


@dataclass(frozen=True)
class OwnVersusShuffled:
    """How much better summaries fit their own source than another person's.

    Attributes
    ----------
    own, shuffled
        Mean fit to the own source and to those of others, over the same rows; nan where undefined.
    difference, low, high
        Their difference with its person-bootstrap interval. At or below 0: the summaries do not depend on what they summarize.
    n_rows, n_compared
        Rows given, and those with both fits defined and another person's different source to compare with.
    """

    own: float
    shuffled: float
    difference: float
    low: float
    high: float
    n_rows: int
    n_compared: int

    @property
    def depends_on_input(self) -> bool | None:
        """Whether the interval lies above 0; None if there was nothing to compare."""
        return None if np.isnan(self.low) else bool(self.low > 0)


def rouge2_f1(candidates: Sequence[str], references: Sequence[str]) -> list[float]:
    """Return ROUGE-2 F1 of each pair: the default fit, as single words alone are shared by any two clinical texts."""
    return [scores["rouge2"].f1 for scores in rouge_pairs(candidates, references)]


def own_versus_shuffled(
    summaries: Sequence[str],
    sources: Sequence[str],
    persons: Sequence[str],
    *,
    fit: Fit = rouge2_f1,
    n_draws: int = 3,
    n_replicates: int = 1000,
    seed: int = 0,
    level: float = 0.95,
) -> OwnVersusShuffled:
    """Compare the fit of each summary to its own source with its fit to sources of other persons.

    Each row is given `n_draws` sources of other persons, drawn at random; a drawn source that equals the own one says nothing
    and is left out. The interval is of the mean difference over rows, persons drawn with replacement (statistics.bootstrap).
    The order of rows makes no difference: they are put in an order of their own first.

    Parameters
    ----------
    summaries, sources, persons
        One each per row.
    fit
        Score of (candidates, references), pair by pair; higher fits better, nan where undefined. A BERTScore F1 will do as well.
    n_draws, n_replicates, seed, level
        Foreign sources per row; replicates, seed and level of the interval.

    Raises
    ------
    ValueError
        If the lists differ in length or are empty, n_draws is below 1, or `fit` returns another number of scores.
    """
    n = len(summaries)
    if not n or len(sources) != n or len(persons) != n:
        raise ValueError(
            f"{n} summaries, {len(sources)} sources and {len(persons)} persons; expected as many of each, at least one"
        )
    if n_draws < 1:
        raise ValueError(f"n_draws is {n_draws}; expected at least 1")
    order = _own_order(summaries, sources, persons)
    texts, origins = [summaries[i] for i in order], [sources[i] for i in order]
    people = np.asarray([str(persons[i]) for i in order])
    own = _scores(fit, texts, origins)
    drawn = _foreign_rows(people, n_draws, seed)
    total, defined = np.zeros(n), np.zeros(n)
    rows = [(i, int(j)) for i in range(n) for j in drawn[i] if j >= 0 and origins[int(j)] != origins[i]]
    for (i, _), score in zip(
        rows, _scores(fit, [texts[i] for i, _ in rows], [origins[j] for _, j in rows]), strict=True
    ):
        if not np.isnan(score):
            total[i] += score
            defined[i] += 1
    shuffled = np.divide(total, defined, out=np.full(n, np.nan), where=defined > 0)
    both = ~np.isnan(own) & ~np.isnan(shuffled)
    if not both.any():
        nan = float("nan")
        return OwnVersusShuffled(nan, nan, nan, nan, nan, n, 0)
    gained = own[both] - shuffled[both]
    columns = np.column_stack([gained, np.ones(gained.size)])
    sums = replicate_sums(people[both], columns, n_replicates=n_replicates, seed=seed)
    low, high = interval(sums[:, 0] / sums[:, 1], level)
    if np.unique(people[both]).size < 2:
        low = high = float("nan")
    return OwnVersusShuffled(
        float(own[both].mean()), float(shuffled[both].mean()), float(gained.mean()), low, high, n, int(both.sum())
    )


def _own_order(summaries: Sequence[str], sources: Sequence[str], persons: Sequence[str]) -> list[int]:
    """Rows by person, then by a digest of what they hold."""
    keys = [
        (str(person), hashlib.sha256(f"{len(source)}\0{source}\0{summary}".encode("utf-8", "surrogatepass")).digest())
        for summary, source, person in zip(summaries, sources, persons, strict=True)
    ]
    return sorted(range(len(keys)), key=keys.__getitem__)


def _foreign_rows(people: npt.NDArray[np.str_], n_draws: int, seed: int) -> npt.NDArray[np.int64]:
    """For each row (sorted by person) rows of other persons, all equally likely; -1 where there is no other person."""
    _, first, index, counts = np.unique(people, return_index=True, return_inverse=True, return_counts=True)
    begin, size = first[index][:, None], counts[index][:, None]
    others = people.size - size
    drawn = (np.random.default_rng(seed).random((people.size, n_draws)) * others).astype(np.int64)
    return np.where(others > 0, np.where(drawn < begin, drawn, drawn + size), -1)


def _scores(fit: Fit, candidates: Sequence[str], references: Sequence[str]) -> npt.NDArray[np.float64]:
    if not candidates:
        return np.zeros(0)
    scores = np.asarray(list(fit(candidates, references)), dtype=np.float64)
    if scores.shape != (len(candidates),):
        raise ValueError(
            f"fit returned scores of shape {scores.shape} for {len(candidates)} pairs; expected one score per pair"
        )
    return scores
