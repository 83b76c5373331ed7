"""What a note's abbreviations stand for, where the note says so: "chronic myeloid leukemia (CML)".

scispaCy's `AbbreviationDetector` decides (Schwartz and Hearst, A simple algorithm for identifying abbreviation definitions in
biomedical text, PSB 2003). It is shown the words around a parenthesis and no whole note: its pattern of any words between two
parentheses takes quadratic time, and most notes define nothing that was found in them.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Collection
from functools import lru_cache
from typing import Any

__all__ = ["long_forms"]

_PARENTHESIS = re.compile(r"\(([^()\n]{2,100})\)")
_REACH = 160  # characters before a parenthesis in which the long form stands
_LONGEST = 12  # characters of an abbreviation
_MOST = 200  # parentheses of one text that are looked at
_LAST_WORD = re.compile(r"(\S+)\s*$")


def long_forms(text: str, mentions: Collection[str]) -> dict[str, str]:
    """Return abbreviation -> what the text says it stands for, for those of the `mentions` that are abbreviations.

    Where a text defines one twice the first definition counts.
    """
    short = {mention for mention in mentions if 2 <= len(mention) <= _LONGEST}
    found: dict[str, str] = {}
    if not short or "(" not in text:
        return found
    n_seen = 0
    for match in _PARENTHESIS.finditer(text):
        before = text[max(0, match.start() - _REACH) : match.start()]
        last = _LAST_WORD.search(before)
        said = {match[1].strip(), last[1] if last else ""} & short
        if not said or said <= set(found):
            continue
        n_seen += 1
        if n_seen > _MOST:
            break
        context = before[before.rfind("\n\n") + 1 :] + match[0]
        for abbreviation, long in _detected(context):
            if abbreviation in short:
                found.setdefault(abbreviation, long)
    return found


def _detected(context: str) -> list[tuple[str, str]]:
    detector = _detector()  # spaCy sets filters of its own while it is imported
    with warnings.catch_warnings():
        # a matcher of it has no patterns where nothing is defined, which it says every time
        warnings.filterwarnings("ignore", message=r"\[W036\]", category=UserWarning)
        doc = detector(context)
    return [(span.text, span._.long_form.text) for span in doc._.abbreviations]


@lru_cache(maxsize=1)
def _detector() -> Any:
    import spacy
    from scispacy.abbreviation import AbbreviationDetector  # noqa: F401 - registers the component

    pipeline = spacy.blank("en")
    pipeline.add_pipe("abbreviation_detector")
    return pipeline
