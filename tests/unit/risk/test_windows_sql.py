"""The models of dbt_cohort/models/risk on drawn facts: windows partition, a longer look-back adds nobody, features end before the index."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import duckdb
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.macros import risk_model

DAY0 = dt.date(2010, 1, 1)
TABLES = {
    "condition_occurrence": ("condition", "condition_concept_id", "condition_start_date", "condition_source_value"),
    "drug_exposure": ("drug", "drug_concept_id", "drug_exposure_start_date", "drug_source_value"),
    "procedure_occurrence": ("procedure", "procedure_concept_id", "procedure_date", "procedure_source_value"),
    "measurement": ("measurement", "measurement_concept_id", "measurement_date", "measurement_source_value"),
    "observation": ("observation", "observation_concept_id", "observation_date", "observation_source_value"),
}
INDEX, OUTCOME, CANCER, GENES = 1, 2, 3, 4
# tables 3 and 4 have values; 5 is any other concept
fact = st.tuples(st.integers(0, 4), st.integers(1, 3), st.sampled_from([1, 1, 2, 3, 4, 5, 5, 6]), st.integers(-40, 40))


def built(facts: list[tuple[int, int, int, int]], look_back: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    for i, (name, (_, concept, date, source)) in enumerate(TABLES.items()):
        own = [row for row in facts if row[0] == i]
        columns = {
            "person_id": pa.array([row[1] for row in own], pa.int64()),
            concept: pa.array([row[2] for row in own], pa.int64()),
            date: pa.array([DAY0 + dt.timedelta(row[3]) for row in own], pa.date32()),
            source: pa.array([None] * len(own), pa.string()),
        }
        if i > 2:
            columns["value_as_number"] = pa.array([float(row[3]) for row in own], pa.float64())
            columns["value_as_concept_id"] = pa.array([None] * len(own), pa.int64())
        connection.register("rows", pa.table(columns))
        connection.execute(f"create table stg_omop__{name} as from rows")
        connection.unregister("rows")
    connection.execute(
        "create table stg_omop__person as select range as person_id, date '1970-01-01' as birth_date, 8532 as gender_concept_id, "
        "0 as race_concept_id, 0 as ethnicity_concept_id, 1 as care_site_id from range(4)"
    )
    connection.execute(
        "create table stg_omop__concept as select range as concept_id, 'c' || range as concept_name from range(7)"
    )
    connection.execute(
        "create table stg_omop__concept_ancestor (ancestor_concept_id bigint, descendant_concept_id bigint)"
    )
    parameters = {
        "risk_concepts": [
            ["index", "index", INDEX, True, None], ["outcome", "outcome", OUTCOME, True, None],
            ["exclusion", "cancer", CANCER, True, None], ["genetic_score", "genetic_score", GENES, True, None],
        ],
        "risk_look_back_days": look_back, "risk_buffer_days": 3, "risk_follow_up_days": 20, "risk_age_above": 15, "risk_age_up_to": 85,
        "risk_exclusions": "pre_index_only",
    }  # fmt: skip
    for name in ("risk_concepts", "risk_events", "risk_windows", "risk_attrition", "risk_pre_index_codes"):
        connection.execute(f"create table {name} as {risk_model(name, parameters)}")
    return connection


@settings(max_examples=12, deadline=None)
@given(st.lists(fact, max_size=25), st.integers(0, 20), st.integers(1, 30))
def test_windows_and_features_of_drawn_facts(facts, look_back, more) -> None:
    index = {p: min(row[3] for row in facts if row[1] == p and row[2] == INDEX)
             for p in {row[1] for row in facts if row[2] == INDEX}}  # fmt: skip
    with built(facts, look_back) as connection:
        rows = connection.sql("select person_id, role, reason, index_date from risk_windows").fetchall()
        # everybody with the index event once, in one role
        assert sorted(row[0] for row in rows) == sorted(index)
        assert {row[1] for row in rows} <= {"case", "control", "removed"}
        assert {row[0]: (row[3] - DAY0).days for row in rows} == index
        steps = connection.sql("select n_before, n_dropped, n_after from risk_attrition order by step_order").fetchall()
        assert steps[0][0] == len(rows)
        assert all(before - dropped == after for before, dropped, after in steps)
        assert steps[-1][2] == sum(row[1] != "removed" for row in rows)
        # an exclusion on or after the index is none
        for person, _, reason, _ in rows:
            if reason == "exclusion:cancer":
                assert any(row[1:3] == (person, CANCER) and row[3] < index[person] for row in facts)
        # what features count: every record strictly before the index, and nothing else
        names = [domain for domain, *_ in TABLES.values()]
        before = Counter((p, names[t], c) for t, p, c, day in facts if p in index and day < index[p] and c != GENES)
        found = connection.sql(
            "select person_id, domain, concept_id, n_records, last_date from risk_pre_index_codes"
        ).fetchall()
        assert {tuple(row[:3]): row[3] for row in found} == dict(before)
        assert all((row[4] - DAY0).days < index[row[0]] for row in found)
    kept = {row[0]: row[1] for row in rows if row[1] != "removed"}
    with built(facts, look_back + more) as connection:
        stricter = dict(connection.sql("select person_id, role from risk_windows where role <> 'removed'").fetchall())
    assert stricter.items() <= kept.items()  # a longer look-back adds nobody and changes nobody's role
