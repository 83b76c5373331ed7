"""The demo hospital taken in, labelled and built by dbt once, without Dagster: what the tables say, read-only."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb
import pytest

from clinical_assets.annotations.store import update_annotations
from clinical_assets.cohort.build import dbt_build_arguments, warehouse_build
from clinical_assets.cohort.omop_landing import cdm_tables
from clinical_assets.cohort.parameters import dbt_vars
from clinical_assets.cohort.persons import read_persons
from clinical_assets.entities.batch import extract_batch
from clinical_assets.entities.choice import choose_extractor
from clinical_assets.entities.concepts import Vocabulary
from clinical_assets.entities.linker import Linker
from clinical_assets.labels.batch import label_batch
from clinical_assets.labels.regex_labels import label_identity, label_notes, label_notes_seed
from clinical_assets.notes.digests import content_digest
from clinical_assets.notes.intake import intake_batch
from clinical_assets.notes.locate import locate_batch
from clinical_assets.notes.store import store_intake
from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.warehouse import Warehouse
from clinical_assets.study.load import load_study
from clinical_assets.study.model import Study
from clinical_assets.synthetic import HospitalConfig, build_hospital
from clinical_assets.synthetic.application_inputs import write_application_inputs
from clinical_assets.synthetic.hospital import Hospital
from clinical_assets.synthetic.write import write_landing

NOW = datetime(2025, 7, 1, tzinfo=UTC)


def take_in(data: Path, study: Study, *, labels: bool = True) -> None:
    """Ingest every landed batch into the lake and label it by rules."""
    lake, notes = Lake(data / "lake"), data / "landing" / "notes"
    for table, schema in LAKE_TABLES.items():
        lake.declare(table, schema)
    persons = read_persons(data / "landing" / "omop")
    for landed in sorted(notes.iterdir()):
        batch = landed.name.split(".")[0]
        path = locate_batch(notes, batch)
        intake = intake_batch(
            path, root=notes, batch=batch, digest=content_digest(path), mapping=study.notes, limits=study.limits,
            persons=persons, ingested_at=NOW, guarded=False,
        )  # fmt: skip
        for _ in store_intake(lake, intake, run_id="run"):
            pass
        if labels:
            label = partial(
                label_notes, sections=lake.read("notes/sections", batch), study=study, run_id="run", labelled_at=NOW
            )
            label_batch(lake, "labels/regex", batch, label_identity(study, "regex"), label, lambda _: None)
            seed = partial(label_notes_seed, study=study, run_id="run", labelled_at=NOW)
            label_batch(lake, "labels/regex_seed", batch, label_identity(study, "regex_seed"), seed, lambda _: None)
    if labels:
        read_mentions(data, study)
    update_annotations(lake, data / "landing" / "annotations", study, set(), now=NOW)


def read_mentions(data: Path, study: Study) -> None:
    """Find mentions in one batch by names, without a vocabulary."""
    lake, none = Lake(data / "lake"), Vocabulary({}, ())
    by_names = study.model_copy(update={"entities": study.entities.model_copy(update={"extractor": "gazetteer"})})
    chosen = choose_extractor(by_names, none, data / "models")
    batch = lake.batches("notes/notes")[-1]
    extract_batch(lake, chosen, Linker(none, data / "models"), by_names, batch, None, run_id="run", extracted_at=NOW)


def dbt_build(data: Path, study: Study) -> dict[str, str]:
    """Build and publish the warehouse; return the status of every dbt node by name."""
    from resources.dbt import DBT_PROJECT_DIR, dbt_resource, ensure_manifest

    dbt_resource()  # puts dbt on the path
    tables = cdm_tables(json.loads(ensure_manifest().read_text(encoding="utf-8")))
    warehouse = Warehouse(data / "warehouse" / "clinical.duckdb", data / "work")
    with warehouse_build(
        warehouse, Lake(data / "lake"), data / "landing" / "omop", tables, dbt_vars(study), run_id="run"
    ) as (work, _):
        command = ["dbt", *dbt_build_arguments(dbt_vars(study)), "--target-path", str(work / "target")]
        command += ["--project-dir", str(DBT_PROJECT_DIR), "--profiles-dir", str(DBT_PROJECT_DIR)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-4000:]
        results = json.loads((work / "target" / "run_results.json").read_text(encoding="utf-8"))["results"]
    return {result["unique_id"].split(".")[2]: result["status"] for result in results}


@pytest.fixture(scope="session")
def demo() -> Hospital:
    return build_hospital(HospitalConfig())


@pytest.fixture(scope="session")
def demo_build(demo: Hospital, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The data folder and dbt's results."""
    data, study = tmp_path_factory.mktemp("demo"), load_study()
    write_landing(demo, data / "landing")
    write_application_inputs(data / "landing")
    take_in(data, study)
    return data, dbt_build(data, study)


@pytest.fixture
def warehouse(demo_build: tuple[Path, dict[str, str]]) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(str(demo_build[0] / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        yield connection
