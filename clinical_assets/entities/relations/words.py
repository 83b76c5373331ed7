"""The words between and around a pair of mentions, with the mentions masked, as hashed n-grams: what a linear model reads.

Names of chemicals are not read: a model that knows them would say of a new text what it was told of others. Names of diseases are, as
some ("toxicity") are what a drug does by their very meaning.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from clinical_assets.entities.relations.documents import Document, Pair, Placed, gap

__all__ = ["N_BUCKETS", "WordReader"]

N_BUCKETS = 2**18  # words of the texts themselves are not kept
_NEAR_PAIRS = 4  # places that name both, looked at
_MOST_MENTIONS = 30  # of one key, looked at
_WINDOW = 3  # words on either side of a mention
_FAR = 12  # words between two mentions, from which on they say less
_PART = 5  # letters at the end of a disease's name: -emia, -itis, -pathy


class _Unit(NamedTuple):
    """A token, or a mention as a whole."""

    word: str
    mentions: tuple[Placed, ...]


class WordReader:
    """Reads the words around the pairs of one document."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._units, self._place = _units(document)
        self._sentence_starts = [0] * len(document.first_tokens)
        for sentence, first in enumerate(document.first_tokens):
            self._sentence_starts[sentence] = self._place[first]

    def buckets(self, pair: Pair) -> list[int]:
        """Return the buckets, 0 to :data:`N_BUCKETS` - 1, of all that stands between and around the pair; sorted, each once."""
        return sorted({zlib.crc32(gram.encode()) % N_BUCKETS for gram in self.grams(pair)})

    def grams(self, pair: Pair) -> set[str]:
        """Return the n-grams themselves, each with where it stands."""
        document, out = self._document, set[str]()
        chemicals, diseases = document.chemicals[pair[0]][:_MOST_MENTIONS], document.diseases[pair[1]][:_MOST_MENTIONS]
        together = [(gap(a, b), a, b) for a in chemicals for b in diseases if a.sentence == b.sentence]
        for _, a, b in sorted(together, key=lambda one: one[0])[:_NEAR_PAIRS]:
            out |= self._between(a, b, pair)
        for ones, name in ((chemicals, "c"), (diseases, "d")):
            for one in ones:
                low, high = self._sentence(one)
                first, last = self._place[one.first], self._place[one.last - 1] + 1
                out |= _grams(f"{name}<", [*self._shown(max(low, first - _WINDOW), first, pair), "@"])
                out |= _grams(f"{name}>", ["@", *self._shown(last, min(high, last + _WINDOW), pair)])
        for one in diseases:
            out |= {f"name:{word}" for word in one.words}
            out |= {f"end:{word[-_PART:]}" for word in one.words if len(word) > _PART + 1}
            out.add("whole:" + " ".join(one.words))
        return out

    def _between(self, a: Placed, b: Placed, pair: Pair) -> set[str]:
        order = "cd" if a.first < b.first else "dc"
        one, two = (a, b) if a.first <= b.first else (b, a)
        low, high = self._sentence(one)
        first, after = self._place[one.first], self._place[one.last - 1] + 1
        second, last = self._place[two.first], self._place[two.last - 1] + 1
        between = self._shown(after, second, pair)
        out = _grams(order + ("=" if len(between) <= _FAR else "~"), between)
        if len(between) <= 4:
            out.add(f"{order}!" + "_".join(between))
        out |= _grams(f"{order}<", self._shown(max(low, first - _WINDOW), first, pair))
        return out | _grams(f"{order}>", self._shown(last, min(high, last + _WINDOW), pair))

    def _sentence(self, one: Placed) -> tuple[int, int]:
        return self._sentence_starts[one.sentence], self._sentence_starts[one.sentence + 1]

    def _shown(self, low: int, high: int, pair: Pair) -> list[str]:
        return [_masked(unit, pair) for unit in self._units[low:high]]


def _masked(unit: _Unit, pair: Pair) -> str:
    if not unit.mentions:
        return "0" if unit.word[0].isdigit() else unit.word
    keys = {key for one in unit.mentions for key in one.mention.keys}
    if pair[0] in keys:
        return "C"
    if pair[1] in keys:
        return "D"
    return "CX" if unit.mentions[0].mention.entity_type == "chemical" else "DX"


def _units(document: Document) -> tuple[list[_Unit], list[int]]:
    """Return the units of a text, and the unit of each token (of one past the last as well)."""
    owner: dict[int, list[Placed]] = {}
    until = -1
    block: list[Placed] = []
    for one in document.mentions:
        block = [*block, one] if one.first < until else [one]
        until = max(until, one.last)
        for token in range(block[0].first, until):
            owner[token] = block
    units: list[_Unit] = []
    place: list[int] = []
    before = -1
    for token, word in enumerate(document.tokens):
        here = owner.get(token)
        if here is None:
            units.append(_Unit(word, ()))
        elif here[0].first != before:
            units.append(_Unit("", tuple(here)))
        before = here[0].first if here else -1
        place.append(len(units) - 1)
    return units, [*place, len(units)]


def _grams(where: str, words: Sequence[str]) -> set[str]:
    out = set(_n_grams(where, words, 1))
    out.update(_n_grams(where, words, 2))
    out.update(_n_grams(where, words, 3))
    return out


def _n_grams(where: str, words: Sequence[str], n: int) -> Iterable[str]:
    return (f"{where}{n}:" + "_".join(words[i : i + n]) for i in range(len(words) - n + 1))
