"""OHDSI circe-be's own fixtures: its prepared rows in, its expected cohort rows out, through the cohort macros.

The definitions of some cases are made in circe's Java tests and are not in the fixtures; where that is so, the reading here
is the one that the expected rows admit, and says so. NOT_COVERED names what the macros do not do.
"""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import pytest

from tests.macros import macro

NOT_COVERED = {
    "allCriteria/allCriteriaExpression.json": "has no expected rows: circe only checks that its SQL parses; features include "
    "user-defined periods, provider specialties, dose eras and text filters, which the study does not use",
    "../conceptset/inClause_VERIFY.json": "about cutting long IN lists into pieces, a matter of generated SQL text",
    "../conceptset/dupilumabExpression.json, dupixentExpression.json": "input of circe's JSON comparison, no rows expected",
    "inclusionRules: cohort_inclusion_result": "circe's bit masks; here person_rules says the same by name (checked by counts below)",
}

# name in circe -> event id, concept, start, end
TABLES = {
    "condition_era": ("condition_era_id", "condition_concept_id", "condition_era_start_date"),
    "condition_occurrence": ("condition_occurrence_id", "condition_concept_id", "condition_start_date"),
    "device_exposure": ("device_exposure_id", "device_concept_id", "device_exposure_start_date"),
    "drug_era": ("drug_era_id", "drug_concept_id", "drug_era_start_date"),
    "drug_exposure": ("drug_exposure_id", "drug_concept_id", "drug_exposure_start_date"),
    "measurement": ("measurement_id", "measurement_concept_id", "measurement_date"),
    "observation": ("observation_id", "observation_concept_id", "observation_date"),
    "procedure_occurrence": ("procedure_occurrence_id", "procedure_concept_id", "procedure_date"),
    "specimen": ("specimen_id", "specimen_concept_id", "specimen_date"),
    "visit_occurrence": ("visit_occurrence_id", "visit_concept_id", "visit_start_date"),
}


@pytest.fixture(scope="module")
def fixtures(public_data: Path) -> Path:
    return public_data / "fixtures" / "circe-be"


class Case:
    """One prepared database: tables `cdm_<name>`, the vocabulary, and observation periods as the macros want them."""

    def __init__(self, fixtures: Path, name: str) -> None:
        self.folder = fixtures / "cohortgeneration"
        self.connection = duckdb.connect()
        prepared = json.loads((self.folder / f"{name}_PREP.json").read_text())
        vocabulary = json.loads((fixtures / "datasets" / "vocabulary.json").read_text())
        for table, rows in {**prepared, **vocabulary}.items():
            columns = sorted({key for row in rows for key in row})
            kind = {key: "date" if key.endswith("_date") else "varchar" if "name" in key or ("_id" in key and not key.endswith("_concept_id") and "concept" not in key and table == "cdm.concept") else None for key in columns}  # fmt: skip
            typed = ", ".join(
                f"{key} {kind[key] or ('timestamp' if key.endswith('datetime') else 'varchar' if isinstance(rows[0].get(key), str) else 'bigint')}"
                for key in columns
            )
            self.connection.execute(f"create table {table.replace('.', '_')} ({typed})")
            self.connection.executemany(
                f"insert into {table.replace('.', '_')} values ({', '.join('?' * len(columns))})",
                [[row.get(key) for key in columns] for row in rows],
            )
        self.connection.execute(
            "create view periods as select person_id, observation_period_start_date as op_start, "
            "observation_period_end_date as op_end from cdm_observation_period"
        )
        verified = json.loads((self.folder / f"{name}_VERIFY.json").read_text())
        self.expected = next(rows for table, rows in verified.items() if table.endswith(".cohort"))
        self.other = {t: rows for t, rows in verified.items() if not t.endswith(".cohort")}

    def events(self, table: str, ancestor: int = 1, where: str = "true", first: bool = False) -> str:
        """Events of the concepts under `ancestor`; `first` keeps each person's first ever, as circe's First does."""
        key, concept, start = TABLES[table]
        end = start.replace("start", "end")
        columns = [row[0] for row in self.connection.execute(f"describe cdm_{table}").fetchall()]
        kept = "qualify row_number() over (partition by person_id order by start_date, event_id) = 1" if first else ""
        return (
            f"(select person_id, {key} as event_id, {start} as start_date, {end if end in columns else start} as end_date "
            f"from cdm_{table} where {where} and {concept} in (select descendant_concept_id from cdm_concept_ancestor "
            f"where ancestor_concept_id = {ancestor} union select {ancestor}) {kept})"
        )

    def cohort(self, sql: str) -> set[tuple]:
        """Persons and start dates; the end is that of the observation period, overlapping rows made one by the era macro."""
        self.connection.execute(f"create or replace temp table q as {sql}")
        spans = "(select person_id, start_date, op_end as end_date from q)"
        eras = macro("eras", spans, ["person_id"], 0)
        return {
            tuple(map(str, row))
            for row in self.connection.execute(f"select person_id, start_date, end_date from {eras}").fetchall()
        }

    def meant(self, cohort: int) -> set[tuple]:
        return {
            (str(row["subject_id"]), row["cohort_start_date"], row["cohort_end_date"])
            for row in self.expected
            if row["cohort_definition_id"] == cohort
        }


def test_condition_status(fixtures: Path) -> None:
    # Read from the expected rows: no status asked (1), an empty list of them (2), status 1 (3).
    case = Case(fixtures, "conditionOccurrence/conditionStatusTest")
    for cohort, where in {1: "true", 2: "true", 3: "condition_status_concept_id = 1"}.items():
        found = macro("primary_events", case.events("condition_occurrence", where=where), "periods")
        assert case.cohort(f"select * from {found}") == case.meant(cohort) != set()


@pytest.mark.parametrize(("cohort", "table"), enumerate(
    ["condition_era", "condition_occurrence", "device_exposure", "drug_era", "drug_exposure", "measurement", "observation",
     "procedure_occurrence", "specimen", "visit_occurrence"], start=1))  # fmt: skip
def test_first_occurrence_with_ninety_days_before_it(fixtures: Path, cohort: int, table: str) -> None:
    case = Case(fixtures, "firstOccurrence/firstOccurrenceTest")
    found = macro("primary_events", case.events(table, first=True), "periods", prior_days=90)
    assert case.cohort(f"select * from {found}") == case.meant(cohort) != set()


def test_first_payer_plan_period_has_no_concept_to_ask_for(fixtures: Path) -> None:
    # Cohorts 10 and 11 are visits and payer plan periods: their dates in the fixture are the same.
    case = Case(fixtures, "firstOccurrence/firstOccurrenceTest")
    first = (
        "(select person_id, payer_plan_period_id as event_id, payer_plan_period_start_date as start_date from cdm_payer_plan_period "
        "qualify row_number() over (partition by person_id order by start_date, event_id) = 1)"
    )
    found = macro("primary_events", first, "periods", prior_days=90)
    assert case.cohort(f"select * from {found}") == case.meant(11) != set()


def test_correlated_criteria_by_count(fixtures: Path) -> None:
    case = Case(fixtures, "correlatedCriteria/countsTest")
    primary = macro("primary_events", case.events("condition_occurrence"), "periods", limit="all")
    case.connection.execute(f"create temp table p as select * from {primary}")
    before = macro("count_in_window", "p", case.events("condition_occurrence"), to_days=-1)
    # 3 and 4 (visitExpression): a visit that starts before the index and lasts beyond it.
    around = macro("count_in_window", "p", case.events("visit_occurrence"), to_days=-1, min_end_days=1)
    for cohort, (window, condition) in {
        1: (before, "n = 0"), 2: (before, "n >= 1"), 3: (around, "n = 0"), 4: (around, "n >= 1")
    }.items():  # fmt: skip
        sql = f"select p.* from p inner join {window} as w using (person_id, event_id) where {condition}"
        assert case.cohort(sql) == case.meant(cohort) != set()


def test_groups_of_criteria(fixtures: Path) -> None:
    # ANY, ALL, at most one, at most none, at least two of: drug in 30 days, procedure in 30 days, both in 60 days.
    case = Case(fixtures, "correlatedCriteria/groupTest")
    primary = macro("primary_events", case.events("condition_occurrence"), "periods", limit="all")
    case.connection.execute(f"create temp table p as select * from {primary}")
    windows = {
        name: macro("count_in_window", "p", case.events(table), from_days=-days, to_days=0)
        for name, table, days in [("d30", "drug_exposure", 30), ("p30", "procedure_occurrence", 30),
                                  ("d60", "drug_exposure", 60), ("p60", "procedure_occurrence", 60)]
    }  # fmt: skip
    joins = " ".join(f"inner join {sql} as {name} using (person_id, event_id)" for name, sql in windows.items())
    met = f"select p.*, (d30.n > 0)::int + (p30.n > 0)::int + (d60.n > 0 and p60.n > 0)::int as met from p {joins}"
    for cohort, condition in {1: "met >= 1", 2: "met = 3", 3: "met <= 1", 4: "met <= 0", 5: "met >= 2"}.items():
        assert case.cohort(f"select * from ({met}) where {condition}") == case.meant(cohort)
    assert [len(case.meant(i)) for i in range(1, 6)] == [3, 1, 2, 0, 1]


def test_inclusion_rule_and_who_it_leaves(fixtures: Path) -> None:
    case = Case(fixtures, "inclusionRules/simpleInclusionRule")
    primary = macro("primary_events", case.events("condition_occurrence", 2), "periods")
    case.connection.execute(f"create temp table p as select * from {primary}")
    prior = macro("count_in_window", "p", case.events("condition_occurrence", 3), to_days=-1)
    sql = f"select p.*, n from p inner join {prior} as w using (person_id, event_id)"
    assert case.cohort(f"select * from ({sql}) where n > 0") == case.meant(1) != set()
    counts = case.connection.execute(f"select (n > 0)::int, count(*) from ({sql}) group by all order by 1").fetchall()
    assert counts == [
        (row["inclusion_rule_mask"], row["person_count"])
        for row in sorted(next(iter(case.other.values())), key=lambda row: row["inclusion_rule_mask"])
        if row["mode_id"] == 1
    ]


def test_standard_and_source_concept_sets_together(fixtures: Path) -> None:
    case = Case(fixtures, "mixedConceptsets/mixedConceptsets")
    source = "condition_source_concept_id in (select descendant_concept_id from cdm_concept_ancestor where ancestor_concept_id = 3 union select 3)"
    found = macro("primary_events", case.events("condition_occurrence", 2, where=source), "periods")
    assert case.cohort(f"select * from {found}") == case.meant(1) != set()


def test_every_case_is_run_or_named(fixtures: Path) -> None:
    verified = {
        str(p.relative_to(fixtures / "cohortgeneration"))
        for p in (fixtures / "cohortgeneration").rglob("*_VERIFY.json")
    }
    run = {"conditionOccurrence/conditionStatusTest", "firstOccurrence/firstOccurrenceTest", "correlatedCriteria/countsTest",
           "correlatedCriteria/groupTest", "inclusionRules/simpleInclusionRule", "mixedConceptsets/mixedConceptsets"}  # fmt: skip
    assert verified == {f"{name}_VERIFY.json" for name in run}
    assert all(NOT_COVERED.values())
