"""The seed's labelling rule, to the letter, as a baseline: literal terms and a 50-character look-back for negation.

The rule in words: all terms of a field form one regex alternation between word boundaries, ignoring case; a match is
dropped if a negation word occurs anywhere in the 50 characters before it, even in another sentence or as the end of a
word that the window cuts; the field is true if a match survives. Its known faults are part of it. It is computed by
one automaton pass over folded text with the regex semantics emulated on the hits. Improvements belong in `assertion`.

The pass takes the longest literal at each place and skips what lies inside it, which is faster than listing overlapping
hits; the literals inside a literal are known beforehand. That is exact unless the end of a literal is the beginning of
another; then overlapping hits are listed after all.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

import ahocorasick_rs

from clinical_assets.labels.folding import fold, fold_odd_letters, whole_words
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
        owner_of: list[tuple[int, int]] = []  # (field, preference within the field's alternation)
        for field, field_terms in enumerate(terms):
            expanded = dict.fromkeys(fold(literal) for term in field_terms for literal in expand_term(term))
            for preference, literal in enumerate(expanded):
                if not literal.isascii():
                    raise ValueError(
                        f"seed term {literal!r} is not ASCII; the seed-compatible rule knows ASCII terms only"
                    )
                literals.append(literal)
                owner_of.append((field, preference))
        self.prefilter = whole_words(literals)
        distinct = list(dict.fromkeys(literals))
        owners: dict[str, list[tuple[int, int]]] = {}
        for literal, owner in zip(literals, owner_of, strict=True):
            owners.setdefault(literal, []).append(owner)
        self._overlapping = any(_chained(left, right) for left in distinct for right in distinct)
        # per literal what a hit on it stands for: (field, preference, where it begins within the hit, its length)
        self._meaning = [
            [
                (field, preference, offset, len(inner))
                for inner in ([literal] if self._overlapping else distinct)
                for offset in _offsets(inner, literal)
                for field, preference in owners[inner]
            ]
            for literal in distinct
        ]
        self._automaton = ahocorasick_rs.AhoCorasick(
            distinct,
            matchkind=ahocorasick_rs.MatchKind.Standard
            if self._overlapping
            else ahocorasick_rs.MatchKind.LeftmostLongest,
            store_patterns=False,
            implementation=ahocorasick_rs.Implementation.DFA,
        )

    def find(self, text: str, lowered: str | None = None) -> dict[int, SeedMatch]:
        """Return per field (index) that matches at all the match that decides it.

        `lowered` is the text with A-Z in lower case, where the caller has it (terms are ASCII; no other letter matters).
        """
        folded = fold(text) if lowered is None else fold_odd_letters(lowered)
        hits = self._automaton.find_matches_as_indexes(folded, overlapping=self._overlapping)
        if not hits:
            return {}
        by_field: dict[int, list[tuple[int, int, int]]] = {}
        for index, start, _ in hits:
            for field, preference, offset, size in self._meaning[index]:
                begin = start + offset
                by_field.setdefault(field, []).append((begin, preference, begin + size))
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
            if (start > 0 and _is_word(text[start - 1])) == _is_word(text[start]):
                continue
            if (end < size and _is_word(text[end])) == _is_word(text[end - 1]):
                continue
            edge = end
            survives = _NEGATION.search(text[max(0, start - LOOK_BACK) : start]) is None
            if survives:
                return SeedMatch(start, end, True)
            first = first or SeedMatch(start, end, False)
        return first


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"


def _offsets(inner: str, literal: str) -> list[int]:
    """Return every place where `inner` begins in `literal`."""
    return [at for at in range(len(literal) - len(inner) + 1) if literal.startswith(inner, at)]


def _chained(left: str, right: str) -> bool:
    """Whether a proper end of `left` is a proper beginning of `right`, so that hits on both can overlap in part.

    Only an end that begins at a word boundary counts: elsewhere `right` could not be a whole word.
    """
    return any(
        left.endswith(right[:size]) and _is_word(left[-size - 1]) != _is_word(left[-size])
        for size in range(1, min(len(left), len(right)))
    )
