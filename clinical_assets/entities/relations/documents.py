"""A text with its mentions as relations see it: tokens, sentences, and which mention stands where. No feature, no model."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from clinical_assets.labels.sentences import sentence_spans

__all__ = ["Document", "Mention", "Pair", "Placed", "gap", "read_document"]

Pair = tuple[str, str]  # key of the chemical, key of the disease
MOST_PAIRS = 2_000  # of one text; beyond, those that stand farthest apart are left out

_TOKEN = re.compile(r"[A-Za-z]+|\d+(?:[.,]\d+)*|[^\w\s]|[^\W\dA-Za-z]+")


class Mention(NamedTuple):
    """Characters [start, end) of a text that name a chemical or a disease.

    Attributes
    ----------
    keys
        What mentions of one thing share; several for a composite ("renal and hepatic failure"), none where it has no concept.
    """

    start: int
    end: int
    entity_type: str
    keys: tuple[str, ...]


class Placed(NamedTuple):
    """A mention in its text: tokens [first, last), sentence, and its folded words."""

    mention: Mention
    first: int
    last: int
    sentence: int
    words: tuple[str, ...]


@dataclass(frozen=True)
class Document:
    """A text, cut into tokens and sentences, with its mentions by key.

    Attributes
    ----------
    tokens
        Folded tokens.
    sentences
        Offsets (start, end), in order; no mention lies across two.
    first_tokens
        Index of the first token of each sentence, and how many tokens there are.
    mentions
        In order of start, those without a key among them: they stand between others.
    chemicals, diseases
        Key -> its mentions, in order of start; keys in order of their first mention.
    """

    doc_id: str
    text: str
    tokens: tuple[str, ...]
    sentences: tuple[tuple[int, int], ...]
    first_tokens: tuple[int, ...]
    mentions: tuple[Placed, ...]
    chemicals: dict[str, tuple[Placed, ...]]
    diseases: dict[str, tuple[Placed, ...]]

    def pairs(self) -> list[Pair]:
        """Return every pair of a chemical and a disease, in order of first mention; of too many (`MOST_PAIRS`), the nearest."""
        return list(self._pairs)

    @cached_property
    def _pairs(self) -> list[Pair]:
        found = [(chemical, disease) for chemical in self.chemicals for disease in self.diseases]
        if len(found) <= MOST_PAIRS:
            return found
        kept = set(sorted(found, key=self._distance)[:MOST_PAIRS])
        return [pair for pair in found if pair in kept]

    def _distance(self, pair: Pair) -> int:
        """Tokens between the two where they stand nearest; found by bisection, as this is asked of many."""
        starts = [one.first for one in self.diseases[pair[1]]]
        best = len(self.tokens)
        for one in self.chemicals[pair[0]]:
            place = bisect_left(starts, one.first)
            best = min(best, *(abs(starts[i] - one.first) for i in (place - 1, place) if 0 <= i < len(starts)))
        return best


def read_document(doc_id: str, text: str, mentions: Iterable[Mention]) -> Document:
    """Place mentions in their text.

    Raises
    ------
    ValueError
        If a mention is empty or lies outside the text.
    """
    found = sorted(mentions)
    wrong = [one for one in found if not 0 <= one.start < one.end <= len(text)]
    if wrong:
        where = f"{wrong[0].start}-{wrong[0].end}"
        raise ValueError(
            f"document {doc_id}: a mention at {where} does not lie inside the text of {len(text)} characters; "
            "were mentions and text made from the same version?"
        )
    matches = list(_TOKEN.finditer(text))
    starts = [match.start() for match in matches]
    tokens = tuple(match.group().lower() for match in matches)
    sentences = _joined(sentence_spans(text), found) or ((0, len(text)),)
    begins = [begin for begin, _ in sentences]
    placed = [_placed(one, tokens, starts, begins) for one in found]
    return Document(
        doc_id,
        text,
        tokens,
        sentences,
        (0, *(bisect_left(starts, begin) for begin in begins[1:]), len(tokens)),
        tuple(placed),
        _by_key(placed, "chemical"),
        _by_key(placed, "disease"),
    )


def gap(a: Placed, b: Placed) -> int:
    """Return how many tokens stand between two mentions; 0 where they touch or overlap."""
    return max(b.first - a.last, a.first - b.last, 0)


def _placed(one: Mention, tokens: Sequence[str], starts: Sequence[int], begins: Sequence[int]) -> Placed:
    first = max(bisect_right(starts, one.start) - 1, 0)
    last = max(bisect_left(starts, one.end), first + 1)
    return Placed(one, first, last, max(bisect_right(begins, one.start) - 1, 0), tuple(tokens[first:last]))


def _joined(spans: Sequence[tuple[int, int]], mentions: Sequence[Mention]) -> tuple[tuple[int, int], ...]:
    """Join sentences between which a mention lies across: a stop in its name ends nothing."""
    across: set[int] = set()
    begins = [begin for begin, _ in spans]
    for one in mentions:
        first = bisect_right(begins, one.start)
        across.update(range(max(first, 1), bisect_left(begins, one.end)))
    out: list[tuple[int, int]] = []
    for index, (start, end) in enumerate(spans):
        if index in across:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return tuple(out)


def _by_key(placed: Sequence[Placed], entity_type: str) -> dict[str, tuple[Placed, ...]]:
    out: dict[str, list[Placed]] = {}
    for one in placed:
        if one.mention.entity_type == entity_type:
            for key in dict.fromkeys(one.mention.keys):
                out.setdefault(key, []).append(one)
    return {key: tuple(ones) for key, ones in out.items()}
