"""Expectations give counts and never values; an expectation that cannot be evaluated has failed."""

from __future__ import annotations

import datetime as dt
from dataclasses import asdict

import pandas as pd

from clinical_assets.labels.suites import LABELS_SUITE
from clinical_assets.notes.suites import NOTES_SUITE
from clinical_assets.quality.expectations import Expectation, validate

CANARY = "CANARYVALUE"


def notes(**changes) -> pd.DataFrame:
    frame = {
        "note_id": [1, 2, 3],
        "person_id": [1, 1, 2],
        "note_date": [dt.date(2020, 1, 1)] * 3,
        "note_type": ["Progress Notes"] * 3,
        "text_sha256": ["a" * 64] * 3,
        "n_chars": [200, 300, 400],
        "status": ["usable"] * 3,
        "batch": ["b"] * 3,
    }
    return pd.DataFrame(frame | changes)


def failures(frame: pd.DataFrame, suite=NOTES_SUITE) -> set[str]:
    return {outcome.name for outcome in validate(frame, suite) if not outcome.passed}


def test_good_notes_pass_every_expectation() -> None:
    assert failures(notes()) == set()


def test_each_defect_fails_exactly_the_expectation_that_names_it() -> None:
    assert failures(notes(note_id=[1, 1, 2])) == {"note_ids_are_unique_in_the_batch"}
    assert failures(notes(person_id=[1, None, 2])) == {"every_note_has_a_person"}
    assert failures(notes(note_date=[dt.date(1066, 1, 1)] * 3)) == {"note_dates_are_plausible"}
    assert failures(notes(text_sha256=["a"] * 3)) == {"every_note_has_a_text_digest"}
    assert failures(notes(status=["usable", "usable", CANARY])) == {"note_status_is_known", "most_notes_are_usable"}
    assert failures(notes(n_chars=[-1, 300, 400])) == {"note_lengths_are_possible"}
    assert failures(notes(note_type=[None, None, "x"])) == {"most_notes_have_a_type"}
    assert failures(notes(n_chars=[1, 2, 3])) == {"median_note_length_is_usual"}
    assert failures(notes(status=["blank", "blank", "usable"])) == {"most_notes_are_usable"}


def test_an_empty_batch_only_warns() -> None:
    critical = {item.name for item in NOTES_SUITE if item.severity == "critical"}
    failed = failures(notes().iloc[:0])
    assert "the_batch_has_rows" in failed
    assert failed & critical == set()


def test_counts_are_given_and_values_are_not() -> None:
    outcomes = validate(notes(status=["usable", CANARY, CANARY]), NOTES_SUITE)
    outcome = next(o for o in outcomes if o.name == "note_status_is_known")
    assert (outcome.n_rows, outcome.n_unexpected) == (3, 2)
    assert CANARY not in str([asdict(o) for o in outcomes])


def test_an_expectation_on_a_missing_column_has_failed() -> None:
    outcome = validate(notes(), [Expectation("x", "ExpectColumnValuesToNotBeNull", {"column": "nope"})])[0]
    assert not outcome.passed
    assert outcome.error is not None


def labels(**changes) -> pd.DataFrame:
    frame = {
        "note_id": [1, 1],
        "labeller": ["regex"] * 2,
        "field": ["a", "b"],
        "value": [True, None],
        "status": ["labelled", "no_text"],
        "assertion": ["affirmed", None],
        "evidence_start": [3, None],
        "evidence_end": [9, None],
    }
    return pd.DataFrame(frame | changes)


def test_good_labels_pass_and_a_failure_recorded_as_an_answer_does_not() -> None:
    assert failures(labels(), LABELS_SUITE) == set()
    assert failures(labels(value=[True, False]), LABELS_SUITE) == {"a_failure_is_never_a_value"}
    assert failures(labels(field=["a", "a"]), LABELS_SUITE) == {"labels_are_unique_per_note_and_field"}
    assert failures(labels(assertion=["affirmed", "perhaps"]), LABELS_SUITE) == {"assertion_is_known"}
    assert failures(labels(evidence_end=[3, None]), LABELS_SUITE) == {"evidence_has_a_length"}
