"""The applications on the demo hospital: what was planted is found, what is shown is not small, what decided is what the tables say."""

from __future__ import annotations

import pytest

from clinical_assets.entities.applications.checks import SHOWN_COUNTS

pytestmark = pytest.mark.slow

K = 11


@pytest.mark.parametrize("table", SHOWN_COUNTS)
def test_no_shown_count_is_small(warehouse, table: str) -> None:
    columns = warehouse.execute(
        "select column_name from duckdb_columns() where schema_name = 'applications' and table_name = ? and column_name like 'n\\_%' escape '\\' "
        "and column_name not in ('n_records', 'n_sentences')",
        [table],
    ).fetchall()
    assert {name for (name,) in columns} == set(SHOWN_COUNTS[table])
    small = " or ".join(f"{name} between 1 and {K - 1}" for (name,) in columns)
    assert warehouse.execute(f"select count(*) from applications.{table} where {small}").fetchall() == [(0,)]


def test_every_person_and_concept_of_the_tables_is_on_the_list(warehouse) -> None:
    missing = warehouse.execute("""
        select count(*) from (
            select distinct person_id, condition_concept_id as concept_id from omop.condition_occurrence where condition_concept_id <> 0
            except
            select person_id, concept_id from applications.patient_lists where domain = 'condition' and n_records > 0
        )
    """).fetchall()
    assert missing == [(0,)]
    records = warehouse.execute("select sum(n_records) from applications.patient_lists where domain = 'condition'").fetchall()
    assert records == warehouse.execute("select count(*) from omop.condition_occurrence").fetchall()


def test_the_nausea_that_the_generator_gives_with_imatinib_is_flagged(warehouse) -> None:
    found = warehouse.execute("""
        select a, is_flagged from applications.drug_event_pairs
        where source = 'structured' and drug_name = 'imatinib' and event_name = 'Nausea'
    """).fetchall()
    assert found[0][0] >= 20
    assert found[0][1]
    totals = warehouse.execute("select count(distinct a + b + c + d) from applications.drug_event_pairs where source = 'structured'").fetchall()
    assert totals == [(1,)]


def test_sequences_and_prevalence_are_of_everybody_concerned(warehouse) -> None:
    with_cml = warehouse.execute("""
        select count(distinct person_id) from omop.condition_occurrence
        where condition_concept_id in (select descendant_concept_id from omop.concept_ancestor where ancestor_concept_id = 134603)
    """).fetchall()
    assert warehouse.execute("select count(*) from applications.treatment_lines where treatment = 'cml'").fetchall() == with_cml
    assert warehouse.execute("select n_persons from applications.treatment_sequences where sequence = 'all'").fetchall() == with_cml
    bad = warehouse.execute("select count(*) from applications.prevalence where percent not between percent_low and percent_high").fetchall()
    assert bad == [(0,)]


def test_the_demo_trial_has_no_problem_and_every_value_that_decided_is_in_the_table(warehouse) -> None:
    assert warehouse.execute("from applications.trial_problems").fetchall() == []
    verdicts = dict(warehouse.execute("select verdict, count(*) from applications.trial_matches group by all").fetchall())
    assert set(verdicts) == {"eligible", "to_be_clarified", "not_eligible"}
    wrong = warehouse.execute("""
        select count(*) from applications.trial_criteria as asked
        left join omop.measurement as measured on measured.measurement_id = asked.fact_id and measured.person_id = asked.person_id
        where asked.reason = 'latest_value'
            and (measured.value_as_number is distinct from asked.fact_value or (asked.status = 'met') <> (asked.fact_value <= 0.1))
    """).fetchall()
    assert wrong == [(0,)]
    silent = warehouse.execute("select count(*) from applications.trial_criteria where status = 'not_met' and reason like 'no_record'").fetchall()
    assert silent == [(0,)]


def test_label_findings_have_both_pieces_of_evidence(warehouse) -> None:
    assert warehouse.execute("select distinct status from applications.drug_labels").fetchall() == [("used",)]
    found = warehouse.execute("""
        select finding, count(*), count(*) filter (drug_last_record is null and drug_note_id is null),
            count(*) filter (condition_last_record is null and condition_note_id is null)
        from applications.drug_label_findings group by all order by all
    """).fetchall()
    assert found[0][0] == "contraindicated"
    assert found[0][2:] == (0, 0)
    costs = warehouse.execute("select count(*) from applications.treatment_patterns where total_cost is null and cost_reason is null").fetchall()
    assert costs == [(0,)]
