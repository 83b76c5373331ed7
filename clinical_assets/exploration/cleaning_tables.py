"""The three outputs of the seed's cleaning as lake tables: everything, the two final texts, the steps. Text: it stays in the lake."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.exploration.seed_cleaning import Cleaned, clean, wordnet_lemmatizer
from clinical_assets.privacy import withhold_messages
from clinical_assets.storage.columns import column
from clinical_assets.storage.lake import ContractError, Lake, Written

__all__ = ["CLEANED", "CLEANED_FULL", "CLEANED_TEXT", "CLEANING_STEPS", "Cleaning", "clean_notes"]

_WORDS = pa.list_(pa.string())
_NOTE = [column("note_id", pa.int64(), "OMOP note.note_id", nullable=False)]
_STEPS = [
    column("input", pa.large_string(), "The note in lower case, without digits and signs", nullable=False),
    column("target", pa.large_string(), "The same of its summary; null where there is none"),
    column("tokenized_input", _WORDS, "Words of input", nullable=False),
    column("tokenized_target", _WORDS, "Words of target"),
    column("lemmatized_input", _WORDS, "Lemmas of these, without stop words", nullable=False),
    column("lemmatized_target", _WORDS, "The same of target"),
    column("filtered_input", _WORDS, "Of lemmatized_input, what the corpus has more than twice", nullable=False),
    column("final_input", pa.large_string(), "lemmatized_input as one text", nullable=False),
    column("final_target", pa.large_string(), "lemmatized_target as one text"),
]
CLEANED_FULL = pa.schema(
    _NOTE
    + [
        column("person_id", pa.int64(), "OMOP person.person_id", nullable=False),
        column("note_date", pa.date32(), "Date of service"),
        column("text_sha256", pa.string(), "SHA-256 of the note's text", nullable=False),
        column("input_length", pa.int32(), "Words of the note as it stands, by white space", nullable=False),
        column("target_length", pa.int32(), "Words of its summary; null where there is none"),
    ]
    + _STEPS
)
CLEANED_TEXT = pa.schema(_NOTE + [_STEPS[7], _STEPS[8]])
CLEANING_STEPS = pa.schema(_NOTE + _STEPS)
CLEANED = {
    "exploration/cleaned_full": CLEANED_FULL,
    "exploration/cleaned_text": CLEANED_TEXT,
    "exploration/cleaning_steps": CLEANING_STEPS,
}
_TARGET = "summaries/compressed_extractive"


@dataclass(frozen=True)
class Cleaning:
    """What was written, and lengths in words before and after, by step."""

    written: dict[str, Written]
    lengths: dict[str, dict[str, list[int]]]
    lemmatizer: str


def clean_notes(lake: Lake, scope: Collection[int]) -> Cleaning:
    """Clean the notes in scope, with their summaries of stage 2 as targets, and replace the three tables."""
    with withhold_messages(ContractError, OSError):
        rows = _notes(lake, scope)
        given = [row["text"] for row in rows]
        targets = [row["target"] for row in rows]
        lemmatizer = wordnet_lemmatizer()
        inputs, summaries = clean(given, lemmatizer), clean(targets, lemmatizer)
        made = [
            {
                **{name: row[name] for name in ("note_id", "person_id", "note_date", "text_sha256")},
                "input_length": len(row["text"].split()),
                "target_length": None if row["target"] is None else len(row["target"].split()),
                **_steps(inputs, summaries, i),
            }
            for i, row in enumerate(rows)
        ]
        table = pa.Table.from_pylist(made, schema=CLEANED_FULL)
        written = {name: lake.write(name, table.select(schema.names), schema) for name, schema in CLEANED.items()}
    lengths = {
        "notes": {
            "as they stand": [row["input_length"] for row in made],
            "cleaned": [len(found or ()) for found in inputs.words],
            "without stop words": [len(found or ()) for found in inputs.lemmas],
            "without rare words": [len(found or ()) for found in inputs.filtered],
        },
        "summaries": {
            "as they stand": [row["target_length"] for row in made if row["target_length"] is not None],
            "cleaned": [len(found) for found in summaries.words if found is not None],
            "without stop words": [len(found) for found in summaries.lemmas if found is not None],
        },
    }
    return Cleaning(written, lengths, inputs.lemmatizer)


def _steps(inputs: Cleaned, targets: Cleaned, i: int) -> dict[str, Any]:
    final = targets.lemmas[i]
    return {
        "input": inputs.text[i],
        "target": targets.text[i],
        "tokenized_input": inputs.words[i],
        "tokenized_target": targets.words[i],
        "lemmatized_input": inputs.lemmas[i],
        "lemmatized_target": final,
        "filtered_input": inputs.filtered[i],
        "final_input": " ".join(inputs.lemmas[i] or ()),
        "final_target": None if final is None else " ".join(final),
    }


def _notes(lake: Lake, scope: Collection[int]) -> list[dict[str, Any]]:
    """Return the usable notes in scope, each text of a person once, with their summaries."""
    ids, found, seen = pa.array(sorted(scope), pa.int64()), [], set()
    for batch in lake.batches("notes/notes"):
        columns = ["note_id", "person_id", "note_date", "text", "text_sha256", "status"]
        notes = lake.read("notes/notes", batch, columns)
        targets: dict[tuple[int, str], str | None] = {}
        if lake.has(_TARGET, batch):
            summaries = lake.read(_TARGET, batch, ["note_id", "source_sha256", "text"]).to_pylist()
            targets = {(row["note_id"], row["source_sha256"]): row["text"] for row in summaries}
        for row in notes.filter(pc.is_in(notes["note_id"], value_set=ids)).to_pylist():
            once = (row["person_id"], row["text_sha256"])
            if row["status"] == "usable" and row["text"] and once not in seen:
                seen.add(once)
                found.append({**row, "target": targets.get((row["note_id"], row["text_sha256"]))})
    return sorted(found, key=lambda row: int(row["note_id"]))
