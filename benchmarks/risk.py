"""Windows of a risk question over millions of facts, and the whole ablation matrix of the demo: seconds and peak memory.

    python benchmarks/risk.py [--facts 5000000] [--memory 1GB] [--matrix WAREHOUSE]

The facts are drawn in DuckDB (persons with 100 records each in five fact tables, every tenth person with an index event), landed as
Parquet, and the SQL of dbt_cohort/models/risk is run on them as it stands, with DuckDB's memory limited. With `--matrix` the full
matrix (six feature sets, five learners, 5 folds) is run on the warehouse of a demo, e.g. data/warehouse/clinical.duckdb.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
import time
from pathlib import Path

import duckdb

from clinical_assets.risk.question import ask, cohort_rows
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.risk_contracts import RISK_COHORT
from clinical_assets.study.load import load_study
from tests.macros import risk_model

DBT = Path(__file__).resolve().parents[1] / "dbt_cohort"
TABLES = {
    "condition_occurrence": ("condition_concept_id", "condition_start_date", "condition_source_value"),
    "drug_exposure": ("drug_concept_id", "drug_exposure_start_date", "drug_source_value"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date", "procedure_source_value"),
    "measurement": ("measurement_concept_id", "measurement_date", "measurement_source_value"),
    "observation": ("observation_concept_id", "observation_date", "observation_source_value"),
}
INDEX, OUTCOME = 9_000_001, 9_000_002
PARAMETERS = {
    "risk_concepts": [["index", "index", INDEX, True, None], ["outcome", "outcome", OUTCOME, True, None]],
    "risk_look_back_days": 730, "risk_buffer_days": 180, "risk_follow_up_days": 1825, "risk_age_above": 15, "risk_age_up_to": 85,
    "risk_exclusions": "pre_index_only",
}  # fmt: skip


def land(connection: duckdb.DuckDBPyConnection, folder: Path, n_facts: int) -> None:
    n_persons, per_table = n_facts // 100, n_facts // len(TABLES)
    for number, (table, (concept, date, source)) in enumerate(TABLES.items()):
        extra = ", cast(null as bigint) as value_as_concept_id, random() * 10 as value_as_number" if number > 2 else ""
        path = folder / f"stg_omop__{table}.parquet"
        connection.execute(f"""
            copy (select cast(random() * {n_persons} as bigint) as person_id,
                         case when {number} = 3 and random() < 0.005 then {INDEX} when {number} = 0 and random() < 0.005 then {OUTCOME}
                              else cast(power(random(), 3) * 5000 as bigint) end as {concept},
                         date '2005-01-01' + cast(random() * 7300 as integer) as {date},
                         'I21.' || cast(random() * 9 as integer) as {source}{extra}
                  from range({per_table})) to '{path}' (format parquet)""")
        connection.execute(f"create view stg_omop__{table} as from read_parquet('{path}')")
    connection.execute(f"""
        create view stg_omop__person as select range as person_id, date '1960-01-01' + cast(range % 9000 as integer) as birth_date,
        8532 as gender_concept_id, 8527 as race_concept_id, 0 as ethnicity_concept_id, range % 3 as care_site_id from range({n_persons})""")
    connection.execute(
        "create view stg_omop__concept as select range as concept_id, 'concept ' || range as concept_name from range(5001)"
    )
    connection.execute(
        "create table stg_omop__concept_ancestor (ancestor_concept_id bigint, descendant_concept_id bigint)"
    )
    connection.execute(f"create view charlson_codes as from read_csv('{DBT}/seeds/charlson_codes.csv')")


def windows(n_facts: int, memory: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        connection = duckdb.connect(f"{folder}/risk.duckdb")
        connection.execute("set threads = 2; select setseed(0.5)")
        land(connection, Path(folder), n_facts)
        connection.execute(f"set memory_limit = '{memory}'; set temp_directory = '{folder}/temp'")
        before, began = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.monotonic()
        for name in (
            "risk_concepts",
            "risk_events",
            "risk_windows",
            "risk_attrition",
            "risk_pre_index_codes",
            "risk_charlson",
        ):
            started = time.monotonic()
            connection.execute(f"create table {name} as {risk_model(name, PARAMETERS)}")
            n = connection.sql(f"select count(*) from {name}").fetchall()[0][0]
            print(f"  {name:24} {n:>10,} rows  {time.monotonic() - started:6.1f} s", flush=True)
        print(f"{n_facts:,} facts, memory limit {memory}: {time.monotonic() - began:.1f} s, peak of the process "
              f"{resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB ({before / 1024:.0f} MB before)")  # fmt: skip
        print(connection.sql("select role, count(*) as n from risk_windows group by role order by role"))


def matrix(warehouse: str) -> None:
    from clinical_assets.progress import Progress
    from clinical_assets.risk.candidates import candidates
    from clinical_assets.risk.experiments import run_matrix
    from clinical_assets.risk.features import TFIDF
    from clinical_assets.risk.splits import repeated_folds
    from clinical_assets.study.risk import FEATURE_SETS, LEARNERS, RiskModels

    study = load_study()
    assert study.risk is not None
    with tempfile.TemporaryDirectory() as folder, duckdb.connect(warehouse, read_only=True) as connection:
        lake = Lake(folder)
        lake.write("risk/cohort", cohort_rows(connection, study.risk), RISK_COHORT)
        asked = ask(connection, lake, study.risk)
    rows = asked.labelled
    features, y = asked.features.rows(rows), asked.is_case[rows]
    settings = RiskModels(feature_sets=list(FEATURE_SETS), learners=list(LEARNERS))
    cells = candidates(settings, [TFIDF])
    splits = repeated_folds(y, features.persons, folds=5, repeats=1, seed=settings.seed)
    began, cpu = time.monotonic(), time.process_time()
    parts = run_matrix(
        cells,
        features,
        y,
        splits,
        settings,
        done=Progress("fits", len(cells) * len(splits), lambda line: print(line.split(";")[0], flush=True)).add,
    )
    print(f"{len(cells)} models x {len(splits)} splits ({len(parts)} fits) on {y.size} persons, {int(y.sum())} cases: "
          f"{time.monotonic() - began:.1f} s, {time.process_time() - cpu:.1f} s of processor time")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--facts", type=int, default=5_000_000)
    parser.add_argument("--memory", default="1GB")
    parser.add_argument("--matrix")
    arguments = parser.parse_args()
    windows(arguments.facts, arguments.memory)
    if arguments.matrix:
        matrix(arguments.matrix)


if __name__ == "__main__":
    main()
