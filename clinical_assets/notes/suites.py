"""What must be true of stored notes: the expectations of notes/notes and notes/intakes, as data."""

from __future__ import annotations

from clinical_assets.quality.expectations import Expectation
from clinical_assets.storage.contracts import NOTE_STATUSES

__all__ = ["CHECKED_COLUMNS", "NOTES_SUITE"]

CHECKED_COLUMNS = ["note_id", "person_id", "note_date", "note_type", "text_sha256", "n_chars", "status", "batch"]

NOTES_SUITE = (
    Expectation(
        "every_note_has_an_id",
        "ExpectColumnValuesToNotBeNull",
        {"column": "note_id"},
        mend="Correct the landed file; land it again.",
    ),
    Expectation(
        "note_ids_are_unique_in_the_batch",
        "ExpectColumnValuesToBeUnique",
        {"column": "note_id"},
        mend="Duplicates should have been quarantined at intake: report this as a defect.",
    ),
    Expectation("every_note_has_a_person", "ExpectColumnValuesToNotBeNull", {"column": "person_id"}),
    Expectation(
        "note_dates_are_plausible",
        "ExpectColumnValuesToBeBetween",
        {"column": "note_date", "min_value": "1900-01-01", "max_value": "2200-01-01"},
        mend="Date-shifted data may run ahead; anything outside 1900-2200 is an error of the export.",
    ),
    Expectation(
        "every_note_has_a_text_digest", "ExpectColumnValueLengthsToEqual", {"column": "text_sha256", "value": 64}
    ),
    Expectation(
        "note_status_is_known", "ExpectColumnValuesToBeInSet", {"column": "status", "value_set": list(NOTE_STATUSES)}
    ),
    Expectation(
        "note_lengths_are_possible",
        "ExpectColumnValuesToBeBetween",
        {"column": "n_chars", "min_value": 0, "max_value": 5_000_000},
    ),
    Expectation(
        "most_notes_have_a_type",
        "ExpectColumnValuesToNotBeNull",
        {"column": "note_type", "mostly": 0.95},
        severity="warning",
        mend="Map the column that holds the kind of note in the study file (notes: note_type).",
    ),
    Expectation(
        "median_note_length_is_usual",
        "ExpectColumnMedianToBeBetween",
        {"column": "n_chars", "min_value": 100, "max_value": 20_000},
        severity="warning",
        mend="Look at the batch: truncated exports are short, concatenated ones long.",
    ),
    Expectation(
        "most_notes_are_usable",
        "ExpectColumnValuesToBeInSet",
        {"column": "status", "value_set": ["usable"], "mostly": 0.7},
        severity="warning",
        mend="Blank, stub and scanned notes dominate: ask the producer whether text was lost.",
    ),
    Expectation("the_batch_has_rows", "ExpectTableRowCountToBeBetween", {"min_value": 1}, severity="warning"),
)
