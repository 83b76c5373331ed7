"""Where the sections of a note begin and end, found once for everybody.

Put here the search for headings; their words are in `headings`. Offsets count characters of the stored text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa

from clinical_assets.notes.headings import HEADINGS, SUBHEADINGS
from clinical_assets.storage.contracts import SECTIONS

__all__ = ["Section", "find_sections", "sections_table"]

PREAMBLE = "preamble"
OTHER = "other"

# A candidate is a colon, or a short line of words alone. Every repetition is bounded or possessive: linear time.
_CANDIDATE = re.compile(
    r":"
    r"|\n[ \t#*_=>-]{0,8}+(?P<alone>[A-Za-z][A-Za-z&/()'., -]{0,60}+)[ \t*_=-]{0,8}+(?=\n|\Z)"
)
_FIRST_LINE = re.compile(r"[ \t#*_=>-]{0,8}+(?P<alone>[A-Za-z][A-Za-z&/()'., -]{0,60}+)[ \t*_=-]{0,8}+(?=\n)")
# What may come before a heading in the middle of a line, when read backwards from its colon.
_REACH = 64
_BREAK = re.compile(r"[\n.,;:\t|•]|  ")
_ENUMERATION = re.compile(r"^(?:\(?\d{1,2}[.)]|[-*#>=_•]+)\s*")
_PARENTHESIS = re.compile(r"\s*\([^()]{0,40}\)\s*$")
_BLANKS = re.compile(r"\s+")
# "no family history:" and "see plan:" are prose, not headings.
_WORD_BEFORE_PROSE = frozenset(
    "no of the a an in on for with her his their and or see per this that any by to at from new".split()
)
_SMALL_WORDS = frozenset(("of", "and", "the", "to", "on", "for", "in"))
_LONGEST = max(heading.count(" ") for heading in HEADINGS) + 1


@dataclass(frozen=True)
class Section:
    """A section: the heading is ``text[heading_start:body_start]``, the body goes on to ``body_end``.

    Sections tile a note: the first starts at 0, each ends where the next one's heading starts, the last at the end.
    """

    section: str
    heading_start: int
    body_start: int
    body_end: int


def find_sections(text: str) -> list[Section]:
    """Return the sections of one normalised note, in order; an empty text has none.

    Text before the first heading is the ``preamble``. Headings stand on a line of their own or before a colon, also in
    the middle of a line (``..., stable.,FAMILY HISTORY:, Mother ...``). A heading in capitals at the start of a line or
    clause that is not in the vocabulary opens an ``other`` section, so that the one before it does not go on; the parts of
    an examination (``HEENT:``) stay in their section.
    """
    if not text:
        return []
    found: list[tuple[str, int, int]] = []
    first = _FIRST_LINE.match(text)
    if first and (name := _alone(first["alone"])):
        found.append((name, first.start("alone"), first.end()))
    for match in _CANDIDATE.finditer(text):
        if match.lastgroup == "alone":
            if name := _alone(match["alone"]):
                found.append((name, match.start("alone"), match.end()))
            continue
        colon = match.start()
        if hit := _before_colon(text, colon, found[-1][2] if found else 0):
            found.append((*hit, colon + 1))
    sections: list[Section] = []
    starts = [start for _, start, _ in found] + [len(text)]
    if starts[0] > 0:
        sections.append(Section(PREAMBLE, 0, 0, starts[0]))
    for (name, start, body), end in zip(found, starts[1:], strict=True):
        sections.append(Section(name, start, body, end))
    return sections


def sections_table(notes: pa.Table) -> pa.Table:
    """Return the SECTIONS rows of NOTES rows, in the order of the notes."""
    rows: dict[str, list[object]] = {name: [] for name in SECTIONS.names}
    ids, digests = notes["note_id"].to_pylist(), notes["text_sha256"].to_pylist()
    batches = notes["batch"].to_pylist()
    for note_id, digest, batch, text in zip(ids, digests, batches, notes["text"], strict=True):
        for index, section in enumerate(find_sections(text.as_py())):
            rows["note_id"].append(note_id)
            rows["text_sha256"].append(digest)
            rows["section_index"].append(index)
            rows["section"].append(section.section)
            rows["heading_start"].append(section.heading_start)
            rows["body_start"].append(section.body_start)
            rows["body_end"].append(section.body_end)
            rows["batch"].append(batch)
    return pa.table([pa.array(rows[field.name], field.type) for field in SECTIONS], schema=SECTIONS)


def _key(words: str) -> str:
    return _BLANKS.sub(" ", words.strip(" \t\n.,-*_#=")).lower()


def _alone(line: str) -> str | None:
    """Return the section of a line without a colon: known words, written as a heading is."""
    if not line[0].isupper() or line.rstrip().endswith((".", ",")):
        return None
    key = _key(line)
    return HEADINGS.get(key) if len(key) > 1 else None


def _before_colon(text: str, colon: int, floor: int) -> tuple[str, int] | None:
    """Return (section, start) of the heading that ends at ``colon`` and starts at ``floor`` or later."""
    start = max(floor, colon - _REACH)
    window = text[start:colon]
    at_line_start = start == 0 or text[start - 1] == "\n"
    clause = 0
    for broken in _BREAK.finditer(window.rstrip()):
        clause = broken.end()
        at_line_start = broken[0] == "\n"
    bounded = clause > 0 or at_line_start or start == floor
    piece = window[clause:]
    clause += len(piece) - len(piece.lstrip(" #*_=>-"))
    if enumerated := _ENUMERATION.match(window[clause:]):
        clause += enumerated.end()
    words = _PARENTHESIS.sub("", window[clause:])
    key = _key(words)
    if not key:
        return None
    if bounded and key not in SUBHEADINGS:
        capital = words[0].isupper()
        if key in HEADINGS and (at_line_start or (capital and len(key) > 1)):
            return HEADINGS[key], start + clause
        if capital and words.isupper() and 4 <= len(key) <= 50 and "  " not in words.strip():
            return _tail(text, start + clause, words) or (OTHER, start + clause)
    return _tail(text, start + clause, words)


def _tail(text: str, start: int, words: str) -> tuple[str, int] | None:
    """Return the heading that the last words are: notes that lost their line ends run on into the next heading."""
    spots = [match.start() for match in re.finditer(r"(?<=\s)\S", words)][-_LONGEST:]
    for spot in spots:
        tail = words[spot:].strip()
        before = words[:spot].split()
        if len(tail) < 2 or _key(tail) not in HEADINGS or _key(tail) in SUBHEADINGS:
            continue
        if not all(word[0].isupper() or word in _SMALL_WORDS for word in tail.split()):
            continue
        previous = before[-1] if before else ""
        prose = previous.lower() in _WORD_BEFORE_PROSE
        # "Social Work Assessment:", "CHEST CT:" name something else than their last word does.
        part_of_name = len(tail.split()) == 1 and previous[:1].isupper() and (previous.isupper() or not tail.isupper())
        if not prose and not part_of_name:
            return HEADINGS[_key(tail)], start + spot
    return None
