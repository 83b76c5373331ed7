"""Case folding that keeps every offset, and the prefilter that says which notes are worth scanning.

Both labellers scan folded text with literals, but report offsets into the text as stored: folding must therefore map
every character to exactly one. Only that, and nothing about any concept, belongs here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["ODD_LETTERS", "fold", "fold_odd_letters", "is_word", "may_match", "whole_words"]

# What `re.IGNORECASE` calls equal to an ASCII letter although str.lower() does not: long s, Kelvin sign, the dotless
# and the dotted i. The last is also the only character whose lower() is longer than one character.
_FOLD = {"\u017f": "s", "\u212a": "k", "\u0131": "i", "\u0130": "i"}
ODD_LETTERS = tuple(_FOLD)
# RE2 knows some of these as letters of a word and some not; they are rare, so any note that holds one is scanned.
_ODD_LETTERS = f"(?-i:[{''.join(_FOLD)}])"  # not ignoring case, or the long s would be every s


def fold(text: str) -> str:
    """Return `text` in lower case, character for character (same length), as `re.IGNORECASE` compares ASCII letters."""
    return fold_odd_letters(text).lower()


def fold_odd_letters(text: str) -> str:
    """Return `text` with the four non-ASCII letters that equal an ASCII letter replaced by it."""
    if not text.isascii():
        for odd, plain in _FOLD.items():
            if odd in text:
                text = text.replace(odd, plain)
    return text


def whole_words(literals: Iterable[str]) -> str:
    """Return an RE2 pattern that any of the (folded) literals matches as whole words.

    RE2's word boundary knows ASCII letters only, so next to another letter it says yes where a matcher will say no.
    """
    words: list[str] = []
    others: list[str] = []
    for literal in sorted(set(literals)):
        whole = literal.isascii() and is_word(literal[0]) and is_word(literal[-1])
        (words if whole else others).append(re.escape(literal))
    return "|".join([*([rf"\b(?:{'|'.join(words)})\b"] if words else []), *others])


def may_match(texts: pa.ChunkedArray | pa.Array, pattern: str) -> pa.ChunkedArray | pa.Array:
    """Return a boolean column: could a matcher find something in the text? False is certain. Nulls give null.

    One linear-time RE2 pass over the Arrow buffers, ignoring case: notes that name no concept never become Python objects.

    Parameters
    ----------
    pattern
        RE2 pattern that matches wherever the matcher could, on texts of ordinary letters.
    """
    return pc.match_substring_regex(texts, f"{pattern}|{_ODD_LETTERS}", ignore_case=True)


def is_word(char: str) -> bool:
    """Tell whether a character belongs to a word, as `\\w` of `re` does for letters and digits of any script."""
    return char.isalnum() or char == "_"
