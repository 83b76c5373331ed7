"""What must be true of labels, whoever made them: the expectations of a labels table, as data."""

from __future__ import annotations

from clinical_assets.quality.expectations import Expectation
from clinical_assets.storage.contracts import ASSERTIONS, LABEL_STATUSES

__all__ = ["CHECKED_COLUMNS", "LABELS_SUITE"]

CHECKED_COLUMNS = ["note_id", "labeller", "field", "value", "status", "assertion", "evidence_start", "evidence_end"]

LABELS_SUITE = (
    Expectation(
        "labels_are_unique_per_note_and_field", "ExpectCompoundColumnsToBeUnique", {"column_list": ["note_id", "field"]}
    ),
    Expectation(
        "label_status_is_known", "ExpectColumnValuesToBeInSet", {"column": "status", "value_set": list(LABEL_STATUSES)}
    ),
    Expectation(
        "assertion_is_known", "ExpectColumnValuesToBeInSet", {"column": "assertion", "value_set": list(ASSERTIONS)}
    ),
    Expectation(
        "a_failure_is_never_a_value",
        "ExpectColumnValuesToBeNull",
        {"column": "value", "row_condition": 'status != "labelled"', "condition_parser": "pandas"},
        mend="A label without status 'labelled' has a value: a failure was recorded as an answer. Report this as a defect.",
    ),
    Expectation(
        "evidence_has_a_length",
        "ExpectColumnPairValuesAToBeGreaterThanB",
        {"column_A": "evidence_end", "column_B": "evidence_start", "ignore_row_if": "either_value_is_missing"},
    ),
)
