"""Finding terms in a note: one Aho-Corasick pass for all terms of all groups, verified on the few hits.

A term is a sequence of words. Its longest word that is not a frequent one (the anchor) goes into the automaton; on a hit
the other words are looked for to the left and right, across any run of blanks, hyphens and at most one line break, so that
a name broken by the line, a double space or a hyphen is still found. A comma in a term asks for a comma in the text.
Matches begin and end at word boundaries of the text as stored. What a match *means* is not decided here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import ahocorasick_rs

from clinical_assets.labels.folding import fold, is_word, whole_words
from clinical_assets.study.patterns import SafePattern, expand_term

__all__ = ["Group", "Mention", "TermMatcher", "TermSpec", "without_overlaps"]

_GAP_CHARS = frozenset(" \t\n\r\f\v\u00a0\u2002\u2003\u2009\u200a\u202f-\u2010\u2011\u2012\u2013\u2014\u00ad")
_GAP_CHARS_PATTERN = "[" + re.escape("".join(sorted(_GAP_CHARS))) + "]"
_MAX_GAP = 40
# words of terms that stand in most notes: an automaton should not stop at them if the term has another word
_FREQUENT = frozenset(
    """acute blood bone cell cells chronic complete donor early good level levels major minor negative partial peripheral
    phase positive related response stem treatment""".split()
)
_WORDS = re.compile(r",|(?:(?!,)[^\s-])+")


@dataclass(frozen=True)
class TermSpec:
    """A term of a group, in the syntax of `expand_term`. ` ` and `-` in it stand for a gap; a `-` may be absent."""

    text: str
    case_sensitive: bool = False


@dataclass(frozen=True)
class Group:
    """What is looked for under one name: terms, and regexes for what terms cannot say.

    `only` restricts a matcher to some of the terms (by index), leaving their numbering as it is.
    """

    name: str
    terms: Sequence[TermSpec] = ()
    patterns: Sequence[SafePattern] = field(default=())
    only: frozenset[int] | None = None


class Mention(NamedTuple):
    """One match. `term` is the index in the group's terms; -1 for a regex. Offsets in the text as stored."""

    start: int
    end: int
    group: int
    term: int


class _Candidate(NamedTuple):
    """One literal of one term, split at its anchor."""

    before: tuple[tuple[str, bool], ...]  # (word, comma after it), nearest first
    after: tuple[tuple[str, bool], ...]  # (word, comma before it)
    group: int
    term: int
    literal: str | None  # as written, for case-sensitive terms


def _words_of(literal: str) -> list[tuple[str, bool]]:
    """Split a literal at its gaps: [(word, whether a comma stands before it)]."""
    out: list[tuple[str, bool]] = []
    comma = False
    for token in _WORDS.findall(literal):
        if token == ",":
            comma = True
        else:
            out.append((token, comma and bool(out)))
            comma = False
    return out


def _hyphen_variants(literal: str) -> Iterable[str]:
    """`stem-cell` also stands for `stemcell`; each hyphen between letters may be a gap or nothing."""
    out = [""]
    for index, char in enumerate(literal):
        joins = char == "-" and 0 < index < len(literal) - 1
        out = [left + part for left in out for part in ((" ", "") if joins else (char,))]
    return out


class TermMatcher:
    """All groups' terms in one automaton. Immutable and thread-safe; build it once per study."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self.groups = tuple(groups)
        by_anchor: dict[str, list[_Candidate]] = {}
        for group_index, group in enumerate(self.groups):
            for term_index, term in enumerate(group.terms):
                if group.only is not None and term_index not in group.only:
                    continue
                for literal in expand_term(term.text):
                    for variant in _hyphen_variants(literal):
                        self._add(by_anchor, variant, group_index, term_index, term.case_sensitive)
        self.anchors = tuple(sorted(by_anchor))
        self._candidates = [_Alternatives(dict.fromkeys(by_anchor[anchor])) for anchor in self.anchors]
        self._automaton = ahocorasick_rs.AhoCorasick(
            list(self.anchors), store_patterns=False, implementation=ahocorasick_rs.Implementation.DFA
        )
        self._with_patterns = [
            (index, pattern) for index, group in enumerate(self.groups) for pattern in group.patterns
        ]

    @property
    def prefilter(self) -> str:
        """RE2 pattern (for `folding.may_match`) that every text matches in which a term can be found.

        A term of several words is represented by its anchor and the word next to it: anchors alone ("cell", "phase") are
        in most notes.
        """
        alone: list[str] = []
        parts: list[str] = []
        gap = f"{_GAP_CHARS_PATTERN[:-1]},]+"
        for anchor, alternatives in zip(self.anchors, self._candidates, strict=True):
            left: set[str] = set()
            right: set[str] = set()
            for candidate in alternatives.all():
                if candidate.before:
                    left.add(candidate.before[0][0])
                elif candidate.after:
                    right.add(candidate.after[0][0])
                elif candidate.literal is not None:
                    parts.append(f"(?-i:{re.escape(candidate.literal)})")
                else:
                    alone.append(anchor)
            if anchor not in alone:
                parts += [f"(?:{_alternation(left)}){gap}{re.escape(anchor)}"] if left else []
                parts += [f"{re.escape(anchor)}{gap}(?:{_alternation(right)})"] if right else []
        return "|".join([*([whole_words(alone)] if alone else []), *parts])

    @property
    def needs_every_note(self) -> bool:
        """Whether a regex forbids skipping notes in which no anchor occurs."""
        return bool(self._with_patterns)

    @staticmethod
    def _add(by_anchor: dict[str, list[_Candidate]], literal: str, group: int, term: int, cased: bool) -> None:
        words = [(fold(word), comma) for word, comma in _words_of(literal)]
        if not words:
            raise ValueError(f"term {literal!r} holds no word")
        anchor = max(range(len(words)), key=lambda i: (words[i][0] not in _FREQUENT, len(words[i][0]), i))
        # the comma flag of a word tells what stands before it; walking left it is needed with the word on its left
        before = tuple((words[i][0], words[i + 1][1]) for i in range(anchor - 1, -1, -1))
        candidate = _Candidate(before, tuple(words[anchor + 1 :]), group, term, literal if cased else None)
        by_anchor.setdefault(words[anchor][0], []).append(candidate)

    def find(self, text: str, folded: str | None = None) -> list[Mention]:
        """Return the matches sorted by start; those of one group do not overlap (leftmost, then longest, wins).

        `folded` is `fold(text)` where the caller has it. Raises PatternTimeout where a user regex takes too long on this text.
        """
        folded = fold(text) if folded is None else folded
        found: list[Mention] = []
        size = len(folded)
        for index, start, end in self._automaton.find_matches_as_indexes(folded, overlapping=True):
            if (start and is_word(folded[start - 1]) and is_word(folded[start])) or (
                end < size and is_word(folded[end]) and is_word(folded[end - 1])
            ):
                continue
            alternatives = self._candidates[index]
            # edges of the gaps next to the anchor
            left = _skip_left(folded, start, False) if alternatives.look_left else -1
            right = _skip_right(folded, end, False) if alternatives.look_right else -1
            for candidate in alternatives.at(folded, left, right):
                span_start, span_end = start, end
                if candidate.before:
                    span_start = _walk_left(folded, start, candidate.before, left)
                    if span_start < 0:
                        continue
                if candidate.after:
                    span_end = _walk_right(folded, end, candidate.after, right)
                    if span_end < 0:
                        continue
                if candidate.literal is not None and not _same_case(text[span_start:span_end], candidate.literal):
                    continue
                found.append(Mention(span_start, span_end, candidate.group, candidate.term))
        for group, pattern in self._with_patterns:
            found.extend(Mention(start, end, group, -1) for start, end in pattern.spans(text) if end > start)
        return without_overlaps(found) if len(found) > 1 else found


class _Alternatives:
    """The candidates of one anchor, by the word next to it: of hundreds only those few are tried that can fit there."""

    def __init__(self, candidates: Iterable[_Candidate]) -> None:
        self._always: list[_Candidate] = []
        self._by_left: dict[str, list[_Candidate]] = {}
        self._by_right: dict[str, list[_Candidate]] = {}
        for candidate in candidates:
            if candidate.before and _is_plain(candidate.before[0]):
                self._by_left.setdefault(candidate.before[0][0], []).append(candidate)
            elif not candidate.before and candidate.after and _is_plain(candidate.after[0]):
                self._by_right.setdefault(candidate.after[0][0], []).append(candidate)
            else:
                self._always.append(candidate)
        self.look_left = bool(self._by_left) or any(candidate.before for candidate in self._always)
        self.look_right = bool(self._by_right) or any(
            candidate.after for candidates in (self._always, *self._by_left.values()) for candidate in candidates
        )

    def all(self) -> list[_Candidate]:
        """Return every candidate of the anchor."""
        grouped = (self._always, *self._by_left.values(), *self._by_right.values())
        return [candidate for candidates in grouped for candidate in candidates]

    def at(self, text: str, left: int, right: int) -> list[_Candidate]:
        """Return the candidates that the words before `left` and after `right` (-1: no gap there) allow."""
        fitting = self._always
        if self._by_left and left >= 0:
            begin = left
            while begin and is_word(text[begin - 1]):
                begin -= 1
            fitting = fitting + self._by_left.get(text[begin:left], [])
        if self._by_right and right >= 0:
            stop, size = right, len(text)
            while stop < size and is_word(text[stop]):
                stop += 1
            fitting = fitting + self._by_right.get(text[right:stop], [])
        return fitting


def _alternation(words: Iterable[str]) -> str:
    return "|".join(re.escape(word) for word in sorted(words))


def _is_plain(neighbour: tuple[str, bool]) -> bool:
    """Whether a neighbouring word is letters and digits only, with no comma towards the anchor."""
    word, comma = neighbour
    return not comma and all(map(is_word, word))


def _skip_left(text: str, at: int, comma: bool) -> int:
    """Return where the gap that ends at `at` begins; -1 where there is none (or one too long, or a paragraph break)."""
    start, floor, seen_comma = at, max(0, at - _MAX_GAP), False
    while start > floor and (text[start - 1] in _GAP_CHARS or (comma and not seen_comma and text[start - 1] == ",")):
        seen_comma = seen_comma or text[start - 1] == ","
        start -= 1
    return start if start < at and seen_comma == comma and text.count("\n", start, at) <= 1 else -1


def _skip_right(text: str, at: int, comma: bool) -> int:
    end, ceiling, seen_comma = at, min(len(text), at + _MAX_GAP), False
    while end < ceiling and (text[end] in _GAP_CHARS or (comma and not seen_comma and text[end] == ",")):
        seen_comma = seen_comma or text[end] == ","
        end += 1
    return end if end > at and seen_comma == comma and text.count("\n", at, end) <= 1 else -1


def _walk_left(text: str, at: int, words: Sequence[tuple[str, bool]], first_gap: int) -> int:
    edge = first_gap if not words[0][1] else _skip_left(text, at, True)
    for index, (word, _) in enumerate(words):
        if edge < 0 or not text.endswith(word, 0, edge):
            return -1
        at = edge - len(word)
        if at and is_word(text[at - 1]) and is_word(word[0]):
            return -1
        if index + 1 < len(words):
            edge = _skip_left(text, at, words[index + 1][1])
    return at


def _walk_right(text: str, at: int, words: Sequence[tuple[str, bool]], first_gap: int) -> int:
    edge = first_gap if not words[0][1] else _skip_right(text, at, True)
    for index, (word, _) in enumerate(words):
        if edge < 0 or not text.startswith(word, edge):
            return -1
        at = edge + len(word)
        if at < len(text) and is_word(text[at]) and is_word(word[-1]):
            return -1
        if index + 1 < len(words):
            edge = _skip_right(text, at, words[index + 1][1])
    return at


def _same_case(found: str, literal: str) -> bool:
    return [word for word, _ in _words_of(re.sub(_GAP_CHARS_PATTERN, " ", found))] == [
        word for word, _ in _words_of(literal)
    ]


def without_overlaps(found: list[Mention]) -> list[Mention]:
    """Leftmost-longest per group; of equal spans the term given first."""
    found.sort(key=lambda hit: (hit.start, -hit.end, hit.term))
    edge: dict[int, int] = {}
    out = []
    for hit in found:
        if hit.start >= edge.get(hit.group, 0):
            edge[hit.group] = hit.end
            out.append(hit)
    return out
