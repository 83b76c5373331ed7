"""What a text says about what comes next: visits, tests and referrals to come, with their time where it is given.

Part of the checklist of a summary (`summaries.checklist`). By patterns that take linear time; a plan in other words is not seen.
"""

from __future__ import annotations

import re

from clinical_assets.labels.sentences import sentence_spans
from clinical_assets.summaries.ratios import Ratio

__all__ = ["follow_up_retention", "follow_ups"]

_CUES = {
    "visit": r"follow[ -]?up|f/u|return(?:s|ing)?[ \t]{1,2}(?:to|in|for|visit)|rtc|see[ns]?[ \t]{1,2}(?:\w{1,12}[ \t]{1,2})?(?:again|back)|"
    r"next[ \t]{1,2}(?:visit|appointment)|come[ \t]{1,2}back|appointment",
    "test": r"re-?check(?:ed)?|repeat(?:ed)?|monitor(?:ed|ing)?|re-?assess(?:ed)?",
    "referral": r"refer(?:red|ral)?",
}
_CUE = re.compile("|".join(rf"(?P<{name}>\b(?:{words})(?!\w))" for name, words in _CUES.items()), re.IGNORECASE)
_NUMBERS = {"a": "1", "an": "1", "one": "1", "two": "2", "three": "3", "four": "4", "six": "6", "twelve": "12"}
_WHEN = re.compile(
    r"\b(?:in|within|every|after)[ \t]{1,2}(?P<n>\d{1,3}(?:[ \t]?[-–][ \t]?\d{1,3})?|a|an|one|two|three|four|six|twelve)"
    r"[ \t-]{1,2}(?P<unit>day|week|month|year)s?\b",
    re.IGNORECASE,
)


def follow_ups(text: str) -> set[str]:
    """Return what is to come, one key per kind (visit, test, referral) and time: ``visit`` or ``visit 3 month``."""
    found = set()
    for start, end in sentence_spans(text):
        cues = {str(match.lastgroup) for match in _CUE.finditer(text, start, end)}
        if cues:
            when = [
                f"{_NUMBERS.get(match['n'].lower(), match['n'].replace(' ', ''))} {match['unit'].lower()}"
                for match in _WHEN.finditer(text, start, end)
            ]
            found |= {f"{cue} {time}" for cue in cues for time in when} or cues
    return found


def follow_up_retention(source: str, summary: str) -> Ratio:
    """Return the share of the source's `follow_ups` that the summary says too; undefined where the source has none."""
    wanted = follow_ups(source)
    return Ratio(len(wanted & follow_ups(summary)), len(wanted))
