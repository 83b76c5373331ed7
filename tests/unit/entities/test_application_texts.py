"""Biomarkers in texts, co-mentions, trends: what is found where, and what is withheld."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from clinical_assets.entities.applications.biomarkers import (
    BiomarkerReader,
    find_biomarkers,
    offsets_outside,
    read_batch,
)
from clinical_assets.entities.applications.trends import alarms_table
from clinical_assets.labels.assertion import SectionIndex
from clinical_assets.storage.contracts import LAKE_TABLES, NOTES, SECTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.applications import Applications, Biomarker
from tests.application_models import SHA, Warehouse, day, vocabulary

MARKERS = Applications().biomarkers
NOW = dt.datetime(2025, 1, 1, tzinfo=dt.UTC)


READER = BiomarkerReader(MARKERS)


def found(text: str) -> list[tuple[str, str, str, str | None]]:
    return [(text[m.start : m.end], m.biomarker, m.assertion, m.response) for m in READER.read(text, SectionIndex)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("BCR::ABL1 was not detected.", [("BCR::ABL1", "BCR::ABL1", "negated", None)]),
        ("bcr/abl 0.01 %, in MMR.", [("bcr/abl", "BCR::ABL1", "affirmed", "response")]),
        ("Loss of molecular response, BCR-ABL1 rising.", [("BCR-ABL1", "BCR::ABL1", "affirmed", "no_response")]),
        ("Ph+ CML with t(9;22).", [("Ph+", "Philadelphia chromosome", "affirmed", None), ("t(9;22)", "Philadelphia chromosome", "affirmed", None)]),
        ("HER-2 positive; her 2 sons.", [("HER-2", "HER2", "affirmed", None)]),
        ("egfr 60 ml/min. EGFR mutation.", [("EGFR", "EGFR", "affirmed", None)]),
        ("Mother carried BRCA1.", [("BRCA1", "BRCA1", "family", None)]),
        ("XBCR-ABLY, JAK23", []),
        ("", []),
    ],
)  # fmt: skip
def test_mentions_with_assertion_and_cue(text: str, expected: list[tuple[str, str, str, str | None]]) -> None:
    assert found(text) == expected


@settings(deadline=None, max_examples=60)
@given(st.text(alphabet="BCRABLbcrabl 12-:/.()+;Ph\nthe", max_size=200))
def test_every_mention_lies_in_its_sentence_and_text(text: str) -> None:
    for m in READER.read(text, SectionIndex):
        assert 0 <= m.sentence_start <= m.start < m.end <= m.sentence_end <= len(text)
        assert (m.response is None) == (m.response_start is None)


def notes(*texts: str, status: str = "usable") -> pa.Table:
    rows = [
        {"note_id": i, "person_id": 1, "note_date": day("2024-01-01"), "text": text, "text_sha256": SHA, "n_chars": len(text),
         "status": status, "batch": "b1", "source_file_sha256": SHA, "ingested_at": NOW}
        for i, text in enumerate(texts)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows, schema=NOTES)


def test_only_usable_notes_are_read() -> None:
    table = pa.concat_tables([notes("JAK2 positive."), notes("JAK2 positive.", status="stub")])
    made = find_biomarkers(table, SECTIONS.empty_table(), MARKERS, run_id="r", extracted_at=NOW)
    assert made.num_rows == 1
    assert find_biomarkers(table, SECTIONS.empty_table(), [], run_id="r", extracted_at=NOW).num_rows == 0


def test_a_batch_is_written_whole_and_again_with_the_same_digest(tmp_path: Path) -> None:
    lake = Lake(tmp_path)
    for table, schema in LAKE_TABLES.items():
        lake.declare(table, schema)
    lake.write("notes/notes", notes("JAK2 positive.", "nothing"), NOTES, batch="b1")
    lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch="b1")
    first = read_batch(lake, "b1", MARKERS, run_id="r1", extracted_at=NOW)
    second = read_batch(lake, "b1", MARKERS, run_id="r2", extracted_at=NOW + dt.timedelta(days=1))
    assert (first.n_rows, first.digest) == (1, second.digest)
    assert offsets_outside(lake, "b1") == 0
    lake.write("notes/notes", notes("JAK2"), NOTES, batch="b1")  # the note was corrected since
    assert offsets_outside(lake, "b1") == 1


def test_biomarkers_of_one_name_are_refused() -> None:
    with pytest.raises(ValidationError, match="biomarkers: duplicate names: A"):
        Applications(biomarkers=[Biomarker(name="A", terms=["aa"]), Biomarker(name="A", terms=["bb"])])


def test_entities_of_the_same_sentence_are_counted_by_person_and_few_are_withheld() -> None:
    warehouse = Warehouse()
    vocabulary(warehouse)
    for person in range(1, 6):
        warehouse.note(person, person, "2024-01-15")
        warehouse.add(
            "lake_entities_biomarkers",
            {"note_id": person, "note_sha256": SHA, "person_id": person, "note_date": day("2024-01-15"), "batch": "b1",
             "biomarker": "JAK2", "start": 20, "end": 24, "sentence_start": 10, "sentence_end": 40, "assertion": "affirmed",
             "response": "response" if person < 4 else None},
        )  # fmt: skip
        warehouse.mention(person, person, "2024-01-15", "chemical", 1, start=30, end=35)
        warehouse.mention(
            person, person, "2024-01-15", "disease", 100, start=50, end=55, mention_index=1
        )  # next sentence
        warehouse.mention(
            person, person, "2024-01-15", "disease", 102, start=11, end=13, assertion="negated", mention_index=2
        )
    warehouse.build("app_biomarker_mentions", "app_biomarker_comentions")
    assert sorted(
        warehouse.rows("select entity_key, response, n_persons, is_withheld, first_seen from app_biomarker_comentions")
    ) == [
        ("concept:1", "not_said", None, True, None),
        ("concept:1", "response", 3, False, day("2024-01-01")),
    ]


# --- trends --------------------------------------------------------------------------------------------------------------


def series(*counts: int, observed: int = 1_000, key: str = "e", minimum: float = 0.5) -> pa.Table:
    rows = [
        {"source": "structured", "domain": "condition", "entity_key": key, "name": key, "month": dt.date(2020 + i // 12, i % 12 + 1, 1),
         "n": n, "n_observed": observed, "baseline_months": 12, "minimum_expected": minimum, "false_discovery_rate": 0.05}
        for i, n in enumerate(counts)
    ]  # fmt: skip
    return pa.Table.from_pylist(rows)


def test_a_jump_is_an_alarm_and_steady_counts_are_none() -> None:
    assert not [row for row in alarms_table(series(*[5] * 36)).to_pylist() if row["is_alarm"]]
    loud = [row for row in alarms_table(series(*[5] * 24, 25, *[5] * 3)).to_pylist() if row["is_alarm"]]
    assert {row["month"] for row in loud if row["window_months"] == 1} == {dt.date(2022, 1, 1)}
    assert loud[0]["direction"] == "more"
    assert loud[0]["n_tests"] > 20
    quiet = [
        row for row in alarms_table(series(*[20] * 24, 2)).to_pylist() if row["is_alarm"] and row["window_months"] == 1
    ]
    assert [(row["direction"], row["n"]) for row in quiet] == [("fewer", 2)]


def test_p_values_are_those_of_the_exact_binomial_test() -> None:
    from scipy.stats import binomtest

    row = next(r for r in alarms_table(series(*[5] * 12, 14)).to_pylist() if r["window_months"] == 1)
    up = binomtest(14, 14 + 60, 1 / 13, alternative="greater").pvalue
    assert row["p_value"] == pytest.approx(2 * up)
    assert row["expected"] == pytest.approx(5)


def test_more_people_under_observation_are_no_alarm() -> None:
    growing = pa.concat_tables([series(*[10] * 12), series(*[10] * 12, *[30] * 6, observed=3_000).slice(12)])
    assert not [row for row in alarms_table(growing).to_pylist() if row["is_alarm"]]


def test_steady_poisson_series_raise_few_alarms() -> None:
    import numpy as np

    dice = np.random.default_rng(1)
    many = pa.concat_tables([series(*dice.poisson(6, 48).tolist(), key=f"e{i}") for i in range(40)])
    alarms = [row for row in alarms_table(many).to_pylist() if row["is_alarm"]]
    assert len({row["entity_key"] for row in alarms}) <= 2  # of 40 series without any change


def test_months_without_a_baseline_or_with_too_little_to_expect_are_not_tested() -> None:
    assert alarms_table(series(*[5] * 12)).num_rows == 0
    assert alarms_table(series(*[0] * 24, 3)).num_rows == 0


def test_monthly_counts_hold_every_month_and_the_observed() -> None:
    warehouse = Warehouse(trend_months=6, trend_baseline_months=6)
    vocabulary(warehouse)
    for person in range(12):
        warehouse.add(
            "stg_omop__observation_period",
            {
                "person_id": person,
                "observation_period_start_date": day("2024-06-10"),
                "observation_period_end_date": day("2024-12-31"),
            },
        )
        warehouse.add(
            "stg_omop__condition_occurrence",
            {
                "condition_occurrence_id": person,
                "person_id": person,
                "condition_concept_id": 100,
                "condition_start_date": day("2024-07-01" if person else "2024-12-31"),
            },
        )
    warehouse.build("app_patient_lists", "app_monthly_counts")
    rows = warehouse.rows("select month, n, n_observed from app_monthly_counts order by month")
    assert len(rows) == 12
    assert rows[0] == (day("2024-01-01"), 0, 0)
    assert {row[0]: row[1] for row in rows if row[1]} == {day("2024-07-01"): 11, day("2024-12-01"): 1}
    assert [row[2] for row in rows] == [0] * 5 + [12] * 7


def test_the_trend_of_notes_is_against_the_persons_whose_notes_were_read() -> None:
    warehouse = Warehouse(trend_months=6, trend_baseline_months=6)
    vocabulary(warehouse)
    warehouse.add(
        "stg_omop__observation_period",
        {
            "person_id": 0,
            "observation_period_start_date": day("2024-01-01"),
            "observation_period_end_date": day("2024-12-31"),
        },
    )
    for person in range(14):
        date = "2024-03-05" if person < 4 else "2024-11-05"
        warehouse.note(person, person, date)
        warehouse.mention(person, person, date, "disease", 100)
        status = "extracted" if person != 13 else "too_long"
        warehouse.add(
            "note_extractions", {"note_id": person, "person_id": person, "note_date": day(date), "status": status}
        )
    warehouse.build("app_patient_lists", "app_monthly_counts")
    rows = warehouse.rows("select month, n, n_observed from app_monthly_counts where source = 'notes' order by month")
    assert len(rows) == 12
    assert [row for row in rows if row[1]] == [(day("2024-03-01"), 4, 4), (day("2024-11-01"), 10, 9)]
    assert {row[2] for row in rows if not row[1]} == {0}
