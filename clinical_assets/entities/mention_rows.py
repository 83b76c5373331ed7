"""From characters that were found to rows of the tables: normal form, assertion, section, link. No model is asked here."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple

import pyarrow as pa

from clinical_assets.entities.concepts import general_names, normalised
from clinical_assets.entities.extraction import Found
from clinical_assets.entities.linker import LINKER_VERSION, Linker
from clinical_assets.entities.note_abbreviations import long_forms
from clinical_assets.labels.assertion import AssertionEngine, SectionIndex
from clinical_assets.labels.cue_words import LEXICON_TEXT
from clinical_assets.labels.lexicon import SECTION_PRIORS
from clinical_assets.labels.output import canonical_sha256
from clinical_assets.labels.regex_labels import ENGINE_VERSION
from clinical_assets.storage.entity_contracts import MENTIONS

__all__ = ["NoteSpans", "entity_key", "mention_rows", "rows_stamp"]

_VERSION = 2  # raise it whenever the same mention could get another row
_NO_SECTION = "preamble"


class NoteSpans(NamedTuple):
    """A note as it is needed here, and what was found in it. `columns`: the columns that every row of it has, of MENTIONS."""

    columns: Mapping[str, Any]
    text: str
    sections: Callable[[], SectionIndex]
    found: Sequence[Found]


def rows_stamp(linker_sha: str, least_link_score: float, sections_sha: str) -> str:
    """Return the digest of all that rows are made of besides the note and what was found in it."""
    assertion = {
        "engine": ENGINE_VERSION,
        "lexicon": {f"{category}/{side}": text for (category, side), text in LEXICON_TEXT.items()},
        "priors": {category: list(names) for category, names in SECTION_PRIORS.items()},
    }
    said = [_VERSION, LINKER_VERSION, linker_sha, least_link_score, sections_sha, general_names(), assertion]
    return canonical_sha256(said)


def entity_key(concept_id: int | None, normal: str) -> str:
    """Return what mentions of one thing share; of the words only a digest, so that it may leave the lake."""
    if concept_id is not None:
        return f"concept:{concept_id}"
    return f"text:{hashlib.sha256(normal.encode()).hexdigest()[:16]}"


def mention_rows(notes: Sequence[NoteSpans], linker: Linker, *, run_id: str, extracted_at: datetime) -> pa.Table:
    """Return the rows (contract MENTIONS) of what was found in some notes, in their order.

    Parameters
    ----------
    run_id, extracted_at
        Used where a note's `columns` do not name them.
    """
    columns: dict[str, list[Any]] = {name: [] for name in MENTIONS.names}
    wanted: list[tuple[str, str]] = []
    for note in notes:
        _of_note(note, columns, wanted, {"run_id": run_id, "extracted_at": extracted_at})
    links = linker.link(wanted)
    for one in wanted:
        link = links[one]
        concept = link.concept if link else None
        columns["entity_key"].append(entity_key(concept.concept_id if concept else None, one[1]))
        columns["concept_id"].append(concept.concept_id if concept else None)
        columns["concept_name"].append(concept.name if concept else None)
        columns["vocabulary_id"].append(concept.vocabulary_id if concept else None)
        columns["concept_code"].append(concept.code if concept else None)
        columns["link_score"].append(link.score if link else None)
        columns["linker_sha"].append(linker.sha)
    return pa.table([pa.array(columns[field.name], field.type) for field in MENTIONS], schema=MENTIONS)


def _of_note(
    note: NoteSpans, columns: dict[str, list[Any]], wanted: list[tuple[str, str]], run: Mapping[str, Any]
) -> None:
    if not note.found:
        return
    engine, sections, text = _engine(), note.sections(), note.text
    words = [text[one.start : one.end] for one in note.found]
    stands_for = long_forms(text, set(words))
    general = general_names()
    for index, (one, said) in enumerate(zip(note.found, words, strict=True)):
        long = stands_for.get(said)
        normal = normalised(long or said) or said
        normal = general.get(one.entity_type, {}).get(normal, normal)
        section = sections.at(one.start)
        assertion = engine.assess(text, one.start, one.end, sections)
        for name, value in {**run, **note.columns}.items():
            columns[name].append(value)
        columns["mention_index"].append(index)
        columns["start"].append(one.start)
        columns["end"].append(one.end)
        columns["entity_type"].append(one.entity_type)
        columns["text"].append(said)
        columns["normalised"].append(normal)
        columns["is_abbreviation"].append(long is not None)
        columns["assertion"].append(assertion.category)
        columns["reason"].append(None if assertion.reason == "no_cue" else assertion.reason)
        columns["section"].append(section.name if section and section.name != _NO_SECTION else None)
        columns["confidence"].append(one.confidence)
        columns["part"].append(one.part)
        columns["influences"].append(one.influences)
        wanted.append((one.entity_type, normal))


@lru_cache(maxsize=1)
def _engine() -> AssertionEngine:
    return AssertionEngine()
