"""Cutting a note that a model cannot read at once into parts that it can, and putting the answers together again.

Parts begin where a section begins if one does nearby, else at a line; each repeats the end of the one before. Together they
hold every character of the note: nothing is cut silently. A field is true if any part says so, with the highest P(true);
false if every part says so; and has no value if a part failed and no other part says true.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from itertools import pairwise
from typing import NamedTuple, TypeVar

from clinical_assets.language_models.answers import Answer, Status

__all__ = ["LEAST_ROOM", "combine", "parts_of"]

LEAST_ROOM = 8  # tokens

_LINE = re.compile(r"[^\n]*\n|[^\n]+")
# Tokens of a whole may differ a little from the sum over its lines.
_MARGIN = 0.95
_SECTION_REACH = 0.4  # a part may be this much shorter to end where a section ends
_N = TypeVar("_N", int, float)


class _Unit(NamedTuple):
    start: int
    end: int
    n_tokens: int


def parts_of(
    text: str,
    section_starts: Collection[int],
    room: int,
    count: Callable[[str], int],
    *,
    overlap: float = 0.1,
    breaks: Collection[int] | None = None,
) -> list[tuple[int, int]]:
    """Return (start, end) of parts of `text`, in order, each of at most `room` tokens.

    Parameters
    ----------
    section_starts
        Offsets at which a section (its heading) begins.
    room
        Tokens a part may have, at least :data:`LEAST_ROOM`.
    count
        Tokens of a text.
    overlap
        Share of a part that the next one repeats.
    breaks
        Offsets at which a part may begin (sentences, say); None for every line.
    """
    if room < LEAST_ROOM:
        raise ValueError(f"room is {room} tokens; expected at least {LEAST_ROOM}")
    if count(text) <= room:
        return [(0, len(text))]
    most = int(room * _MARGIN)
    units = _units(text, max(1, most // 4), count, breaks)
    starts = set(section_starts)
    parts = []
    first = ended = 0
    while True:
        after, total = first, 0
        while after < len(units) and (after == first or total + units[after].n_tokens <= most):
            total += units[after].n_tokens
            after += 1
        if after == len(units):
            parts.append((units[first].start, units[-1].end))
            return parts
        ended = after = _at_section(units, max(first + 1, ended), after, starts, total)
        parts.append((units[first].start, units[after - 1].end))
        first = _step_back(units, first, after, most * overlap)


def combine(answers: Sequence[Answer]) -> Answer:
    """Return the answer about a whole note from those about its parts, given in their order.

    Of several failures `unavailable` counts first, for such a note is asked again; then that of the first part.
    """
    if len(answers) == 1:
        return answers[0]
    values: list[bool | None] = []
    probabilities: list[float | None] = []
    failures = [answer for answer in answers if answer.status != "labelled"]
    failed = min(failures, key=lambda answer: answer.status != "unavailable", default=None)
    for k in range(len(answers[0].values)):
        said = [answer.values[k] for answer in answers]
        known = [answer.probabilities[k] for answer in answers]
        value = True if True in said else None if None in said else False
        values.append(value)
        chances = [p for p in known if p is not None]
        probabilities.append(max(chances) if value is not None and chances else None)
    status: Status = failed.status if failed is not None and None in values else "labelled"
    cut = sum(answer.reason == "thought_cut" for answer in answers)
    reason = failed.reason if failed is not None else "thought_cut" if cut else None
    return Answer(
        status,
        tuple(values),
        tuple(probabilities),
        n_input_tokens=_total([answer.n_input_tokens for answer in answers]),
        n_output_tokens=_total([answer.n_output_tokens for answer in answers]),
        seconds=_total([answer.seconds for answer in answers]),
        reason=reason,
    )


def _total(numbers: Sequence[_N | None]) -> _N | None:
    known = [n for n in numbers if n is not None]
    return sum(known) if known else None


def _units(text: str, most: int, count: Callable[[str], int], breaks: Collection[int] | None) -> list[_Unit]:
    """Return lines, or what stands between breaks, long ones cut further, none of more than `most` tokens if it has two characters."""
    units = []
    if breaks is None:
        waiting = [(m.start(), m.end()) for m in _LINE.finditer(text)][::-1]
    else:
        borders = sorted({0, len(text), *(place for place in breaks if 0 < place < len(text))})
        waiting = list(pairwise(borders))[::-1]
    while waiting:
        start, end = waiting.pop()
        n = count(text[start:end])
        if n <= most or end - start == 1:
            units.append(_Unit(start, end, n))
            continue
        middle = (start + end) // 2
        blank = text.rfind(" ", start + 1, middle)
        cut = blank + 1 if blank > start + (end - start) // 4 else middle
        waiting += [(cut, end), (start, cut)]
    return units


def _at_section(units: Sequence[_Unit], least: int, after: int, starts: Collection[int], total: int) -> int:
    """Move the end of a part back to where a section begins, if that is not far, and beyond `least`."""
    lost = 0
    for place in range(after, least, -1):
        if place < len(units) and units[place].start in starts:
            return place
        lost += units[place - 1].n_tokens
        if lost > total * _SECTION_REACH:
            break
    return after


def _step_back(units: Sequence[_Unit], first: int, after: int, most: float) -> int:
    """Return where the next part begins: before `after` by at most `most` tokens, and after `first`."""
    place, repeated = after, 0
    while place - 1 > first and repeated + units[place - 1].n_tokens <= most:
        place -= 1
        repeated += units[place].n_tokens
    return place
