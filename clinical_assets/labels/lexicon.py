"""Reading the cue lexicon: lines of `cue_words` and of study files become single cues with a category and a reach.

No words belong here (see `cue_words`) and no decision on a mention (see `assertion`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from clinical_assets.labels.cue_words import LEXICON_TEXT
from clinical_assets.study.patterns import PatternError, expand_term

__all__ = ["FAR", "SECTION_PRIORS", "Cue", "cues_from_lines", "default_cues", "normalise"]

FAR = 10_000

# What a section says of mentions in it that no cue speaks of.
SECTION_PRIORS: dict[str, tuple[str, ...]] = {
    "historical": ("past_medical_history", "past_surgical_history", "oncologic_history", "discontinued_medications"),
    "family": ("family_history",),
    "hypothetical": (),
}

_TOKENS = re.compile(r"[^\W_]+(?:[./'][^\W_]+)*|[^\w\s]")
_HYPHEN_IN_WORD = re.compile(r"(?<=\w)[-\u2010\u2011](?=\w)")
_YEAR = re.compile(r"\b(?:19|20)\d\d\b")
_PLACEHOLDERS = ("YEAR", "END")


@dataclass(frozen=True)
class Cue:
    """One literal cue, normalised.

    category: an assertion, or `stop` (ends every scope), `soft_stop` (ends negation and doubt), `affirmed` (owns its
    words, so that shorter cues in them do not count). side: before | after | both. reach: words that may stand between
    cue and mention.
    """

    text: str
    category: str
    side: str
    reach: int


def normalise(text: str) -> str:
    """Return the tokens of a text, lower-case, between single blanks; years become YEAR. Cues are compared in this form."""
    text = text.lower()
    if not text.isascii():
        text = text.replace("\u2019", "'")
    if "-" in text or not text.isascii():
        text = _HYPHEN_IN_WORD.sub(" ", text)
    if "19" in text or "20" in text:
        text = _YEAR.sub(" YEAR ", text)
    return " ".join(_TOKENS.findall(text))


def _normalise_cue(literal: str) -> str:
    return " ".join(word if word in _PLACEHOLDERS else normalise(word) for word in literal.split())


def cues_from_lines(lines: str | list[str], category: str, side: str) -> Iterator[Cue]:
    """Expand lexicon lines to cues. A line is a term, optionally followed by ` @reach`; PatternError names a bad one."""
    for line in lines.strip().splitlines() if isinstance(lines, str) else lines:
        term, marked, reach = line.strip().partition(" @")
        if marked and not reach.isdigit():
            raise PatternError(f"cue {line!r}: after @ a number of words is expected, e.g. 'not @4'")
        for literal in expand_term(term):
            words = _normalise_cue(literal)
            if words:
                yield Cue(words, category, side, int(reach) if marked else FAR)


@lru_cache(maxsize=1)
def default_cues() -> tuple[Cue, ...]:
    """Return the general lexicon, each cue once per category and side (the first line that gives it counts)."""
    out: dict[tuple[str, str, str], Cue] = {}
    for (category, side), text in LEXICON_TEXT.items():
        for cue in cues_from_lines(text, category, side):
            out.setdefault((cue.text, category, side), cue)
    return tuple(out.values())
