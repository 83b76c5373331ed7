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
_FOLD = {0x017F: "s", 0x212A: "k", 0x0131: "i", 0x0130: "i"}
# RE2 folds the long s and the Kelvin sign itself; these two it does not, so any note that holds one is scanned.
_NOT_FOLDED_BY_RE2 = "[\u0131\u0130]"


def fold(text: str) -> str:
    """Return `text` in lower case, character for character (same length), as `re.IGNORECASE` compares ASCII letters."""
    return text.lower() if text.isascii() else text.translate(_FOLD).lower()


def may_match(texts: pa.ChunkedArray | pa.Array, literals: Iterable[str]) -> pa.ChunkedArray | pa.Array:
    """Return a boolean column: could any of the (folded) literals be in the text? False is certain, true is not.

    One linear-time RE2 pass over the Arrow buffers: notes that name no concept never become Python objects. Any text
    in `re.escape` form is legal RE2. Nulls give null.
    """
    # the first word is enough here: what follows it may be spaced in ways that only the matcher knows
    alternatives = sorted({re.escape(literal) for literal in literals})
    return pc.match_substring_regex(texts, "|".join([*alternatives, _NOT_FOLDED_BY_RE2]), ignore_case=True)
