"""What keeps two names apart that are spelled alike: figures, opposites, look-alike drugs.

Character n-grams know spelling only. `Type 1 diabetes` and `type 2 diabetes`, hypo- and hyperthyroidism, prednisone and prednisolone
are near neighbours to them and something else to a patient. A candidate that a guard refuses is not linked.
"""

from __future__ import annotations

import re

__all__ = ["may_be_same"]

_FIGURES = re.compile(r"\d+|\b(?:i|ii|iii|iv|v|vi|vii|viii)\b")
_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8"}
# One of a row in one name and another of the row in the other name: two things.
_OPPOSITES = tuple(
    tuple(re.compile(part) for part in row.split(" / "))
    for row in (
        r"hypo / hyper",
        r"brady / tachy",
        r"penia / cytosis / philia",
        r"\bacute / \bchronic / \bsubacute",
        r"\bleft / \bright / \bbilateral",
        r"\bbenign / \bmalignant",
        r"\bprimary / \bsecondary",
        r"\bsystolic / \bdiastolic",
        r"\bupper / \blower",
        r"myeloid / lymphoid / lymphocytic / lymphoblastic / monocytic",
        r"\bpre(?=\w) / \bpost(?=\w)",
        r"\bintra / \bextra",
        r"\bmacro / \bmicro",
        r"\bwith\b / \bwithout\b",
        r"\bautologous / \ballogeneic",
        r"\bviral / \bbacterial / \bfungal",
        r"\bmale / \bfemale",
    )
)


def may_be_same(mention: str, name: str, entity_type: str) -> bool:
    """Tell whether a mention may mean the name, both in comparable form (`concepts.comparable`)."""
    if _figures(mention) != _figures(name):
        return False
    for row in _OPPOSITES:
        said, meant = ({i for i, part in enumerate(row) if part.search(text)} for text in (mention, name))
        if said and meant and not said & meant:
            return False
    return entity_type != "chemical" or _alike_words(mention, name)


def _figures(text: str) -> list[str]:
    return sorted(_ROMAN.get(found, found) for found in _FIGURES.findall(text))


def _alike_words(mention: str, name: str) -> bool:
    """Tell whether every word of the shorter name of a drug is in the other, with at most one slip of the pen a word."""
    few, many = sorted((mention.split(), name.split()), key=len)
    left = list(many)
    for word in few:
        match = next((other for other in left if other == word), None) or next(
            (other for other in left if _one_slip(word, other)), None
        )
        if match is None:
            return False
        left.remove(match)
    return True


def _one_slip(a: str, b: str) -> bool:
    """Tell whether one letter more, less or other, or two neighbours changed about, makes `b` of `a` (short words: none)."""
    if min(len(a), len(b)) < 5 or abs(len(a) - len(b)) > 1:
        return a == b
    start = 0
    while start < min(len(a), len(b)) and a[start] == b[start]:
        start += 1
    rest, other = a[start:], b[start:]
    return (
        rest[1:] == other[1:]
        or rest[1:] == other
        or rest == other[1:]
        or (rest[:2] == other[1::-1] and rest[2:] == other[2:])
    )
