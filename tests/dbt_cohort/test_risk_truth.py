"""The risk tables of the demo hospital against its answer key."""

from __future__ import annotations

import duckdb

from clinical_assets.risk.windows import Roles, attrition
from clinical_assets.synthetic.hospital import Hospital, truth_table


def test_every_role_is_that_of_the_answer_key(demo: Hospital, warehouse: duckdb.DuckDBPyConnection) -> None:
    truth = truth_table(demo, "lupus").to_pylist()
    rows = warehouse.sql("select person_id, index_date, role, reason, days_till_outcome from risk.windows").fetchall()
    found = {row[0]: row[1:] for row in rows}
    assert found.keys() == {row["person_id"] for row in truth}
    for row in truth:
        index_date, role, reason, days = found[row["person_id"]]
        assert index_date == row["index_date"]
        assert row["status"] == (role if role != "removed" else f"removed_{reason.split(':')[0]}")
        if role == "case":  # later ones may lie after the end of the data
            assert days == (row["lupus_date"] - index_date).days


def test_attrition_is_that_of_the_roles(warehouse: duckdb.DuckDBPyConnection) -> None:
    found = warehouse.sql("select role, reason from risk.windows").fetchnumpy()
    rows = warehouse.sql("select step, n_before, n_dropped, n_after from risk.attrition order by step_order").fetchall()
    assert rows == [tuple(row.values()) for row in attrition(Roles(found["role"].astype(str), found["reason"].astype(str)))]
    assert rows[0][1] == 250


def test_nothing_on_or_after_the_index_is_a_feature(warehouse: duckdb.DuckDBPyConnection) -> None:
    late = "select count(*) from risk.pre_index_codes join risk.windows using (person_id) where last_date >= index_date"
    assert warehouse.sql(late).fetchall() == [(0,)]
    found = warehouse.sql("select sum(n_records), count(distinct person_id) from risk.pre_index_codes").fetchall()
    facts = " union all ".join(
        f"select f.person_id from omop.{table} f join risk.windows w on w.person_id = f.person_id and f.{date} < w.index_date "
        f"where f.{concept} <> 2000000506"
        for table, date, concept in (
            ("condition_occurrence", "condition_start_date", "condition_concept_id"),
            ("drug_exposure", "drug_exposure_start_date", "drug_concept_id"),
            ("procedure_occurrence", "procedure_date", "procedure_concept_id"),
            ("measurement", "measurement_date", "measurement_concept_id"),
            ("observation", "observation_date", "observation_concept_id"),
        )
    )
    assert found == warehouse.sql(f"select count(*), count(distinct person_id) from ({facts})").fetchall()
