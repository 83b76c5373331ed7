"""Dates and figures in a text, by patterns that take linear time: where they are, what they say in normal form.

No list of drugs or diseases is known here; `extraction` joins a dose to its drug. Every pattern passes `check_pattern`.
"""

from __future__ import annotations

import calendar
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import NamedTuple

from clinical_assets.summaries.words import CONNECTORS, LABS, MONTHS, UNITS, VITALS, read_list

__all__ = ["PATTERNS", "Figure", "find_dates", "find_figures", "normal_number", "normal_unit"]

_NUM = r"(?:\d{1,3}(?:,\d{3}){1,4}(?!\d)|\d{1,40})(?:\.\d{1,40})?"
PATTERNS = {
    "iso_date": r"(?<![\d/.-])(?P<y>(?:19|20)\d\d)[-/](?P<m>\d{1,2})(?:[-/](?P<d>\d{1,2}))?(?![\d/]|-\d)",
    "slash_date": r"(?<![\d/.-])(?P<a>\d{1,2})(?P<s>[/.-])(?P<b>\d{1,2})[/.-](?P<y>\d{4}|\d{2})(?![\d/]|[.-]\d)",
    "month_slash_year": r"(?<![\d/.-])(?P<m>\d{1,2})/(?P<y>(?:19|20)\d\d)(?![\d/]|[.-]\d)",
    "day_month": r"(?<!\w)(?P<d>\d{1,2})(?:st|nd|rd|th)?[ \t]{1,2}(?P<n>[a-z]{3,9})\.?(?:,?[ \t]{1,2}(?P<y>(?:19|20)\d\d))?(?!\w)",
    "month_day": r"(?<!\w)(?P<n>[a-z]{3,9})\.?[ \t]{1,2}(?P<d>\d{1,2})(?:st|nd|rd|th)?(?:,?[ \t]{1,2}(?P<y>(?:19|20)\d\d))?(?![\w/%]|\.\d)",
    "month_year": r"(?<!\w)(?P<n>[a-z]{3,9})\.?,?[ \t]{1,2}(?P<y>(?:19|20)\d\d)(?!\w)",
    "year": r"(?<![\w/.,-])(?P<y>(?:19|20)\d\d)(?![\w/%]|[.,-]\d)",
    "value": rf"(?P<sign>[<>≤≥~]=?[ \t]?)?(?P<v>{_NUM}(?:/{_NUM})?(?:/{_NUM})?(?:/{_NUM})?(?:[ \t]?[-–][ \t]?{_NUM})?)",
    "unit": r"[ \t-]{0,2}(?P<u>%|°?[a-zµμ]{1,12}(?:/[a-z0-9²]{1,10})?(?:/[a-z]{1,5})?|/[a-z]{1,4})(?![\w/])",
    "word": r"[^\W_]{1,80}|[^\w\s]",
}
_COMPILED = {name: re.compile(pattern, re.IGNORECASE) for name, pattern in PATTERNS.items()}
_SCALE = re.compile(r"[ \t]?(?:on[ \t])?\(?(?:is|i\.s\.)\b", re.IGNORECASE)
_LIST_NUMBER = re.compile(r"\d{1,2}[.)](?=[ \t])")
_LOOK_BACK = 60
_MAX_CONNECTORS = 5
_MAX_NAME_WORDS = 5


class Figure(NamedTuple):
    """A number with what belongs to it. `kind`: vital, lab or number; offsets cover name, value and unit."""

    kind: str
    name: str
    value: str
    unit: str
    start: int
    value_start: int
    end: int

    @property
    def key(self) -> str:
        """The normal form: ``name=value unit``, or ``value unit`` for a number that nothing names."""
        said = f"{self.value} {self.unit}".strip()
        return f"{self.name}={said}" if self.name else said


def normal_number(text: str) -> str:
    """Return a number without thousands separators, leading or trailing zeros; 1,200 and 1200.0 are the same."""
    number = text.replace(",", "")
    return format(Decimal(number).normalize(), "f") if number else ""


def normal_unit(text: str) -> str | None:
    """Return the normal form of a unit, None if it is none."""
    return read_list(UNITS).get(" ".join(text.lower().split()))


def find_dates(text: str) -> list[tuple[int, int, str]]:
    """Return (start, end, ISO date as far as it is given), by position, without overlaps.

    ``3/4/2020`` is read month first unless that is impossible; two-digit years below 50 are of this century. A day and month
    without a year are ``--06-13``.
    """
    found: list[tuple[int, int, str]] = []
    taken: list[tuple[int, int]] = []
    for name in ("iso_date", "slash_date", "month_slash_year", "day_month", "month_day", "month_year", "year"):
        for match in _COMPILED[name].finditer(text):
            start, end = match.span()
            iso = _iso(name, match.groupdict())
            if iso is None or (name == "year" and _has_unit(text, end)):
                continue
            if any(start < b and a < end for a, b in taken[-8:]) or _overlaps(taken, start, end):
                continue
            taken.append((start, end))
            found.append((start, end, iso))
        taken.sort()
    return sorted(found)


def _overlaps(taken: list[tuple[int, int]], start: int, end: int) -> bool:
    from bisect import bisect_left

    at = bisect_left(taken, (start, start))
    return any(a < end and start < b for a, b in taken[max(0, at - 1) : at + 2])


def _has_unit(text: str, end: int) -> bool:
    match = _COMPILED["unit"].match(text, end)
    return (
        match is not None
        and normal_unit(match["u"]) is not None
        and match["u"].lower() not in {"in", "at", "c", "f", "d"}
    )


def _iso(name: str, parts: dict[str, str | None]) -> str | None:
    year = _year(parts.get("y"))
    if name == "year":
        return f"{year:04d}"
    if name == "slash_date":
        a, b = int(parts["a"] or 0), int(parts["b"] or 0)
        month, day = (a, b) if a <= 12 else (b, a)
        return _checked(year, month, day)
    if "n" in parts:
        month = MONTHS.get((parts["n"] or "").lower(), 0)
        return _checked(year, month, _number(parts.get("d"))) if month else None
    return _checked(year, int(parts["m"] or 0), _number(parts.get("d")))


def _number(text: str | None) -> int | None:
    return int(text) if text else None


def _year(text: str | None) -> int | None:
    if text is None:
        return None
    return int(text) if len(text) == 4 else int(text) + (2000 if int(text) < 50 else 1900)


def _checked(year: int | None, month: int, day: int | None) -> str | None:
    if not 1 <= month <= 12:
        return None
    if day is None:
        return None if year is None else f"{year:04d}-{month:02d}"
    if not 1 <= day <= calendar.monthrange(year or 2000, month)[1]:
        return None
    return f"--{month:02d}-{day:02d}" if year is None else f"{year:04d}-{month:02d}-{day:02d}"


def find_figures(text: str, dates: list[tuple[int, int, str]]) -> Iterator[Figure]:
    """Yield every number that is not part of a date or of a word (``B12``, ``PHQ-2``), by position."""
    later = iter([*dates, (len(text) + 1, len(text) + 1, "")])
    date = next(later)
    for match in _COMPILED["value"].finditer(text):
        start, end = match.span("v")
        while date[1] <= start:
            date = next(later)
        if date[0] < end or _inside_word(text, start) or _is_list_number(text, start):
            continue
        yield _figure(text, match.start(), start, end, (match["sign"] or "").strip(), match["v"])


def _is_list_number(text: str, start: int) -> bool:
    if _LIST_NUMBER.match(text, start) is None:
        return False
    before = text[max(0, start - _LOOK_BACK) : start].rpartition("\n")[2]
    before = before.strip(" \t(")
    if before.endswith(":"):
        return True  # a list that begins behind its heading: "PMH: 1. Asthma"
    return not before and (start <= _LOOK_BACK or "\n" in text[start - _LOOK_BACK : start])


def _inside_word(text: str, start: int) -> bool:
    if start and (text[start - 1].isalpha() or text[start - 1] == "_"):
        # q4h and x3 are numbers; SpO2 and STI571 are names
        return not (text[start - 1] in "qQxX" and (start == 1 or not text[start - 2].isalnum()))
    return start > 1 and text[start - 1] == "-" and text[start - 2].isalpha()


def _figure(text: str, outer: int, start: int, end: int, sign: str, value: str) -> Figure:
    parts = [
        normal_number(part) if part[:1].isdigit() else part for part in re.split(r"([/–-])", value.replace(" ", ""))
    ]
    said = sign + "".join("-" if part == "–" else part for part in parts)
    unit = ""
    match = _COMPILED["unit"].match(text, end)
    if match is not None:
        unit = normal_unit(match["u"]) or ""
        end = match.end() if unit else end
    if unit == "%" and (scale := _SCALE.match(text, end)) is not None:
        # percent on the International Scale is a BCR::ABL1 level, named or not
        kind, name, begin = _named(text, outer)
        return Figure("lab", "bcr-abl1", said, "%", begin if name == "bcr-abl1" else outer, start, scale.end())
    kind, name, begin = _named(text, outer)
    if not name:
        if _is_pressure(parts):
            kind, name = "vital", "bp"
        elif unit in {"c", "f"} and _is_temperature(parts, unit):
            kind, name = "vital", "temp"
    if name == "temp" and not any(_is_temperature(parts, scale) for scale in ("c", "f")):
        kind, name = "number", ""  # t(9;22) is no temperature
    if name == "temp" and not unit:
        unit = "c" if _is_temperature(parts, "c") else "f"
    if name in {"bp", "hr", "rr", "ecog"} or (name == "spo2" and unit in {"", "%"}):
        unit = ""  # there is one unit only, which some write and some do not
    return Figure(kind, name, said, unit, begin if name else outer, start, end)


def _is_pressure(parts: list[str]) -> bool:
    if len(parts) != 3 or parts[1] != "/" or not (parts[0].isdigit() and parts[2].isdigit()):
        return False
    return 60 <= int(parts[0]) <= 260 and 30 <= int(parts[2]) <= 150 and int(parts[0]) > int(parts[2])


def _is_temperature(parts: list[str], unit: str) -> bool:
    low, high = (33, 43) if unit == "c" else (92, 109)
    return len(parts) == 1 and low <= float(parts[0]) <= high


def _named(text: str, start: int) -> tuple[str, str, int]:
    """Return (kind, normal name, where it begins) of the lab or vital that stands before a value."""
    low = max(0, start - _LOOK_BACK, text.rfind("\n", max(0, start - _LOOK_BACK), start) + 1)
    words = [(m.group().lower(), m.start()) for m in _COMPILED["word"].finditer(text, low, start)]
    if low and words and words[0][1] == low and text[low - 1].isalnum():
        del words[0]  # cut in two by the window
    last = len(words)
    for _ in range(_MAX_CONNECTORS + 1):
        for size in range(min(_MAX_NAME_WORDS, last), 0, -1):
            name = " ".join(word for word, _ in words[last - size : last])
            for kind, names in (("vital", read_list(VITALS)), ("lab", read_list(LABS))):
                if name in names:
                    return kind, names[name], words[last - size][1]
        if not last or words[last - 1][0] not in CONNECTORS:
            break
        last -= 1
    return "number", "", start
