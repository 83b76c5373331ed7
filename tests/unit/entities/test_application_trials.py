"""Trials: reading their files, and who meets which criterion, with the fact or the note that decided."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import duckdb
import pytest

from clinical_assets.entities.applications.trials import create_trials_table, read_trials
from clinical_assets.study.load import StudyError, parse_block
from clinical_assets.study.trials import Trial
from clinical_assets.synthetic.application_inputs import DEMO_TRIAL, write_application_inputs
from tests.application_models import SHA, Warehouse, day, vocabulary

ON = "2024-06-30"


def trial(criterion: str) -> str:
    return f"name: t\ntitle: T\nas_of: {ON}\ncriteria:\n" + criterion


# --- files ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("criterion", "problem"),
    [
        ("  - {name: a, conditon: {concepts: [1]}}", "did you mean 'condition'"),
        ("  - {name: a}", "give exactly one of condition, drug"),
        ("  - {name: a, sex: female, age: {at_least: 3}}", "given: age, sex"),
        ("  - {name: a, age: {at_least: 30, at_most: 20}}", "nobody could match"),
        ("  - {name: a, lab: {concepts: [1], comparator: '=<', value: 1, unit: g}}", "comparator"),
        ("  - {name: a, lab: {concepts: [1], comparator: '<', value: 1}}", "unit: required"),
        ("  - {name: a, sex: male, no_record_means: absent}", "a missing sex is always unknown"),
        ("  - {name: a, sex: male}\n  - {name: a, sex: male}", "duplicate criteria: a"),
        ("  - {name: a, condition: {concepts: []}}", "concepts"),
    ],
)
def test_what_is_wrong_with_a_trial_is_said_with_its_path(criterion: str, problem: str) -> None:
    with pytest.raises(StudyError, match=r"trial\.yaml") as caught:
        parse_block(Trial, trial(criterion), source="trial.yaml")
    assert problem in str(caught.value)


def test_a_bad_file_is_a_problem_and_stops_no_other(tmp_path: Path) -> None:
    write_application_inputs(tmp_path)
    folder = tmp_path / "trials"
    (folder / "broken.yaml").write_text("name: [", encoding="utf-8")
    (folder / "latin.yaml").write_bytes(b"name: \xe9")
    (folder / "same.yml").write_text(DEMO_TRIAL, encoding="utf-8")
    (folder / "big.yaml").write_text("#" * 300_000, encoding="utf-8")
    (folder / "notes.txt").write_text("not a trial", encoding="utf-8")
    trials, problems = read_trials(folder)
    assert [found.name for found in trials] == ["demo_deep_response"]
    assert {row["trial"] for row in problems} == {"broken.yaml", "latin.yaml", "same.yml", "big.yaml"}
    assert read_trials(tmp_path / "nowhere") == ([], [])


def test_trials_of_study_and_folder_become_one_row_a_criterion(tmp_path: Path) -> None:
    write_application_inputs(tmp_path)
    other = parse_block(Trial, trial("  - {name: a, sex: male}"), source="x").model_dump(mode="json")
    with duckdb.connect() as connection:
        connection.execute("create schema landing")
        create_trials_table(connection, tmp_path / "trials", [other])
        rows = connection.sql("select trial, criterion_order, fact from landing.trial_criteria order by all").fetchall()
    assert rows[-1] == ("t", 1, "sex")
    assert [row[2] for row in rows[:-1]] == ["condition", "drug", "lab", "age", "condition", "procedure", "note_field"]


# --- matching ------------------------------------------------------------------------------------------------------------


def matched(*criteria: str, fill: Any = lambda _: None) -> Warehouse:
    """A warehouse with a person 1, born 1960-07-01, observed from 2010, and the trial matched."""
    warehouse = Warehouse()
    vocabulary(warehouse)
    warehouse.add("stg_omop__person", {"person_id": 1, "gender_concept_id": 8532, "birth_date": day("1960-07-01")})
    warehouse.add(
        "stg_omop__observation_period",
        {"person_id": 1, "observation_period_start_date": day("2010-01-01"), "observation_period_end_date": day(ON)},
    )
    fill(warehouse)
    model = parse_block(Trial, trial("\n".join(f"  - {c}" for c in criteria)), source="t").model_dump(mode="json")
    warehouse.connection.execute("create schema landing")
    create_trials_table(warehouse.connection, Path("nowhere"), [model])
    warehouse.connection.execute(
        "create or replace table trials_trial_criteria as select * from landing.trial_criteria"
    )
    warehouse.build("app_trial_problems", "app_trial_criteria", "app_trial_matches")
    return warehouse


def answer(*criteria: str, fill: Any = lambda _: None) -> dict[str, tuple[str, str]]:
    """Criterion -> (status, reason), for person 1; a criterion of sex makes everybody a candidate."""
    warehouse = matched(*criteria, fill=fill)
    return {
        name: (status, reason)
        for name, status, reason in warehouse.rows("select criterion, status, reason from app_trial_criteria")
    }


def condition(warehouse: Warehouse, concept: int, date: str) -> None:
    warehouse.add(
        "stg_omop__condition_occurrence",
        {
            "condition_occurrence_id": 1,
            "person_id": 1,
            "condition_concept_id": concept,
            "condition_start_date": day(date),
        },
    )


def said(warehouse: Warehouse, assertion: str, date: str = "2024-05-01", note: int = 9) -> None:
    warehouse.note(note, 1, date)
    warehouse.mention(note, 1, date, "disease", 100, assertion=assertion)


SEX = "{name: woman, sex: female}"
CML = "{name: cml, condition: {concepts: [101]}}"
NO_CML = "{name: cml, kind: exclusion, condition: {concepts: [101]}}"
LAB = "{name: lab, lab: {concepts: [200], comparator: '<=', value: 0.1, unit: '%'}}"
CLOSED = "{name: cml, kind: exclusion, condition: {concepts: [101]}, no_record_means: absent}"


def test_nothing_known_is_unknown_and_never_not_met() -> None:
    assert answer(CML) == {}  # no candidate without a wanted fact
    found = answer(
        "{name: nausea, condition: {concepts: [102]}}", CML, LAB, fill=lambda w: condition(w, 102, "2024-01-01")
    )
    assert found == {"nausea": ("met", "record"), "cml": ("unknown", "no_record"), "lab": ("unknown", "no_record")}
    assert answer("{name: old, age: {at_least: 60}}", NO_CML)["cml"] == ("unknown", "no_record")


@pytest.mark.parametrize(
    ("assertion", "inclusion", "exclusion"),
    [
        ("affirmed", "met", "not_met"),
        ("historical", "met", "not_met"),
        ("negated", "not_met", "met"),
        ("possible", "unknown", "unknown"),
        ("family", "unknown", "unknown"),
        ("hypothetical", "unknown", "unknown"),
    ],
)
def test_a_note_decides_by_its_assertion(assertion: str, inclusion: str, exclusion: str) -> None:
    for kind, status in (("inclusion", inclusion), ("exclusion", exclusion)):
        other = "{name: drug, drug: {concepts: [1]}}"
        criterion = f"{{name: cml, kind: {kind}, condition: {{concepts: [101]}}}}"

        def fill(warehouse: Warehouse) -> None:
            said(warehouse, assertion)
            warehouse.add(
                "stg_omop__drug_exposure",
                {
                    "drug_exposure_id": 1,
                    "person_id": 1,
                    "drug_concept_id": 11,
                    "drug_exposure_start_date": day("2024-01-01"),
                },
            )

        found = matched(other, criterion, fill=fill)
        rows = found.rows(
            "select status, reason, note_id, note_start, note_end, fact_id from app_trial_criteria where criterion = 'cml'"
        )
        assert rows == [(status, f"note_{assertion}", 9, 5, 9, None)]


def test_a_record_decides_before_a_note_and_is_named() -> None:
    def fill(warehouse: Warehouse) -> None:
        condition(warehouse, 100, "2023-01-01")
        said(warehouse, "negated")

    found = matched(CML, fill=fill)
    assert found.rows("select status, reason, fact_table, fact_id, fact_date, note_id from app_trial_criteria") == [
        ("met", "record", "condition_occurrence", 1, day("2023-01-01"), None)
    ]


def test_a_later_affirmation_outweighs_an_earlier_denial_only_within_the_window() -> None:
    def fill(warehouse: Warehouse) -> None:
        said(warehouse, "affirmed", "2020-01-01", 8)
        said(warehouse, "negated", "2024-05-01", 9)
        condition(warehouse, 102, "2024-05-01")

    near = "{name: cml, condition: {concepts: [101]}, within_days: 365}"
    assert answer("{name: nausea, condition: {concepts: [102]}}", near, fill=fill)["cml"] == ("not_met", "note_negated")
    assert answer("{name: nausea, condition: {concepts: [102]}}", CML, fill=fill)["cml"] == ("met", "note_affirmed")


def test_absence_is_taken_from_silence_only_where_the_study_says_so_and_the_person_was_observed() -> None:
    age = "{name: old, age: {at_least: 60}}"
    assert answer(age, NO_CML)["cml"] == ("unknown", "no_record")
    assert answer(age, CLOSED)["cml"] == ("met", "no_record_under_observation")

    def unobserved(warehouse: Warehouse) -> None:
        warehouse.connection.execute("delete from stg_omop__observation_period")

    assert answer(age, CLOSED, fill=unobserved)["cml"] == ("unknown", "no_record")
    # a possible diagnosis is no silence
    assert answer(age, CLOSED, fill=lambda w: said(w, "possible"))["cml"] == ("unknown", "note_possible")


@pytest.mark.parametrize(("at_least", "status"), [(63, "met"), (64, "not_met")])
def test_ages_are_completed_years(at_least: int, status: str) -> None:
    # born 1960-07-01: 63 on 2024-06-30, 64 the day after
    assert answer(f"{{name: old, age: {{at_least: {at_least}}}}}") == {"old": (status, "date_of_birth")}


def measured(value: float | None, unit: int | None, date: str = "2024-06-01", source: str | None = None) -> Any:
    def fill(warehouse: Warehouse) -> None:
        row = {"measurement_concept_id": 200, "person_id": 1, "unit_concept_id": unit, "unit_source_value": source}
        warehouse.add(
            "stg_omop__measurement",
            {
                **row,
                "measurement_id": 1,
                "measurement_date": day("2023-01-01"),
                "value_as_number": 50.0,
                "unit_concept_id": 8554,
            },
        )
        warehouse.add(
            "stg_omop__measurement",
            {**row, "measurement_id": 2, "measurement_date": day(date), "value_as_number": value},
        )

    return fill


@pytest.mark.parametrize(
    ("fill", "expected"),
    [
        (measured(0.1, 8554), ("met", "latest_value")),
        (measured(0.11, 8554), ("not_met", "latest_value")),
        (measured(0.05, None, source="PERCENT"), ("unknown", "other_unit")),
        (measured(0.05, None, source="%"), ("met", "latest_value")),
        (measured(0.05, None), ("unknown", "other_unit")),
        (measured(None, 8554), ("not_met", "latest_value")),  # the latest number is the old one
        (measured(0.05, 8554, date="2024-07-01"), ("not_met", "latest_value")),  # after the day of matching
    ],
)
def test_the_latest_value_in_its_own_unit_decides(fill: Any, expected: tuple[str, str]) -> None:
    assert answer(LAB, fill=fill)["lab"] == expected


def test_a_field_of_notes_is_unknown_where_no_note_speaks_of_it() -> None:
    field = "{name: bmt, kind: exclusion, note_field: bmt}"
    row = {
        "note_id": 3,
        "note_sha256": SHA,
        "batch": "b1",
        "person_id": 1,
        "field": "bmt",
        "evidence_start": 2,
        "evidence_end": 4,
    }

    def labelled(value: bool, mentioned: bool, assertion: str | None) -> Any:
        def fill(warehouse: Warehouse) -> None:
            warehouse.note(3, 1, "2024-03-01")
            warehouse.add("lake_labels_regex", row | {"value": value, "mentioned": mentioned, "assertion": assertion})

        return fill

    assert answer("{name: woman, sex: female}", field, fill=labelled(False, False, None))["bmt"] == (
        "unknown",
        "not_mentioned",
    )
    assert answer(SEX, field, fill=labelled(False, True, "negated"))["bmt"] == ("met", "latest_note_negated")
    assert answer(SEX, field, fill=labelled(False, True, "possible"))["bmt"] == ("unknown", "latest_note_possible")
    found = matched(SEX, field, fill=labelled(True, True, "affirmed"))
    assert found.rows(
        "select status, note_id, note_start, note_end from app_trial_criteria where criterion = 'bmt'"
    ) == [("not_met", 3, 2, 4)]


def test_verdicts_and_candidates() -> None:
    def fill(warehouse: Warehouse) -> None:
        condition(warehouse, 100, "2023-01-01")
        warehouse.add("stg_omop__person", {"person_id": 2, "gender_concept_id": 8507})

    lacking = "{name: drug, drug: {concepts: [1]}}"
    found = matched(CML, SEX, lacking, fill=fill)
    # person 2 has nothing that the trial wants: no candidate
    assert found.rows("select person_id, verdict, n_met, not_met, unknown from app_trial_matches") == [
        (1, "to_be_clarified", 2, "", "drug")
    ]
    assert matched(CML, SEX, fill=fill).rows("select verdict from app_trial_matches") == [("eligible",)]
    assert matched(CML, "{name: man, sex: male}", lacking, fill=fill).rows(
        "select verdict, not_met from app_trial_matches"
    ) == [("not_eligible", "man")]


@pytest.mark.parametrize(("died", "n"), [("2024-06-29", 0), ("2024-06-30", 1)])
def test_who_died_before_the_day_of_matching_is_no_candidate(died: str, n: int) -> None:
    def fill(warehouse: Warehouse) -> None:
        condition(warehouse, 100, "2023-01-01")
        warehouse.add("stg_omop__death", {"person_id": 1, "death_date": day(died)})

    assert matched(CML, fill=fill).rows("select count(*) from app_trial_matches") == [(n,)]


def test_unknown_concepts_units_and_fields_are_problems_and_make_the_criterion_unknown() -> None:
    asked = (
        SEX,
        "{name: who, kind: exclusion, condition: {concepts: [999]}, no_record_means: absent}",
        "{name: lab, lab: {concepts: [200], comparator: '<', value: 1, unit: furlong}}",
        "{name: field, note_field: hair_colour}",
    )
    found = matched("{name: old, age: {at_least: 1}}", *asked, fill=measured(0.5, 8554))
    assert [row[0] for row in found.rows("select criterion from app_trial_problems order by criterion")] == [
        "field",
        "lab",
        "who",
    ]
    reasons = dict(
        found.rows("select criterion, status from app_trial_criteria where reason = 'criterion_has_a_problem'")
    )
    assert reasons == {"who": "unknown", "lab": "unknown", "field": "unknown"}
