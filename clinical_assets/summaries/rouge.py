"""ROUGE-1, ROUGE-2 and ROUGE-L (Lin 2004, "ROUGE: a package for automatic evaluation of summaries"), without stemming.

Words are runs of a-z and 0-9 in the lower-cased text, as in Google's rouge-score 0.1.2, whose scores these are wherever both
texts have something to compare. The library is not used for the work itself: its longest common subsequence is a Python loop
over a table (here bits of whole numbers stand for a row of it), and it gives 0 where nothing was asked.

What is undefined: precision of a candidate without n-grams, everything of a reference without n-grams. A candidate without
n-grams against a reference that has some recalls nothing: recall and F are 0.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

__all__ = ["ROUGE_KINDS", "Rouge", "Words", "longest_common", "rouge", "rouge_pairs", "rouge_words"]

ROUGE_KINDS = ("rouge1", "rouge2", "rougeL")

_WORD = re.compile(r"[a-z0-9]+")
_NAN = float("nan")


@dataclass(frozen=True)
class Rouge:
    """Precision, recall and their harmonic mean F1; nan where undefined (see the module)."""

    precision: float
    recall: float
    f1: float


class Words:
    """The words of a text and what is counted about them, each worked out once."""

    def __init__(self, text: str) -> None:
        self.words = rouge_words(text)
        self._grams: dict[int, Counter[tuple[str, ...]]] = {}

    def grams(self, n: int) -> Counter[tuple[str, ...]]:
        """Return how often each n-gram occurs."""
        if n not in self._grams:
            self._grams[n] = Counter(zip(*(self.words[i:] for i in range(n)), strict=False))
        return self._grams[n]


def rouge_words(text: str) -> list[str]:
    """Return the words that ROUGE compares."""
    return _WORD.findall(text.lower())


def rouge(candidate: str | Words, reference: str | Words) -> dict[str, Rouge]:
    """Return ROUGE of a candidate against a reference, by the names in ROUGE_KINDS.

    ROUGE-N: n-grams in common, each as often as it occurs in both, over those of the candidate (precision) and of the reference
    (recall). ROUGE-L: the longest common subsequence of words of the whole texts, over the words of either.
    """
    ours = candidate if isinstance(candidate, Words) else Words(candidate)
    theirs = reference if isinstance(reference, Words) else Words(reference)
    found = {}
    for n in (1, 2):
        mine, its = ours.grams(n), theirs.grams(n)
        small, large = (mine, its) if len(mine) <= len(its) else (its, mine)
        common = sum(min(count, large[gram]) for gram, count in small.items() if gram in large)
        found[f"rouge{n}"] = _scores(common, mine.total(), its.total())
    common = longest_common(ours.words, theirs.words)
    found["rougeL"] = _scores(common, len(ours.words), len(theirs.words))
    return found


def rouge_pairs(candidates: Sequence[str], references: Sequence[str]) -> list[dict[str, Rouge]]:
    """Return `rouge` of each pair; a text that occurs often is taken apart once.

    Raises
    ------
    ValueError
        If there are not as many candidates as references.
    """
    if len(candidates) != len(references):
        raise ValueError(f"{len(candidates)} candidates but {len(references)} references; expected one reference each")
    seen: dict[str, Words] = {text: Words(text) for text in {*candidates, *references}}
    return [rouge(seen[a], seen[b]) for a, b in zip(candidates, references, strict=True)]


def longest_common(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence, a row of the usual table at once as bits (Crochemore et al. 2001)."""
    if len(a) < len(b):
        a, b = b, a
    where = _places(a, set(b))
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        match = row & where.get(word, 0)
        if match:
            row = ((row + match) | (row - match)) & full
    return len(a) - row.bit_count()


def _places(words: Iterable[str], wanted: set[str]) -> dict[str, int]:
    """The places of each wanted word, as bits."""
    lists: dict[str, list[int]] = {}
    for i, word in enumerate(words):
        if word in wanted:
            lists.setdefault(word, []).append(i)
    bits = {}
    for word, places in lists.items():
        table = bytearray(places[-1] // 8 + 1)
        for i in places:
            table[i >> 3] |= 1 << (i & 7)
        bits[word] = int.from_bytes(table, "little")
    return bits


def _scores(common: int, n_candidate: int, n_reference: int) -> Rouge:
    if not n_reference:
        return Rouge(_NAN, _NAN, _NAN)
    recall = common / n_reference
    if not n_candidate:
        return Rouge(_NAN, recall, 0.0)
    return Rouge(common / n_candidate, recall, 2 * common / (n_candidate + n_reference))
