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

import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import ahocorasick_rs
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.folding import ODD_LETTERS, fold, fold_odd_letters, is_word
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
        # longest first: `LeftmostFirst` then takes the longest, and is the faster of the two kinds
        distinct = sorted(dict.fromkeys(literals), key=len, reverse=True)
        owners: dict[str, list[tuple[int, int]]] = {}
        for literal, owner in zip(literals, owner_of, strict=True):
            owners.setdefault(literal, []).append(owner)
        self._overlapping = any(_chained(left, right) for left in distinct for right in distinct)
        # per literal what a hit on it stands for: (field, preference, where it begins within the hit, its length)
        self._meaning = [
            sorted(
                (
                    (field, preference, offset, len(inner))
                    for inner in ([literal] if self._overlapping else distinct)
                    for offset in _offsets(inner, literal)
                    for field, preference in owners[inner]
                ),
                key=lambda each: (each[2], each[1]),
            )
            for literal in distinct
        ]
        kind = ahocorasick_rs.MatchKind.Standard if self._overlapping else ahocorasick_rs.MatchKind.LeftmostFirst
        implementation = ahocorasick_rs.Implementation.DFA
        self._automaton = ahocorasick_rs.AhoCorasick(
            distinct, matchkind=kind, store_patterns=False, implementation=implementation
        )
        # for whole chunks; the letters that need folding are looked for by themselves and send their text to `find`
        self._chunk_automaton = ahocorasick_rs.BytesAhoCorasick(
            [literal.encode() for literal in distinct], matchkind=kind, implementation=implementation
        )
        self._odd_letters = ahocorasick_rs.BytesAhoCorasick(
            [letter.encode() for letter in ODD_LETTERS], matchkind=ahocorasick_rs.MatchKind.LeftmostFirst
        )

    def find_all(self, texts: pa.LargeStringArray) -> Iterator[tuple[int, dict[int, SeedMatch]]]:
        """Yield (row, as `find`) for every text in which a field matches; nulls are passed over.

        One pass over the Arrow buffer of all texts: those without a hit never become Python objects. A hit that begins
        in one text and ends in the next, and whatever it may have hidden, is settled by looking at those texts alone.
        """
        lowered = pc.ascii_lower(texts)
        _, offset_buffer, data = lowered.buffers()
        if data is None or not len(texts):
            return
        offsets = np.frombuffer(offset_buffer, np.int64)[lowered.offset : lowered.offset + len(texts) + 1]
        base = int(offsets[0])
        view = memoryview(data).cast("B")[base : int(offsets[-1])]
        hits = self._chunk_automaton.find_matches_as_indexes(view, overlapping=self._overlapping)
        first, last = _rows_of(hits, offsets)
        alone = set(_rows_of(self._odd_letters.find_matches_as_indexes(view), offsets)[0].tolist())
        for at in np.flatnonzero(first != last):
            alone.update(range(int(first[at]), int(last[at]) + 1))
        rows = np.union1d(first, np.fromiter(alone, np.int64, len(alone)))
        begin, end = np.searchsorted(first, rows, "left"), np.searchsorted(first, rows, "right")
        wanted = pa.array(rows)
        for row, text, low, a, z in zip(
            rows.tolist(),
            texts.take(wanted).to_pylist(),
            lowered.take(wanted).to_pylist(),
            begin.tolist(),
            end.tolist(),
            strict=True,
        ):
            if text is None:
                continue
            if row in alone or self._overlapping:
                found = self.find(text, low)
            else:
                own = _in_characters(hits[a:z], int(offsets[row]) - base, low)
                found = self._decide(text, low, self._in_regex_order(own))
            if found:
                yield row, found

    def find(self, text: str, lowered: str | None = None) -> dict[int, SeedMatch]:
        """Return per field (index) that matches at all the match that decides it.

        `lowered` is the text with A-Z in lower case, where the caller has it (terms are ASCII; no other letter matters).
        """
        folded = fold(text) if lowered is None else fold_odd_letters(lowered)
        hits = self._automaton.find_matches_as_indexes(folded, overlapping=self._overlapping)
        if not hits:
            return {}
        return self._decide(text, folded, self._in_regex_order(hits))

    def _in_regex_order(self, hits: list[tuple[int, int, int]]) -> Iterable[tuple[int, int, int]]:
        """Yield (field, begin, end) so that each field's come as its regex would try them: by begin, then preference."""
        if self._overlapping:
            every = [
                (start, preference, field, end)
                for index, start, end in hits
                for field, preference, _, _ in self._meaning[index]
            ]
            for begin, _, field, end in sorted(every):
                yield field, begin, end
        else:
            for index, start, _ in hits:  # they do not overlap, and what lies inside one is in order
                for field, _, offset, size in self._meaning[index]:
                    yield field, start + offset, start + offset + size

    @staticmethod
    def _decide(text: str, folded: str, candidates: Iterable[tuple[int, int, int]]) -> dict[int, SeedMatch]:
        """Walk the literal hits as the regex engine would, each field up to its first match that survives."""
        out: dict[int, SeedMatch] = {}
        edges: dict[int, int] = {}
        for field, start, end in candidates:
            known = out.get(field)
            if known is not None and (known.survives or start < edges[field]):
                continue  # decided, or inside the match that the regex engine took
            # \b of the regex: a word character on one side only (folding keeps what is one); "" at the ends of the text
            before, after = folded[start - 1 : start], folded[end : end + 1]
            if (before.isalnum() or before == "_") is (folded[start].isalnum() or folded[start] == "_"):
                continue
            if (after.isalnum() or after == "_") is (folded[end - 1].isalnum() or folded[end - 1] == "_"):
                continue
            edges[field] = end
            survives = not _negated(text, folded, start)
            if survives or known is None:
                out[field] = SeedMatch(start, end, survives)
        return out


def _rows_of(hits: list[tuple[int, int, int]], offsets: np.ndarray[Any, Any]) -> tuple[Any, Any]:
    """Return the rows in which the hits of a buffer begin and end."""
    table = np.fromiter(itertools.chain.from_iterable(hits), np.int64, 3 * len(hits)).reshape(-1, 3)
    base = offsets[0]
    return (
        np.searchsorted(offsets, table[:, 1] + base, "right") - 1,
        np.searchsorted(offsets, table[:, 2] + base - 1, "right") - 1,
    )


def _in_characters(hits: list[tuple[int, int, int]], base: int, text: str) -> list[tuple[int, int, int]]:
    """Turn byte offsets in a buffer into character offsets in the text that begins at `base` there. Literals are ASCII."""
    if text.isascii():
        return [(index, start - base, end - base) for index, start, end in hits]
    raw = text.encode()
    out, done, characters = [], 0, 0
    for index, start, end in hits:
        characters += len(raw[done : start - base].decode())
        done = start - base
        out.append((index, characters, characters + end - start))
    return out


def _negated(text: str, folded: str, start: int) -> bool:
    window = folded[max(0, start - LOOK_BACK) : start]
    # every negation word holds one of these: a plain look for them spares most matches the regex
    if not ("no" in window or "denies" in window or "without" in window or "ne" in window):
        return False
    return _NEGATION.search(text[max(0, start - LOOK_BACK) : start]) is not None


def _offsets(inner: str, literal: str) -> list[int]:
    """Return every place where `inner` begins in `literal`."""
    return [at for at in range(len(literal) - len(inner) + 1) if literal.startswith(inner, at)]


def _chained(left: str, right: str) -> bool:
    """Whether a proper end of `left` is a proper beginning of `right`, so that hits on both can overlap in part.

    Only an end that begins at a word boundary counts: elsewhere `right` could not be a whole word.
    """
    return any(
        left.endswith(right[:size]) and is_word(left[-size - 1]) != is_word(left[-size])
        for size in range(1, min(len(left), len(right)))
    )
