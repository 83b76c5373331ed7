"""A plain yes or no in what a model wrote, for servers that tell no probabilities and models that write no JSON.

Thoughts are taken off first, open ones too; then the last explicit answer counts. A word inside another one ("cannot", "unknown",
"normal") is no answer, nor is one that is doubted in the same sentence.
"""

from __future__ import annotations

import re

__all__ = ["read_yes_no", "without_thoughts"]

_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.IGNORECASE | re.DOTALL)
_CLOSED = re.compile(r"\A.*</(?:think|thinking|reasoning)>", re.IGNORECASE | re.DOTALL)
_SENTENCE = re.compile(r"(?<=[.!?;\n])\s+|\n+")
_MARKS = r"[\s\"'`*_#>\-–—(\[{:]*"
_WORD = r"(?P<word>yes|no)\b(?!\s*[/|]|\s+or\b)"
# At the start of a sentence, alone in it, or after words that announce an answer.
_EXPLICIT = (
    re.compile(rf"\A{_MARKS}{_WORD}(?=\s*(?:$|[.,;:!?)\]}}*_\"'`–—-]))", re.IGNORECASE),
    re.compile(
        rf"\b(?:answer|prediction|conclusion|verdict|result|response|decision|therefore|thus|hence|so)\b"
        rf"(?:\s+(?:is|would be|will be|should be))?{_MARKS}(?:definitely|clearly|likely|probably)?\s*{_MARKS}{_WORD}"
        r"(?=\s*(?:$|[.,;:!?)\]}*_\"'`–—-]))",
        re.IGNORECASE,
    ),
)
_DOUBT = re.compile(
    r"\b(?:not (?:sure|clear|certain|known)|unsure|unclear|unknown|uncertain|cannot|can't|could not|impossible|either|maybe|perhaps)\b",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"\b(?:yes|no)\s*(?:/|\||\bor\b)\s*(?:yes|no)\b", re.IGNORECASE)


def without_thoughts(text: str) -> str:
    """Return a text without its thoughts; all up to a closing mark is one, and so is all behind an opening mark that nothing closes."""
    text = _THOUGHT.sub(" ", text)
    return _CLOSED.sub(" ", text)


def read_yes_no(text: str) -> bool | None:
    """Return the last explicit yes (True) or no (False) of a text; None where there is none, which is no answer and never a no.

    Examples
    --------
    >>> read_yes_no("The answer is not clear. Yes"), read_yes_no("Unknown"), read_yes_no("<think>therefore, no</think> Yes.")
    (True, None, True)
    """
    found = None
    for sentence in _SENTENCE.split(without_thoughts(text)):
        rest = _CHOICE.sub(" ", sentence)
        places = [match for pattern in _EXPLICIT for match in pattern.finditer(rest)]
        if not places:
            continue
        last = max(places, key=lambda match: match.start("word"))
        if _DOUBT.search(rest[: last.start("word")]):
            continue
        found = last["word"].lower() == "yes"
    return found
