"""What must be true of rows of entities/mentions and entities/notes, whoever extracted: the expectations, as data."""

from __future__ import annotations

from clinical_assets.quality.expectations import Expectation
from clinical_assets.storage.contracts import ASSERTIONS
from clinical_assets.storage.entity_contracts import ENTITY_NOTE_STATUSES, ENTITY_TYPES

__all__ = ["MENTION_COLUMNS", "MENTION_SUITE", "NOTE_COLUMNS", "NOTE_SUITE"]

# no words: what a check reads may end up in a message
MENTION_COLUMNS = [
    "note_id",
    "mention_index",
    "start",
    "end",
    "entity_type",
    "assertion",
    "entity_key",
    "link_score",
    "confidence",
]
NOTE_COLUMNS = ["note_id", "status", "n_mentions", "n_dropped"]

MENTION_SUITE = (
    Expectation(
        "mentions_are_unique_per_note_and_index",
        "ExpectCompoundColumnsToBeUnique",
        {"column_list": ["note_id", "mention_index"]},
    ),
    Expectation(
        "mention_type_is_known",
        "ExpectColumnValuesToBeInSet",
        {"column": "entity_type", "value_set": list(ENTITY_TYPES)},
    ),
    Expectation(
        "mention_assertion_is_known",
        "ExpectColumnValuesToBeInSet",
        {"column": "assertion", "value_set": list(ASSERTIONS)},
    ),
    Expectation(
        "a_mention_has_a_length", "ExpectColumnPairValuesAToBeGreaterThanB", {"column_A": "end", "column_B": "start"}
    ),
    Expectation(
        "entity_key_holds_no_words",
        "ExpectColumnValuesToMatchRegex",
        {"column": "entity_key", "regex": r"^(concept:\d+|text:[0-9a-f]{16})$"},
        mend="An entity_key is neither a concept nor a digest: words of notes would leave the lake with it. Report this as a defect.",
    ),
    Expectation(
        "link_score_is_a_similarity",
        "ExpectColumnValuesToBeBetween",
        {"column": "link_score", "min_value": 0, "max_value": 1},
    ),
    Expectation(
        "confidence_is_a_probability",
        "ExpectColumnValuesToBeBetween",
        {"column": "confidence", "min_value": 0, "max_value": 1},
    ),
)

NOTE_SUITE = (
    Expectation("every_note_is_there_once", "ExpectColumnValuesToBeUnique", {"column": "note_id"}),
    Expectation(
        "extraction_status_is_known",
        "ExpectColumnValuesToBeInSet",
        {"column": "status", "value_set": list(ENTITY_NOTE_STATUSES)},
    ),
    Expectation(
        "a_failure_is_never_no_mentions",
        "ExpectColumnValuesToBeNull",
        {"column": "n_mentions", "row_condition": 'status != "extracted"', "condition_parser": "pandas"},
        mend="A note that was not read says how many mentions it has: a failure was recorded as an answer. Report this as a defect.",
    ),
)
