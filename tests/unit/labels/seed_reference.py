"""The seed's rule with plain `re`, one compiled alternation per field: the oracle for the seed-compatible labeller."""

from __future__ import annotations

import re
from typing import NamedTuple

from clinical_assets.study.model import Study

CUES = re.compile(r"\b(?:no|denies|without|not on|never received|negative for|no history of)\b", re.IGNORECASE)


class Reference(NamedTuple):
    """What the plain rule says of a field."""

    value: bool
    mentioned: bool
    evidence: tuple[int, int] | None


def reference(study: Study) -> dict[str, re.Pattern[str]]:
    """Return one regex per field that has seed terms; their syntax is regex syntax."""
    return {
        field.name: re.compile(rf"\b(?:{'|'.join(field.seed.terms)})\b", re.IGNORECASE)
        for field in study.fields
        if field.seed is not None
    }


def apply(pattern: re.Pattern[str], text: str) -> Reference:
    """Search, slice 50 characters back, drop a match with a cue in them; true if one is left."""
    matches = list(pattern.finditer(text))
    kept = [match for match in matches if not CUES.search(text[max(0, match.start() - 50) : match.start()])]
    first = (kept or matches)[0].span() if matches else None
    return Reference(bool(kept), bool(matches), first)
