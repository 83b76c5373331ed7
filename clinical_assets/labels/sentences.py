"""Sentence bounds around one span of a clinical note, without splitting the whole note.

Clinical text ends a sentence with a full stop, a blank line, a bullet, a heading or just a line; it wraps lines in mid-
sentence and is full of stops that end nothing ("Dr. ", "q.d. ", "2.5 mg"). The rules look only at what surrounds a
possible boundary. No cue or concept is known here.
"""

from __future__ import annotations

import re

__all__ = ["MAX_SENTENCE", "sentence_bounds", "sentence_spans"]

MAX_SENTENCE = 600  # characters looked at on either side; longer "sentences" are lists or tables

_CANDIDATE = re.compile(r"[.!?]+[)\"'\u201d]*(?=\s|$)|[.!?](?=[A-Z][a-z])|\n[ \t]*\n|\n|\u2022|[ \t]{4,}(?=[A-Z0-9])")
_BULLET = re.compile(r"[ \t]*(?:[-*+\u2022\u00b7\u25cf#>]+[ \t]|\(?\d{1,2}[.)](?!\d)|[a-zA-Z][.)][ \t]|\[[ xX]?\])")
_HEADING = re.compile(r"[ \t]*[A-Z][A-Za-z/&() ]{1,40}:")
_ABBREVIATIONS = frozenset(
    """dr mr mrs ms prof st vs no nos pt pts approx etc e.g i.e eg ie cf fig dept hosp hx dx tx rx sx fx
    q.d b.i.d t.i.d q.i.d q.h.s p.o p.r.n q.o.d i.v i.m s.c s.q a.m p.m h.s a.c p.c o.d o.s o.u b.i.w
    qd bid tid qid po prn iv im mg mcg ml kg cm mm hr hrs min wk wks mo mos yr yrs y.o
    jan feb mar apr jun jul aug sep sept oct nov dec mon tue wed thu fri inc vol wt ht temp resp
    u.s m.d d.o r.n ph.d n.p p.a jr sr et al""".split()
)
_OPEN_ENDED = frozenset(
    """a an the of for in on at to by with without and or nor no not any from into as is was are were be been has have
    had denies denied than that which who her his their our this these those patient pt s/p h/o r/o hx known likely
    possible probable prior""".split()
)
_LAST_WORD = re.compile(r"([A-Za-z](?:[A-Za-z./]*[A-Za-z])?)$")
_ANSWER = re.compile(
    r"[ \t]*(?:no|none|never|denies|denied|negative|yes|positive|[yn])\b(?![ \t]+[a-z])", re.IGNORECASE
)
_ANSWERED = re.compile(r"[:=?-][ \t]*\w+$")  # "Transplant: no" is complete
_FULL_LINE = 55
_NEAR = 160  # most sentences begin within so many characters
_OVERLAP = 24
_WINDOW = 4_000  # characters looked at together when a whole text is split


def sentence_bounds(text: str, start: int, end: int) -> tuple[int, int]:
    """Return (sentence_start, sentence_end) around text[start:end]; at most MAX_SENTENCE characters either side."""
    left = _sentence_start(text, start)
    high = min(len(text), end + MAX_SENTENCE)
    for match in _CANDIDATE.finditer(text, end, high):
        if _is_boundary(text, match):
            return left, match.start() if text[match.start()] in "\n\u2022 \t" else match.end()
    return left, high


def sentence_spans(text: str, low: int = 0, high: int | None = None) -> list[tuple[int, int]]:
    """Return (start, end) of the sentences of text[low:high], in order, without white space around them.

    Nothing but white space lies between them. The time is linear: boundaries are looked for in windows, and a window without
    one is cut at a blank.
    """
    high = len(text) if high is None else high
    out: list[tuple[int, int]] = []
    while low < high:
        window = text[low : min(high, low + _WINDOW)]
        last = low + len(window) >= high
        begin = 0
        for match in _CANDIDATE.finditer(window):
            # what follows a boundary decides on it, so near the end of a window it is left to the next one
            if not last and match.end() > len(window) - MAX_SENTENCE // 4:
                break
            if _is_boundary(window, match):
                cut = match.start() if match.group()[0] in "\n\u2022 \t" else match.end()
                out.append((low + begin, low + cut))
                begin = cut
        if last:
            out.append((low + begin, high))
            break
        if not begin:
            begin = max(window.rfind(" "), window.rfind("\n")) or len(window)
            begin = begin if begin > 0 else len(window)
            out.append((low, low + begin))
        low += begin
    return [(start, end) for start, end in (_stripped(text, *span) for span in out) if start < end]


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - (len(part) - len(part.rstrip()))


def _sentence_start(text: str, start: int) -> int:
    """Return where the sentence that holds `start` begins: the nearest boundary before it, near first, then as far as allowed."""
    low = max(0, start - MAX_SENTENCE)
    for begin in (max(low, start - _NEAR), low):
        # what a boundary is may depend on the white space before it, so the first few characters of a part do not decide
        trusted = begin if begin == low else begin + _OVERLAP
        for match in reversed(list(_CANDIDATE.finditer(text, begin, start))):
            if match.start() < trusted:
                break
            if match.end() <= start and _is_boundary(text, match):
                return match.end()
    return low


def _is_boundary(text: str, match: re.Match[str]) -> bool:
    mark = match.group()
    if mark[0] in ".!?":
        return _ends_sentence(text, match)
    if mark == "\n":
        return _line_ends_sentence(text, match.start())
    return True


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    at = match.start()
    if match.group()[0] != ".":
        # "History of transplant? No" is one statement
        return match.group()[0] == "!" or _ANSWER.match(text, match.end()) is None
    word = _LAST_WORD.search(text, max(0, at - 20), at)
    rest = text[match.end() : match.end() + 40]
    following = rest.lstrip(" \t")
    if word is None:
        # after a figure or a bracket: "1." at the start of a line is a list number, not a sentence
        line = text[text.rfind("\n", 0, at) + 1 : at].strip()
        return not line.isdigit()
    last = word.group(1).lower().rstrip(".")
    if len(last) == 1 and word.group(1).isupper():
        # an initial ("John Q. Public") unless a new line follows
        return following.startswith("\n")
    if last in _ABBREVIATIONS:
        # "no." ends a sentence as an answer; a unit or "q.d." may end one: a capital or a new line tells
        if last in {"dr", "mr", "mrs", "ms", "prof", "st", "vs", "e.g", "i.e", "eg", "ie", "fig", "cf"}:
            return False
        return following[:1].isupper() or following[:1] == "\n" or not following
    return not following[:1].islower() or len(last) > 3


def _line_ends_sentence(text: str, at: int) -> bool:
    following = text[at + 1 : at + 60]
    if _BULLET.match(following) or _HEADING.match(following):
        return True
    first = following.lstrip(" \t")[:1]
    line = text[text.rfind("\n", 0, at) + 1 : at].rstrip()
    if first.islower() or line.endswith((",", ";", "/", "-", "(")):
        return False
    word = _LAST_WORD.search(line[-30:])
    if word is not None and not _ANSWERED.search(line[-30:]) and word.group(1).lower() in _OPEN_ENDED:
        return False
    return len(line) < _FULL_LINE or line.endswith((".", "!", "?", ":"))
