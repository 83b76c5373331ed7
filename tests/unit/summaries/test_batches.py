"""Stages on a lake without Dagster: windows of a person, stale first stages, incrementality."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime

import pyarrow as pa
import pytest

from clinical_assets.storage.contracts import NOTES, SECTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.summaries.keeping import kept_in
from clinical_assets.summaries.stages import COMPRESSED, VERBOSE, StaleStageError, summarize_batch
from clinical_assets.summaries.vocabulary import vocabulary_of


def text_sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


WHEN = datetime(2026, 1, 2, tzinfo=UTC)


def rows(batch: str, *notes: tuple[int, int, date, str, str]) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "note_id": note_id, "person_id": person, "note_date": day, "note_type": None, "note_class": None, "site": None,
                "visit_occurrence_id": None, "text": text, "text_sha256": text_sha256(text), "n_chars": len(text), "status": status,
                "batch": batch, "source_file_sha256": "x", "ingested_at": WHEN, "conversions": None, "raw_text": None, "offset_map": None,
            }
            for note_id, person, day, text, status in notes
        ],
        schema=NOTES,
    )  # fmt: skip


@pytest.fixture
def lake(tmp_path) -> Lake:
    lake = Lake(tmp_path)
    a, b = "CML since 2014. On imatinib 400 mg daily. Works as a baker.", "Hb 12.6 today. Feels well. No rash."
    lake.write("notes/notes", rows("old", (1, 7, date(2020, 1, 1), a, "usable"), (9, 7, date(2010, 1, 1), "Long ago. Hb 3.", "usable")), NOTES, batch="old")  # fmt: skip
    lake.write("notes/notes", rows("new", (2, 7, date(2020, 6, 1), b, "usable"), (3, 8, date(2020, 6, 1), "", "blank")), NOTES, batch="new")  # fmt: skip
    for batch in ("old", "new"):
        lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch=batch)
    return lake


PLACES = [
    {"note_id": 1, "person_id": 7, "note_date": date(2020, 1, 1), "batch": "old"},
    {"note_id": 9, "person_id": 7, "note_date": date(2010, 1, 1), "batch": "old"},
    {"note_id": 2, "person_id": 7, "note_date": date(2020, 6, 1), "batch": "new"},
    {"note_id": 3, "person_id": 8, "note_date": date(2020, 6, 1), "batch": "new"},
]


def with_rules(study, **rules):
    return study.model_copy(update={"summaries": study.summaries.model_copy(update={"similarity": "tfidf", **rules})})


def run(lake, study, stage, scope=(2, 3)):
    return summarize_batch(
        lake, stage, study, "new", set(scope), lambda: vocabulary_of(study), places=lambda persons: PLACES, run_id="r", made_at=WHEN
    )  # fmt: skip


def test_a_window_holds_the_persons_notes_of_all_batches_in_order(lake, study) -> None:
    window = with_rules(study, unit="person_window", window_days=365, verbose_ratio=1.0)
    run(lake, window, VERBOSE)
    made = {row["note_id"]: row for row in lake.read(VERBOSE.table, "new").to_pylist()}
    assert next(span["note_id"] for span in made[2]["spans"]) == 1
    assert made[2]["text"] == (
        "CML since 2014. On imatinib 400 mg daily. Works as a baker.\n\nHb 12.6 today. Feels well. No rash."
    )
    assert (made[2]["n_notes"], made[2]["status"], made[3]["status"]) == (2, "summarized", "no_text")
    assert "Long ago" not in made[2]["text"]
    run(lake, window, COMPRESSED)
    short = {row["note_id"]: row for row in lake.read(COMPRESSED.table, "new").to_pylist()}[2]["text"]
    assert "400 mg" in short
    assert "baker" not in short
    kept = kept_in(lake, COMPRESSED, window, "new", {2, 3}, vocabulary_of(window), lambda persons: PLACES)
    assert (kept.n_missing, kept.n_stale, kept.retention) == (0, 0, 1.0)


def test_other_settings_make_other_summaries_and_stage_two_waits_for_stage_one(lake, study) -> None:
    assert run(lake, study, VERBOSE).n_computed == 2
    assert run(lake, study, COMPRESSED).n_computed == 2
    assert run(lake, study, COMPRESSED).n_computed == 0
    other = with_rules(study, verbose_ratio=0.5)
    with pytest.raises(StaleStageError, match="materialize summaries/verbose_extractive"):
        run(lake, other, COMPRESSED)
    assert run(lake, other, VERBOSE).n_computed == 2
    assert run(lake, other, COMPRESSED).n_computed == 2
    shorter = with_rules(study, verbose_ratio=0.5, compressed_ratio=0.3)
    assert run(lake, shorter, VERBOSE).n_computed == 0


def test_a_note_that_leaves_the_scope_leaves_the_table(lake, study) -> None:
    run(lake, study, VERBOSE)
    assert run(lake, study, VERBOSE, scope=(2,)).n_computed == 0
    assert [row["note_id"] for row in lake.read(VERBOSE.table, "new").to_pylist()] == [2]


def test_checks_see_what_is_missing_or_stale_or_without_its_numbers(lake, study) -> None:
    run(lake, study, VERBOSE, scope=(2,))
    names = vocabulary_of(study)
    assert kept_in(lake, VERBOSE, study, "new", {2, 3}, names).n_missing == 1
    tampered = lake.read(VERBOSE.table, "new").to_pylist()
    tampered[0]["text"] = "Feels well."
    from clinical_assets.storage.summary_contracts import SUMMARIES

    lake.write(VERBOSE.table, pa.Table.from_pylist(tampered, schema=SUMMARIES), SUMMARIES, batch="new")
    kept = kept_in(lake, VERBOSE, study, "new", {2}, names)
    assert (kept.n_missing, kept.n_below, kept.retention) == (0, 1, 0.0)
    tampered[0]["source_sha256"] = "other"
    lake.write(VERBOSE.table, pa.Table.from_pylist(tampered, schema=SUMMARIES), SUMMARIES, batch="new")
    assert kept_in(lake, VERBOSE, study, "new", {2}, names).n_stale == 1
