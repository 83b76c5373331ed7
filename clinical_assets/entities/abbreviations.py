"""Abbreviations that a text explains, after Schwartz & Hearst (Pac Symp Biocomput 2003): ``long form (SF)``."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["long_forms"]

_LONGEST = 10


def long_forms(words: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return short form -> (first token of its long form, token past its last), for tokens of one text.

    The letters of the short form are looked for from its end, each before the last, the first one at the beginning of a word.
    """
    out: dict[str, tuple[int, int]] = {}
    low = [word.lower() for word in words]
    for i in range(1, len(words) - 2):
        short = words[i + 1]
        if words[i] != "(" or words[i + 2] not in {")", ";", ","} or short in out or not _may_be_short(short):
            continue
        begin = _first_token(low, i, short.lower())
        if begin is not None:
            out[short] = (begin, i)
    return out


def _may_be_short(word: str) -> bool:
    return 2 <= len(word) <= _LONGEST and word[0].isalnum() and any(c.isupper() for c in word)


def _first_token(low: Sequence[str], end: int, short: str) -> int | None:
    least = max(0, end - min(len(short) + 5, len(short) * 2))
    text = [(char, j, k) for j in range(least, end) for k, char in enumerate(low[j])]
    at = len(text) - 1
    letters = [c for c in short if c.isalnum()]
    for left, letter in reversed(list(enumerate(letters))):
        while at >= 0 and (text[at][0] != letter or (left == 0 and text[at][2] != 0)):
            at -= 1
        if at < 0:
            return None
        at -= 1
    return text[at + 1][1]
