"""The seed's labelling rule, to the letter, as a baseline: literal terms and a 50-character look-back for negation.

The rule in words: all terms of a field form one regex alternation between word boundaries, ignoring case; a match is
dropped if a negation word occurs anywhere in the 50 characters before it, even in another sentence or as the end of a
word that the window cuts; the field is true if a match survives. Its known faults are part of it. It is computed by
one automaton pass over folded text with the regex semantics emulated on the hits. Improvements belong in `assertion`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import ahocorasick_rs

from clinical_assets.labels.folding import fold, whole_words
from clinical_assets.study.patterns import expand_term

__all__ = ["LOOK_BACK", "NEGATION_WORDS", "SeedMatch", "SeedMatcher"]

LOOK_BACK = 50
NEGATION_WORDS = ("no", "denies", "without", "not on", "never received", "negative for", "no history of")
_NEGATION = re.compile(r"\b(?:" + "|".join(map(re.escape, NEGATION_WORDS)) + r")\b", re.IGNORECASE)


class SeedMatch(NamedTuple):
    """The match that decided a field: the first that survives, else the first. Offsets in the text."""

    start: int
    end: int
    survives: bool


class SeedMatcher:
    """The seed's rule for all fields at once. Immutable and thread-safe.

    Parameters
    ----------
    terms
        Per field its terms in the syntax of `expand_term`, in the order of the regex alternation. Terms must be ASCII
        (a folded non-ASCII letter may equal others than `re.IGNORECASE` says).
    """

    def __init__(self, terms: Sequence[Sequence[str]]) -> None:
        literals: list[str] = []
        self._owners: list[tuple[int, int]] = []  # (field, preference within the field's alternation)
        for field, field_terms in enumerate(terms):
            expanded = dict.fromkeys(fold(literal) for term in field_terms for literal in expand_term(term))
            for preference, literal in enumerate(expanded):
                if not literal.isascii():
                    raise ValueError(f"seed term {literal!r} is not ASCII; the seed-compatible rule knows ASCII terms only")
                literals.append(literal)
                self._owners.append((field, preference))
        self.prefilter = whole_words(literals)
        self._edges = [(_is_word(literal[0]), _is_word(literal[-1])) for literal in literals]
        self._automaton = ahocorasick_rs.AhoCorasick(
            literals, store_patterns=False, implementation=ahocorasick_rs.Implementation.DFA
        )

    def find(self, text: str) -> dict[int, SeedMatch]:
        """Return per field (index) that matches at all the match that decides it."""
        hits = self._automaton.find_matches_as_indexes(fold(text), overlapping=True)
        if not hits:
            return {}
        by_field: dict[int, list[tuple[int, int, int]]] = {}
        for index, start, end in hits:
            field, preference = self._owners[index]
            by_field.setdefault(field, []).append((start, preference, end))
        out = {}
        for field, candidates in by_field.items():
            decision = self._decide(text, candidates)
            if decision is not None:
                out[field] = decision
        return out

    @staticmethod
    def _decide(text: str, candidates: list[tuple[int, int, int]]) -> SeedMatch | None:
        """Walk the literal hits of one field as the regex engine would, up to the first match that survives."""
        candidates.sort()
        edge, size, first = 0, len(text), None
        for start, _, end in candidates:
            if start < edge:
                continue  # the regex engine goes on after the match that it took
            # \b on the text as stored; terms begin and end with a word character or not, as written
            if start and _is_word(text[start - 1]) == _is_word(text[start]):
                continue
            if end < size and _is_word(text[end]) == _is_word(text[end - 1]):
                continue
            edge = end
            survives = _NEGATION.search(text[max(0, start - LOOK_BACK) : start]) is None
            if survives:
                return SeedMatch(start, end, True)
            first = first or SeedMatch(start, end, False)
        return first


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
