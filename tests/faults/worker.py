"""What a crash test runs and kills: intake, labels and a warehouse build of one batch, without Dagster around them."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import duckdb

from clinical_assets.cohort.lake_views import create_lake_views
from clinical_assets.cohort.persons import read_persons
from clinical_assets.labels.batch import label_batch
from clinical_assets.labels.regex_labels import label_identity, label_notes
from clinical_assets.notes.digests import content_digest
from clinical_assets.notes.intake import intake_batch
from clinical_assets.notes.locate import locate_batch
from clinical_assets.notes.store import store_intake
from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.warehouse import Warehouse
from clinical_assets.study.load import load_study

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def main(data: Path, batch: str) -> None:
    """Ingest, label, publish."""
    lake, study, notes = Lake(data / "lake"), load_study(), data / "landing" / "notes"
    for table, schema in LAKE_TABLES.items():
        lake.declare(table, schema)
    path = locate_batch(notes, batch)
    intake = intake_batch(
        path, root=notes, batch=batch, digest=content_digest(path), mapping=study.notes, limits=study.limits,
        persons=read_persons(data / "landing" / "omop"), ingested_at=NOW, guarded=False,
    )  # fmt: skip
    for _ in store_intake(lake, intake, run_id="run"):
        pass
    label = partial(
        label_notes, sections=lake.read("notes/sections", batch), study=study, run_id="run", labelled_at=NOW
    )
    label_batch(lake, "labels/regex", batch, label_identity(study, "regex"), label, print)
    warehouse = Warehouse(data / "warehouse" / "clinical.duckdb", data / "work")
    with (
        warehouse.rewrite("run", finish=["drop schema lake cascade"]) as private,
        duckdb.connect(str(private)) as connection,
    ):
        create_lake_views(connection, lake, LAKE_TABLES)
        connection.execute(
            "create or replace table labels as select * exclude (labelled_at, run_id) from lake.labels_regex"
        )
        connection.execute("create or replace table notes as select * exclude (ingested_at) from lake.notes")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
