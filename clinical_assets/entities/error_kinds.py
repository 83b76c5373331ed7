"""What kind of mistake each difference between gold and found mentions is.

In this order, for a found mention that is not annotated and for an annotated one that is not found: `type` (same characters, other type),
`hyphen` (they overlap and differ by a part that a hyphen or slash joins), `boundary` (they overlap), `abbreviation` (a short form that the
document explains), `synonym` (its concept is found, or annotated, elsewhere in the document under another name), else `hallucination`
(found) or `missed` (annotated). A pair that overlaps is one mistake, counted under the type of the annotated one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from clinical_assets.entities.abbreviations import long_forms
from clinical_assets.entities.tokens import tokenize

__all__ = ["ERROR_KINDS", "error_kinds"]

Span = tuple[int, int, str]
ERROR_KINDS = ("boundary", "type", "hyphen", "abbreviation", "synonym", "hallucination", "missed")
_JOINTS = "-/"


def error_kinds(
    text: str, gold: Sequence[Span], found: Sequence[Span], codes: Mapping[Span, frozenset[str]]
) -> Counter[tuple[str, str]]:
    """Return (entity type, kind) -> how many, for one document.

    Parameters
    ----------
    codes
        Codes of each annotated mention; those without are no synonym of anything.
    """
    missed, extra = sorted(set(gold) - set(found)), sorted(set(found) - set(gold))
    errors: Counter[tuple[str, str]] = Counter()
    paired: set[Span] = set()
    short = set(long_forms([word for _, _, word in tokenize(text)]))
    reached = {code for span in set(gold) & set(found) for code in codes.get(span, ())}
    names = {_name(text, span): codes.get(span, frozenset()) for span in gold}
    for one in missed:
        touching = [other for other in extra if other not in paired and other[0] < one[1] and one[0] < other[1]]
        if touching:
            other = max(touching, key=lambda o: (min(o[1], one[1]) - max(o[0], one[0]), o))
            paired.add(other)
            errors[one[2], _overlapping(text, one, other)] += 1
        elif text[one[0] : one[1]] in short:
            errors[one[2], "abbreviation"] += 1
        elif codes.get(one, frozenset()) & reached:
            errors[one[2], "synonym"] += 1
        else:
            errors[one[2], "missed"] += 1
    for other in extra:
        if other in paired:
            continue
        if text[other[0] : other[1]] in short:
            errors[other[2], "abbreviation"] += 1
        elif _name(text, other) in names:
            errors[other[2], "synonym"] += 1
        else:
            errors[other[2], "hallucination"] += 1
    return errors


def _name(text: str, span: Span) -> str:
    return text[span[0] : span[1]].lower()


def _overlapping(text: str, one: Span, other: Span) -> str:
    if one[:2] == other[:2]:
        return "type"
    # what one has and the other lacks begins or ends at a hyphen
    for a, b in ((one, other), (other, one)):
        if a[0] < b[0] and text[b[0] - 1] in _JOINTS:
            return "hyphen"
        if a[1] > b[1] and text[b[1]] in _JOINTS:
            return "hyphen"
    return "boundary"
