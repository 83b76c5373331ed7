"""Case folding that keeps every offset, and the prefilter that says which notes are worth scanning.

Both labellers scan folded text with literals, but report offsets into the text as stored: folding must therefore map
every character to exactly one. Only that, and nothing about any concept, belongs here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["fold", "may_match"]

# What `re.IGNORECASE` calls equal to an ASCII letter although str.lower() does not: long s, Kelvin sign, the dotless
# and the dotted i. The last is also the only character whose lower() is longer than one character.
_FOLD = {"\u017f": "s", "\u212a": "k", "\u0131": "i", "\u0130": "i"}
# RE2 knows some of these as letters of a word and some not; they are rare, so any note that holds one is scanned.
_ODD_LETTERS = "[" + "".join(_FOLD) + "]"


def fold(text: str) -> str:
    """Return `text` in lower case, character for character (same length), as `re.IGNORECASE` compares ASCII letters."""
    if not text.isascii():
        for odd, plain in _FOLD.items():
            if odd in text:
                text = text.replace(odd, plain)
    return text.lower()


def may_match(texts: pa.ChunkedArray | pa.Array, literals: Iterable[str]) -> pa.ChunkedArray | pa.Array:
    """Return a boolean column: could any of the (folded) literals be in the text as whole words? False is certain.

    One linear-time RE2 pass over the Arrow buffers: notes that name no concept never become Python objects. RE2's word
    boundary knows ASCII letters only, so next to another letter it says yes where the matcher will say no. Nulls give null.
    """
    words, others = [], []
    for literal in sorted(set(literals)):
        whole = literal.isascii() and _is_word(literal[0]) and _is_word(literal[-1])
        (words if whole else others).append(re.escape(literal))
    alternatives = [rf"\b(?:{'|'.join(words)})\b"] if words else []
    return pc.match_substring_regex(texts, "|".join([*alternatives, *others, _ODD_LETTERS]), ignore_case=True)


def _is_word(char: str) -> bool:
    return char.isalnum() or char == "_"
