"""Biomarkers in notes: the study's short list of names, how each mention is asserted, and whether its sentence speaks of response.

What a sentence speaks of is a cue (words of response, or of its loss), not a finding about the patient.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.assertion import AssertionEngine, SectionIndex
from clinical_assets.labels.output import canonical_sha256
from clinical_assets.labels.regex_labels import section_finder
from clinical_assets.labels.sentences import sentence_bounds
from clinical_assets.storage.entity_contracts import BIOMARKERS
from clinical_assets.storage.lake import Lake, Written
from clinical_assets.study.applications import Biomarker

__all__ = ["RULES_VERSION", "BiomarkerMention", "BiomarkerReader", "find_biomarkers", "offsets_outside", "read_batch"]

# Raise it whenever the same note and list could give another answer.
RULES_VERSION = "1"
_CHUNK = 2_000  # notes
_COLUMNS = ["note_id", "person_id", "note_date", "text", "text_sha256", "status", "batch"]
_LOST = re.compile(
    r"\b(?:(?:no|without|loss of|lost|losing|lack of|inadequate|suboptimal|failure (?:of|to achieve)|not (?:yet )?(?:in|achieved))"
    r"(?: (?:any|a|the|his|her|major|deep|complete|molecular|cytogenetic|haematologic|hematologic)){0,3} (?:response|remission)"
    r"|relaps\w+|progress(?:ed|ion)|resistan(?:t|ce)|refractory|treatment failure|rising transcripts?)\b",
    re.IGNORECASE,
)
_RESPONSE = re.compile(
    r"\b(?:respon(?:se|ded|ding|ds)|remission|MMR|CCyR|CHR|MR ?4(?:\.5)?|undetectable|cleared)\b", re.IGNORECASE
)


class BiomarkerMention(NamedTuple):
    """One mention; offsets in the note's text."""

    biomarker: str
    start: int
    end: int
    sentence_start: int
    sentence_end: int
    assertion: str
    response: str | None
    response_start: int | None
    response_end: int | None


class BiomarkerReader:
    """The study's biomarkers compiled. Immutable; build it once per list."""

    def __init__(self, biomarkers: Sequence[Biomarker]) -> None:
        terms = [(term, marker) for marker in biomarkers for term in marker.terms]
        # the longest first: BCR-ABL1 is not BCR-ABL with a 1 behind it
        terms.sort(key=lambda pair: -len(pair[0]))
        self._names = [marker.name for _, marker in terms]
        parts = [f"(?{'-i' if marker.case_sensitive else 'i'}:{_pattern(term)})" for term, marker in terms]
        self._pattern = re.compile("|".join(f"({p})" for p in parts)) if parts else None
        # what Arrow looks for before a text becomes a Python string: no boundaries, no case
        self.prefilter = "(?i)" + "|".join(_pattern(term, bounded=False) for term, _ in terms) if parts else ""
        self._engine = AssertionEngine()
        self.sha = canonical_sha256([RULES_VERSION, *(marker.model_dump(mode="json") for marker in biomarkers)])

    def read(self, text: str, sections: Callable[[], SectionIndex]) -> Iterator[BiomarkerMention]:
        """Yield the mentions in one text, in order."""
        for match in self._pattern.finditer(text) if self._pattern else ():
            start, end = match.span()
            low, high = sentence_bounds(text, start, end)
            category = self._engine.assess(text, start, end, sections(), (low, high)).category
            cue = _LOST.search(text, low, high)
            response = "no_response" if cue else None
            if cue is None and (cue := _RESPONSE.search(text, low, high)):
                response = "response"
            where = cue.span() if cue else (None, None)
            assert match.lastindex is not None
            yield BiomarkerMention(self._names[match.lastindex - 1], start, end, low, high, category, response, *where)


@lru_cache(maxsize=4)
def _reader(biomarkers: tuple[str, ...]) -> BiomarkerReader:
    return BiomarkerReader([Biomarker.model_validate_json(text) for text in biomarkers])


def find_biomarkers(
    notes: pa.Table, sections: pa.Table, biomarkers: Sequence[Biomarker], *, run_id: str, extracted_at: datetime
) -> pa.Table:
    """Find the biomarkers in the usable notes of a chunk.

    Parameters
    ----------
    notes
        NOTES contract, at least note_id, person_id, note_date, text, text_sha256, status, batch.
    sections
        SECTIONS contract; may hold other notes'.

    Returns
    -------
    pa.Table
        BIOMARKERS contract, one row a mention, in order of notes and offsets.
    """
    reader = _reader(tuple(marker.model_dump_json() for marker in biomarkers))
    rows: list[dict[str, Any]] = []
    if reader.prefilter and notes.num_rows:
        hit = pc.match_substring_regex(notes["text"], reader.prefilter)
        kept = notes.filter(pc.fill_null(pc.and_(hit, pc.equal(notes["status"], "usable")), False))
        find = section_finder(sections, kept)
        common = {"rules_sha": reader.sha, "extracted_at": extracted_at, "run_id": run_id}
        for row, note in enumerate(kept.to_pylist()):
            identity = {name: note[name] for name in ("note_id", "person_id", "note_date", "batch")}
            identity["note_sha256"] = note["text_sha256"]
            rows += [{**identity, **found._asdict(), **common} for found in reader.read(note["text"], find(row))]
    return pa.Table.from_pylist(rows, schema=BIOMARKERS)


def read_batch(
    lake: Lake, batch: str, biomarkers: Sequence[Biomarker], *, run_id: str, extracted_at: datetime
) -> Written:
    """Write the partition of entities/biomarkers of a note batch, whole or not at all."""
    sections = lake.read("notes/sections", batch)
    chunks = (
        find_biomarkers(notes, sections, biomarkers, run_id=run_id, extracted_at=extracted_at)
        for notes in lake.iter_chunks("notes/notes", batch, rows=_CHUNK, columns=_COLUMNS)
    )
    return lake.write("entities/biomarkers", chunks, BIOMARKERS, batch=batch)


def offsets_outside(lake: Lake, batch: str) -> int:
    """Return how many mentions of a batch are not of the note as it stands, or not inside its text and sentence."""
    found = lake.read("entities/biomarkers", batch)
    notes = lake.read("notes/notes", batch, ["note_id", "text_sha256", "n_chars"])
    with duckdb.connect() as connection:
        connection.register("found", found)
        connection.register("notes", notes)
        return int(
            connection.sql(
                "select count(*) from found left join notes on notes.note_id = found.note_id and text_sha256 = note_sha256 "
                'where text_sha256 is null or "start" < sentence_start or "end" > sentence_end or sentence_end > n_chars '
                'or "start" >= "end"'
            ).fetchall()[0][0]
        )


def _pattern(term: str, *, bounded: bool = True) -> str:
    words = [re.escape(word) for word in re.split(r"[\s\-/:]+", term) if word]
    inner = r"[\s\-/:]{0,2}".join(words)
    return rf"(?<![A-Za-z0-9]){inner}(?![A-Za-z0-9])" if bounded else inner
