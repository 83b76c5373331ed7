"""The rule-based labellers as functions from tables to tables: notes (and sections) in, labels out.

`label_notes` is the assertion engine (labeller `regex`), `label_notes_seed` the seed's rule (labeller `regex_seed`).
Pass notes in chunks: memory is that of one chunk. No file is read or written here.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.assertion import Section, SectionIndex
from clinical_assets.labels.compiled import ASSERTED, CompiledStudy
from clinical_assets.labels.cue_words import LEXICON_TEXT
from clinical_assets.labels.folding import may_match
from clinical_assets.labels.lexicon import SECTION_PRIORS
from clinical_assets.labels.output import Findings, canonical_sha256, label_table
from clinical_assets.labels.seed_rules import LOOK_BACK, NEGATION_WORDS, SeedMatcher
from clinical_assets.study.model import Study
from clinical_assets.study.patterns import PatternTimeout

__all__ = [
    "ENGINE_VERSION",
    "LABELLERS",
    "compiled_study",
    "label_identity",
    "label_notes",
    "label_notes_seed",
    "section_finder",
]

# Raise it whenever the same note, study and lexicon could get another label.
ENGINE_VERSION = "1"
LABELLERS = ("regex", "regex_seed")
_NOTE_COLUMNS = ("note_id", "person_id", "text", "text_sha256", "status", "batch")
_SECTION_COLUMNS = ("note_id", "text_sha256", "section", "heading_start", "body_start", "body_end")


def label_notes(
    notes: pa.Table | pa.RecordBatch, sections: pa.Table, study: Study, *, run_id: str, labelled_at: datetime
) -> pa.Table:
    """Label notes by the study's terms and the assertion engine.

    Parameters
    ----------
    notes
        NOTES contract, at least note_id, person_id, text, text_sha256, status, batch; n rows.
    sections
        SECTIONS contract, at least note_id, section, heading_start, body_start, body_end; may hold other notes'.
    labelled_at
        Time with a time zone, written to every row.

    Returns
    -------
    LABELS contract, n x fields rows, note-major in the order of notes and of the study's fields. `value` is `mentioned`
    where a mention is enough, else `asserted`. Notes that are not usable get `no_text`; a note on which a regex of the
    study times out gets `unsupported` for every field.

    Raises ValueError if a column is missing or `labelled_at` has no time zone.
    """
    table = _checked(notes, labelled_at)
    compiled = compiled_study(study)
    find_sections = section_finder(sections, table)
    mention_is_enough = [field.mention_is_enough for field in compiled.fields]
    findings = Findings()
    k = len(compiled.fields)
    usable = _usable(table)
    rows = _worth_reading(usable, table, None if compiled.needs_every_note else compiled.prefilter)
    for row, text in zip(rows.tolist(), _texts(table, rows).to_pylist(), strict=True):
        try:
            outcomes = compiled.read(text, find_sections(row))
        except PatternTimeout:
            for column in range(k):
                findings.failed[row * k + column] = ("unsupported", "pattern_timeout")
            continue
        for column, evidence in outcomes:
            category, reason = evidence.assertion
            asserted = category in ASSERTED
            value = asserted or mention_is_enough[column]
            findings.found.append((row * k + column, evidence.start, evidence.end, value, asserted, category, reason))
    return label_table(
        table,
        [field.name for field in compiled.fields],
        findings,
        label_identity(study, "regex"),
        usable=usable,
        run_id=run_id,
        labelled_at=labelled_at,
    )


def label_notes_seed(notes: pa.Table | pa.RecordBatch, study: Study, *, run_id: str, labelled_at: datetime) -> pa.Table:
    """Label notes by the seed's rule, exactly; arguments and result as `label_notes`.

    Fields without a `seed` block get status `unsupported`. `value` is the seed's answer: a match not preceded by a
    negation word; `mentioned` says whether there was a match at all.
    """
    table = _checked(notes, labelled_at)
    known = [index for index, field in enumerate(study.fields) if field.seed is not None]
    matcher = _seed_matcher(tuple(tuple(study.fields[i].seed.terms) for i in known))  # type: ignore[union-attr]
    findings = Findings()
    k = len(study.fields)
    usable = _usable(table)
    if matcher is not None:
        readable = table["text"].combine_chunks().cast(pa.large_string())
        for row, matches in matcher.find_all(readable):
            if not usable[row]:
                continue
            for index, match in matches.items():
                start, end, survives = match
                words = ("affirmed", "no_cue") if survives else ("negated", "look_back")
                findings.found.append((row * k + known[index], start, end, survives, survives, *words))
    return label_table(
        table,
        [field.name for field in study.fields],
        findings,
        label_identity(study, "regex_seed"),
        usable=usable,
        unsupported=[field.name for field in study.fields if field.seed is None],
        run_id=run_id,
        labelled_at=labelled_at,
    )


def label_identity(study: Study, labeller: str) -> dict[str, str]:
    """Return the identity columns that are the same for every row of a labeller: all but note_id and note_sha256.

    `prompt_sha` changes with whatever can change a label: for `regex` the rules of the fields and the lexicon, for
    `regex_seed` the seed terms. A field's definition is for language models and does not count.
    """
    if labeller == "regex":
        rules: dict[str, Any] = {
            "fields": [
                field.model_dump(mode="json", exclude={"definition", "seed", "ask_models"}) for field in study.fields
            ],
            "lexicon": {f"{category}/{side}": text for (category, side), text in LEXICON_TEXT.items()},
            "section_priors": {category: list(names) for category, names in SECTION_PRIORS.items()},
        }
    elif labeller == "regex_seed":
        rules = {
            "fields": [field.model_dump(mode="json", include={"name", "seed"}) for field in study.fields],
            "negation": list(NEGATION_WORDS),
            "look_back": LOOK_BACK,
        }
    else:
        raise ValueError(f"unknown labeller {labeller!r}; rule-based labellers are: {', '.join(LABELLERS)}")
    return {
        "labeller": labeller,
        "model_revision": ENGINE_VERSION,
        "adapter_sha": "",
        "prompt_sha": canonical_sha256(rules),
        "schema_version": study.schema_version,
        "decoding": "rules",
    }


# --- chunks -----------------------------------------------------------------------------------------------------------


def _checked(notes: pa.Table | pa.RecordBatch, labelled_at: datetime) -> pa.Table:
    missing = [name for name in _NOTE_COLUMNS if name not in notes.schema.names]
    if missing:
        raise ValueError(f"notes lack columns: {', '.join(missing)}; needed are: {', '.join(_NOTE_COLUMNS)}")
    if labelled_at.tzinfo is None:
        raise ValueError("labelled_at has no time zone; use datetime.now(timezone.utc)")
    table = pa.Table.from_batches([notes]) if isinstance(notes, pa.RecordBatch) else notes
    return table.select(list(_NOTE_COLUMNS))


def _usable(table: pa.Table) -> np.ndarray[Any, Any]:
    # a null text cannot be read whatever its status says; nothing is ever done to str(None)
    usable = pc.and_(pc.equal(table["status"], "usable"), pc.is_valid(table["text"]))
    return np.asarray(pc.fill_null(usable, False).to_numpy(zero_copy_only=False), dtype=bool)


def _worth_reading(usable: np.ndarray[Any, Any], table: pa.Table, pattern: str | None) -> np.ndarray[Any, Any]:
    """Return the rows of the usable notes that the prefilter lets through; of all usable ones for None."""
    if pattern is not None and table.num_rows:
        hit = may_match(table["text"], pattern)
        usable = usable & np.asarray(pc.fill_null(hit, False).to_numpy(zero_copy_only=False), dtype=bool)
    return np.flatnonzero(usable)


def _texts(table: pa.Table, rows: np.ndarray[Any, Any]) -> pa.ChunkedArray:
    return table["text"].take(pa.array(rows, pa.int64()))


def section_finder(sections: pa.Table, notes: pa.Table) -> Callable[[int], Callable[[], SectionIndex]]:
    """Return row -> (-> sections of that note); sections become Python objects only for notes that need them."""
    missing = [name for name in _SECTION_COLUMNS if name not in sections.schema.names and name != "text_sha256"]
    if missing:
        raise ValueError(f"sections lack columns: {', '.join(missing)}; needed are: {', '.join(_SECTION_COLUMNS)}")
    none = SectionIndex()
    note_ids = notes["note_id"].to_numpy()
    if not sections.num_rows or not len(note_ids):
        return lambda row: lambda: none
    section_ids = sections["note_id"].to_numpy()
    keep = np.flatnonzero(np.isin(section_ids, note_ids))
    keep = keep[np.argsort(section_ids[keep], kind="stable")]
    ids = section_ids[keep]
    columns = [sections[name].take(pa.array(keep)) for name in ("section", "heading_start", "body_start", "body_end")]
    hashes = sections["text_sha256"].take(pa.array(keep)) if "text_sha256" in sections.schema.names else None
    first, last = np.searchsorted(ids, note_ids, "left"), np.searchsorted(ids, note_ids, "right")

    def finder(row: int) -> Callable[[], SectionIndex]:
        def find() -> SectionIndex:
            start, count = int(first[row]), int(last[row] - first[row])
            if not count:
                return none
            values = [column.slice(start, count).to_pylist() for column in columns]
            found = [Section(*each) for each in zip(*values, strict=True)]
            if hashes is not None:
                # sections of an older text of the note say nothing of this one
                own = notes["text_sha256"][row].as_py()
                of = hashes.slice(start, count).to_pylist()
                found = [section for section, sha in zip(found, of, strict=True) if sha == own]
            return SectionIndex(found)

        return find

    return finder


# --- compiled rules, built once per study in a process ----------------------------------------------------------------


class _Keyed:
    """Carries a study past lru_cache under the JSON of its fields: pydantic models with lists are not hashable."""

    def __init__(self, key: str, study: Study) -> None:
        self.key, self.study = key, study

    def __hash__(self) -> int:
        return hash(self.key)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Keyed) and other.key == self.key


@lru_cache(maxsize=4)
def _compile(keyed: _Keyed) -> CompiledStudy:
    return CompiledStudy(keyed.study)


def compiled_study(study: Study) -> CompiledStudy:
    """Return the rules of a study, compiled once (about half a second) however often they are asked for."""
    return _compile(_Keyed(study.model_dump_json(include={"fields"}), study))


@lru_cache(maxsize=4)
def _seed_matcher(terms: tuple[tuple[str, ...], ...]) -> SeedMatcher | None:
    return SeedMatcher(terms) if terms else None
