"""Choosing sentences under a budget: a monotone submodular objective, the lazy greedy algorithm, and what it is worth.

Method: H. Lin and J. Bilmes, "Multi-document summarization via budgeted maximization of submodular functions" (NAACL 2010) and
"A class of submodular functions for document summarization" (ACL 2011). Greedy by gain per cost, or the best single sentence if
that is better, reaches at least 1 - 1/sqrt(e), about 0.39, of the optimum as they give it. On the data it reaches more, and
how much can be told: no set within the budget is worth more than what is chosen plus the gains of the others, packed by gain
per cost (J. Leskovec et al., KDD 2007); `bound` is the value over the least such limit.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Choice", "Objective", "choose"]

_SATURATED = (
    0.25  # of the similarity to a text, what a summary can earn for one sentence of it (alpha of Lin & Bilmes 2011)
)


class Objective:
    """f(S) = share * (weight of the facts said in S) + prior_share * (worth of S) + the rest * (how much of all S stands for).

    Parameters
    ----------
    facts
        Per sentence, the numbers of the facts it says.
    weights
        Weight of each fact, > 0.
    similarity
        Square matrix of sentences, >= 0.
    share
        Weight of the facts, in [0, 1]. All parts are scaled to [0, 1], so f of all sentences is 1 where there is a fact.
    worth, prior_share
        Per sentence, what it is worth by itself, >= 0 (a sum over S, so f stays submodular); and the weight of that. Both
        shares sum to at most 1.
    """

    def __init__(
        self,
        facts: Sequence[frozenset[int]],
        weights: Sequence[float],
        similarity: Any,
        share: float = 0.7,
        *,
        worth: Sequence[float] = (),
        prior_share: float = 0.0,
    ) -> None:
        self._facts, self._weights = facts, weights
        total, all_worth = sum(weights), sum(worth)
        self._fact_scale = share / total if total else 0.0
        prior_share = prior_share if all_worth else 0.0
        self._worth = [prior_share * each / all_worth for each in worth] if prior_share else [0.0] * len(facts)
        share = (share if total else 0.0) + prior_share
        self._similarity = np.asarray(similarity, dtype=float)
        self._caps = _SATURATED * self._similarity.sum(axis=0)
        whole = float(self._caps.sum())
        self._likeness_scale = (1 - share) / whole if whole else 0.0
        self._said: set[int] = set()
        self._covered = np.zeros(len(facts))

    def gain(self, sentence: int) -> float:
        """Return what a sentence adds to those that were added."""
        new = sum(self._weights[fact] for fact in self._facts[sentence] if fact not in self._said)
        before = np.minimum(self._covered, self._caps)
        after = np.minimum(self._covered + self._similarity[sentence], self._caps)
        return new * self._fact_scale + self._worth[sentence] + float((after - before).sum()) * self._likeness_scale

    def add(self, sentence: int) -> None:
        """Take a sentence in."""
        self._said |= self._facts[sentence]
        self._covered = self._covered + self._similarity[sentence]


@dataclass(frozen=True)
class Choice:
    """What was chosen, ascending; its value; and the share of the best possible value that it is known to reach."""

    chosen: tuple[int, ...]
    value: float
    bound: float


def choose(objective: Objective, costs: Sequence[int], budget: int) -> Choice:
    """Choose sentences whose costs sum to at most `budget`. Deterministic; ties go to the earlier sentence.

    The objective must be fresh; it is used up.
    """
    fitting = [i for i, cost in enumerate(costs) if 0 < cost <= budget]
    if not fitting:
        return Choice((), 0.0, 1.0)
    first = {i: objective.gain(i) for i in fitting}
    heap = [(-first[i] / costs[i], i, 0) for i in fitting]
    heapq.heapify(heap)
    chosen: list[int] = []
    value, left, step = 0.0, budget, 0
    limit = _packed([(first[i], costs[i]) for i in fitting], budget)
    while heap:
        minus, i, seen = heapq.heappop(heap)
        if costs[i] > left:
            continue
        if seen < step:
            # gains only shrink, so what is still first after it was computed anew is the best of all
            heapq.heappush(heap, (-objective.gain(i) / costs[i], i, step))
            continue
        if -minus <= 1e-12:
            break
        objective.add(i)
        chosen.append(i)
        value += -minus * costs[i]
        left -= costs[i]
        step += 1
    taken = set(chosen)
    rest = [(objective.gain(i), costs[i]) for i in fitting if i not in taken]
    limit = min(limit, value + _packed(rest, budget))
    best = max(fitting, key=lambda i: (first[i], -i))
    if first[best] > value:
        chosen, value = [best], first[best]
    return Choice(tuple(sorted(chosen)), value, min(1.0, value / limit) if limit else 1.0)


def _packed(gains: Sequence[tuple[float, int]], budget: int) -> float:
    """Return the most that gains can sum to within the budget, the last one in part."""
    total, left = 0.0, float(budget)
    for gain, cost in sorted(gains, key=lambda item: -item[0] / item[1]):
        if cost >= left:
            return total + gain * left / cost
        total += gain
        left -= cost
    return total
