"""The warehouse build on GiBleed repeated to millions of facts: seconds, peak memory, and how both grow.

    python benchmarks/cohort.py [--facts 250000 1000000 5000000] [--memory 4GB]

GiBleed (2,694 synthetic persons, 37 OMOP tables) is repeated with new person and record ids until it holds the asked
number of facts (conditions, drugs, procedures, measurements, observations, visits). It has no CML, so the persons with a
gastrointestinal bleed are given a CML code on that day and monthly imatinib from a month later: every rule has work to do.
Each size is landed and built as users build it: landing views, `dbt build` with all models and tests, publication.
Beside it stands the least that a warehouse of these tables can cost: copying the landed files into DuckDB as they are.
Printed: rows, seconds, ratio to that copy, peak memory of the dbt process, persons in the cohort, the slowest models.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb

from clinical_assets.cohort.build import dbt_build_arguments, warehouse_build
from clinical_assets.cohort.omop_landing import cdm_tables
from clinical_assets.cohort.parameters import dbt_vars
from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.warehouse import Warehouse
from clinical_assets.study.load import load_study
from resources.dbt import DBT_PROJECT_DIR, dbt_resource, ensure_manifest

ROOT = Path(__file__).resolve().parents[1]
FACTS = {
    "condition_occurrence": "condition_occurrence_id",
    "drug_exposure": "drug_exposure_id",
    "procedure_occurrence": "procedure_occurrence_id",
    "measurement": "measurement_id",
    "observation": "observation_id",
    "visit_occurrence": "visit_occurrence_id",
}
PERSON_TABLES = {
    "person": "person_id",
    "observation_period": "observation_period_id",
    "condition_era": "condition_era_id",
    "drug_era": "drug_era_id",
    **FACTS,
}
VOCABULARY = ("concept", "concept_ancestor", "concept_relationship")
BLEED = (
    "condition_concept_id in (select descendant_concept_id from '{source}/concept_ancestor.parquet' "
    "where ancestor_concept_id = 192671)"
)


def land(source: Path, omop: Path, copies: int) -> int:
    """Write `copies` of GiBleed; return the number of facts."""
    omop.mkdir(parents=True)
    facts = 0
    with duckdb.connect() as connection:
        for table, key in PERSON_TABLES.items():
            renumbered = f"person_id + copy * 10000000 as person_id{'' if key == 'person_id' else f', {key} + copy * 100000000 as {key}'}"
            rows = (
                f"select * replace ({renumbered}) from '{source}/{table}.parquet' cross join range({copies}) as r(copy)"
            )
            names = [row[0] for row in connection.execute(f"describe from '{source}/{table}.parquet'").fetchall()]
            connection.execute(f"create or replace temp view landed as select {', '.join(names)} from ({rows})")
            if table == "condition_occurrence":
                cml = f"select * replace (134603 as condition_concept_id, {key} + 50000000 as {key}) from landed where {BLEED.format(source=source)}"
                connection.execute(f"create or replace temp table more as {cml}")
                connection.execute(
                    "create or replace temp table patients as select person_id, min(condition_start_date) as day from more group by 1"
                )
            if table == "drug_exposure":
                connection.execute(f"""create or replace temp table more as
                    select landed.* replace (patients.person_id as person_id, 1304107 as drug_concept_id, {key} + 50000000 as {key},
                        patients.day + 30 * cast(month as integer) as drug_exposure_start_date,
                        patients.day + 30 * cast(month as integer) + 30 as drug_exposure_end_date)
                    from patients cross join range(1, 13) as m(month) cross join (from landed limit 1) as landed""")
            both = "(from landed union all by name from more)"
            out = both if table in {"condition_occurrence", "drug_exposure"} else "landed"
            connection.execute(f"copy (from {out}) to '{omop}/{table}.parquet'")
            if table in FACTS:
                facts += connection.execute(f"select count(*) from '{omop}/{table}.parquet'").fetchone()[0]
    for table in VOCABULARY:
        shutil.copyfile(source / f"{table}.parquet", omop / f"{table}.parquet")
    return facts


def copy_seconds(omop: Path, target: Path) -> float:
    """The floor: the landed files into a DuckDB file, nothing else."""
    begin = time.perf_counter()
    with duckdb.connect(str(target), config={"threads": 2}) as connection:
        for path in sorted(omop.glob("*.parquet")):
            connection.execute(f"create table {path.stem} as from read_parquet('{path}')")
    return time.perf_counter() - begin


def build(data: Path, memory: str) -> tuple[float, float, dict[str, float], int]:
    """Build and publish; return seconds, peak memory in GB, seconds by model, persons in the cohort."""
    dbt_resource()
    tables = cdm_tables(json.loads(ensure_manifest().read_text(encoding="utf-8")))
    lake = Lake(data / "lake")
    for table, schema in LAKE_TABLES.items():
        lake.declare(table, schema)
    warehouse = Warehouse(data / "warehouse" / "clinical.duckdb", data / "work")
    os.environ["CLINICAL_DBT_MEMORY"] = memory
    begin = time.perf_counter()
    with warehouse_build(
        warehouse, lake, data / "landing" / "omop", tables, dbt_vars(load_study()), run_id="benchmark"
    ) as (work, _):
        command = [sys.executable, "-c", _MEASURED, "dbt", *dbt_build_arguments(dbt_vars(load_study()))]
        command += ["--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)]
        command += ["--target-path", str(work / "target")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stdout[-3000:])
        results = json.loads((work / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    seconds = time.perf_counter() - begin
    peak = int(done.stderr.strip().rsplit("peak_kb=", 1)[1]) / 1e6
    by_model = {result["unique_id"].split(".")[2]: result["execution_time"] for result in results}
    with duckdb.connect(str(warehouse.path), read_only=True) as connection:
        n = connection.execute("select count(*) from cohort.cml_imatinib").fetchone()[0]
    return seconds, peak, by_model, n


# Runs the command and says how much memory it took at most.
_MEASURED = """
import resource, subprocess, sys
code = subprocess.call(sys.argv[1:])
print(f"peak_kb={resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss}", file=sys.stderr)
sys.exit(code)
"""


def main() -> None:
    """Run every size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--facts", type=int, nargs="+", default=[250_000, 1_000_000, 5_000_000])
    parser.add_argument("--memory", default="4GB", help="memory limit of DuckDB inside dbt")
    arguments = parser.parse_args()
    data = Path(os.environ.get("CLINICAL_PUBLIC_DATA", ROOT.parent / "shared" / "data"))
    source = data / "omop" / "gibleed"
    if not source.is_dir():
        raise SystemExit(f"GiBleed is not at {source}; set CLINICAL_PUBLIC_DATA to the folder that holds omop/gibleed")
    with tempfile.TemporaryDirectory() as folder:
        once = land(source, Path(folder) / "once", 1)
        shutil.rmtree(Path(folder) / "once")
        previous: tuple[int, float] | None = None
        print(
            "| facts | persons | seconds | x plain copy | peak GB | cohort | grows as |\n|--:|--:|--:|--:|--:|--:|--:|"
        )
        for wanted in arguments.facts:
            copies = max(1, -(-wanted // once))
            here = Path(folder) / str(copies)
            facts = land(source, here / "landing" / "omop", copies)
            floor = copy_seconds(here / "landing" / "omop", here / "floor.duckdb")
            (here / "floor.duckdb").unlink()
            seconds, peak, by_model, n = build(here, arguments.memory)
            growth = f"rows x{facts / previous[0]:.1f}, time x{seconds / previous[1]:.1f}" if previous else ""
            print(
                f"| {facts:,} | {copies * 2694:,} | {seconds:.1f} | {seconds / floor:.1f} | {peak:.2f} | {n:,} | {growth} |",
                flush=True,
            )
            previous = (facts, seconds)
            slowest = sorted(by_model.items(), key=lambda item: -item[1])[:6]
            print(
                f"<!-- plain copy {floor:.2f} s; slowest: {', '.join(f'{name} {value:.2f} s' for name, value in slowest)} -->",
                flush=True,
            )
            shutil.rmtree(here)


if __name__ == "__main__":
    main()
