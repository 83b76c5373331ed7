"""The assertion engine: what a sentence says of a mention in it, in the manner of NegEx and ConText.

For one span the engine takes the sentence around it, finds the cues left and right of the span (the longest at each
place), and walks outwards:

* a cue speaks of the mention if it stands on the right side of it and within its reach;
* a `stop` ends the walk (but, however, "and she"); a `soft_stop` ends negation and doubt only ("No fever, continue ...");
* the nearest cue owns its part of an enumeration: one beyond a comma further out does not count;
* an `aspect` ("progression of") takes a negation away from the mention: no progression of CML is CML;
* an `affirmed` cue owns its words, so that cues inside it ("gram negative") do not count.

Of the categories found, family outranks negated, then hypothetical, possible, historical. What no cue speaks of takes
the prior of its section, else it is affirmed. How several mentions become one label is `regex_labels`.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import ahocorasick_rs

from clinical_assets.labels.lexicon import SECTION_PRIORS, Cue, default_cues, normalise
from clinical_assets.labels.sentences import sentence_bounds

__all__ = ["PRECEDENCE", "Assertion", "AssertionEngine", "Section", "SectionIndex"]

PRECEDENCE = ("family", "negated", "hypothetical", "possible", "historical")
_STOPS = frozenset({"stop", "soft_stop"})
# words that may stand between a negation and the verb it denies: "has not yet | had", "never actually | received"
_INSIDE_PREDICATE = frozenset({"yet", "ever", "been", "be", "currently", "actually", "also", "previously", "any"})


class Assertion(NamedTuple):
    """What is said of a mention, and the rule that decided: `<side>_<category>:<cue>`, `section:<name>` or `no_cue`."""

    category: str
    reason: str


class Section(NamedTuple):
    """A section of a note; offsets in its text."""

    name: str
    heading_start: int
    body_start: int
    body_end: int


class SectionIndex:
    """The sections of one note, by position."""

    def __init__(self, sections: Iterable[Section] = ()) -> None:
        self._sections = sorted(sections, key=lambda section: section.heading_start)
        self._starts = [section.heading_start for section in self._sections]

    @property
    def starts(self) -> list[int]:
        """Offsets of the headings, ascending."""
        return list(self._starts)

    def at(self, offset: int) -> Section | None:
        """Return the section that holds the offset, heading included, or None."""
        at = bisect_right(self._starts, offset) - 1
        return self._sections[at] if at >= 0 and offset < self._sections[at].body_end else None


_NO_SECTIONS = SectionIndex()


class AssertionEngine:
    """Cues compiled for one concept. Immutable and thread-safe; build it once.

    Parameters
    ----------
    extra_cues
        Cues of this concept only; where one equals a general cue it replaces it.
    section_priors
        Category -> section names; default SECTION_PRIORS.
    """

    def __init__(
        self, extra_cues: Sequence[Cue] = (), section_priors: Mapping[str, Sequence[str]] = SECTION_PRIORS
    ) -> None:
        roles: dict[str, dict[str, Cue]] = {}
        # one role a text and side: of the general cues the first given, and a cue of the concept before any of them
        for cue in (*extra_cues, *default_cues()):
            for side in ("before", "after") if cue.side == "both" else (cue.side,):
                roles.setdefault(cue.text, {}).setdefault(side, cue)
        self._sides = [dict(by_side) for by_side in roles.values()]
        self._automaton = ahocorasick_rs.AhoCorasick(
            [f" {text} " for text in roles],
            store_patterns=False,
            implementation=ahocorasick_rs.Implementation.ContiguousNFA,
        )
        self._prior = {name: category for category, names in section_priors.items() for name in names}

    def assess(
        self,
        text: str,
        start: int,
        end: int,
        sections: SectionIndex = _NO_SECTIONS,
        bounds: tuple[int, int] | None = None,
    ) -> Assertion:
        """Say what the sentence around text[start:end] asserts of it. `bounds`: that sentence, where already known."""
        low, high = bounds or sentence_bounds(text, start, end)
        section = sections.at(start)
        if section is not None:
            low = max(low, section.body_start if start >= section.body_start else section.heading_start)
            high = max(end, min(high, section.body_end))
        found: dict[str, Assertion] = {}
        left = text[low:start]
        if left and not left.isspace():
            self._walk_left(f" {normalise(left)} ", found)
        # END marks the end of the sentence; a closing full stop is part of it
        self._walk_right(f" {normalise(text[end:high].rstrip(' .!' + chr(10)))} END ", found)
        for category in PRECEDENCE:
            if category in found:
                return found[category]
        if section is not None and section.name in self._prior:
            return Assertion(self._prior[section.name], f"section:{section.name}")
        return Assertion("affirmed", "no_cue")

    def _cues(self, padded: str, side: str) -> list[tuple[int, int, int]]:
        """Leftmost-longest cues, by start: (start, end, index) of the words, without the blanks around them.

        A cue that speaks to this side goes before a longer one that does not: "she denies" must not hide "denies".
        """
        hits = self._automaton.find_matches_as_indexes(padded, overlapping=True)
        if not hits:
            return []
        spans = sorted((start + 1, 1 - end, index) for index, start, end in hits)
        out, edge = [], 0
        others = []
        for start, minus_end, index in spans:
            if side not in self._sides[index]:
                others.append((start, -minus_end, index))
            elif start >= edge:
                edge = -minus_end
                out.append((start, edge, index))
        for start, end, index in others:
            if all(end <= taken_start or taken_end <= start for taken_start, taken_end, _ in out):
                out.append((start, end, index))
        out.sort()
        return out

    def _walk_left(self, padded: str, found: dict[str, Assertion]) -> None:
        hits = self._cues(padded, "before")
        owner = len(padded)
        owned = soft_stopped = shielded = False
        for position in range(len(hits) - 1, -1, -1):
            start, end, index = hits[position]
            sides = self._sides[index]
            cue = sides.get("before")
            comma = " , " in padded[end:owner]
            if owned and comma:
                return
            if cue is None:
                if sides["after"].category in {"negated", "historical"}:
                    return  # it speaks of what stands before it
                continue
            if cue.category == "stop":
                return
            distance = padded.count(" ", end, len(padded)) - 1
            if cue.category == "soft_stop":
                if not self._part_of_negation(padded, hits, position) and distance <= cue.reach:
                    soft_stopped = True
                continue
            if distance > cue.reach or ("after" in sides and comma):
                continue
            if cue.category in {"negated", "possible"} and soft_stopped:
                continue
            if cue.category == "aspect":
                shielded = shielded or not comma  # "no change in vision, diplopia" denies the diplopia
                continue
            if cue.category == "negated" and shielded:
                shielded = False
                continue
            owned, owner = True, start
            if cue.category != "affirmed":
                found.setdefault(cue.category, Assertion(cue.category, f"pre_{cue.category}:{cue.text}"))

    def _part_of_negation(self, padded: str, hits: Sequence[tuple[int, int, int]], position: int) -> bool:
        """Whether the verb at `position` is what a negation just before it denies ("has not had", "denies taking")."""
        if position == 0:
            return False
        _, end, index = hits[position - 1]
        cue = self._sides[index].get("before")
        if cue is None or cue.category != "negated":
            return False
        between = padded[end : hits[position][0]].split()
        return all(word in _INSIDE_PREDICATE for word in between)

    def _walk_right(self, padded: str, found: dict[str, Assertion]) -> None:
        for start, _, index in self._cues(padded, "after"):
            sides = self._sides[index]
            cue = sides.get("after")
            if cue is None:
                if sides["before"].category in {"negated", "hypothetical"}:
                    return  # a new scope begins
                continue
            if cue.category == "stop":
                return
            distance = padded.count(" ", 0, start) - 1
            if distance > cue.reach or ("before" in sides and " , " in padded[:start]):
                if "before" in sides and sides["before"].category == "negated":
                    return
                continue
            if cue.category == "affirmed":
                return
            if cue.category not in _STOPS:
                found.setdefault(cue.category, Assertion(cue.category, f"post_{cue.category}:{cue.text}"))
