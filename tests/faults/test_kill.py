"""Killed with SIGKILL at every named place and run again, the result is that of a run that was never killed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

from clinical_assets.storage.contracts import LAKE_TABLES, VOLATILE
from clinical_assets.storage.failpoints import FAILPOINTS
from clinical_assets.storage.lake import Lake
from tests.hospital import CML, NONE, Hospital, note

ROOT = Path(__file__).resolve().parents[2]

# lake.* are passed at every write: the first is a zero-row file of a declared table, later ones are data.
PLACES = [
    # test_kill_model_labels, test_kill_lora, test_kill_entities, test_kill_entity_model, test_kill_prediction, unit/embeddings/test_vectors,
    # unit/risk/test_resuming and unit/entities/test_relation_model have the others
    *(
        name
        for name in FAILPOINTS
        if not name.startswith(
            (
                *("model_labels.", "written_summaries.", "lora.", "embeddings.", "risk."),
                *("entities.", "entity_model.", "model_folder.", "content_folder."),
            )
        )
    ),
    *(f"{name}:{visit}" for name in FAILPOINTS if name.startswith("lake.") for visit in (3, 8, 10, 11)),
]


def work(data: Path, failpoint: str = "") -> int:
    environment = {**os.environ, "CLINICAL_FAILPOINT": failpoint}
    return subprocess.run(
        [sys.executable, "-m", "tests.faults.worker", str(data), "b1"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        check=False,
    ).returncode


def state(data: Path) -> dict[str, object]:
    """Everything a reader could see: rows of every lake table and of the warehouse, without times of making."""
    lake, found = Lake(data / "lake"), {}
    for table in LAKE_TABLES:
        rows = lake.read_all(table)
        found[table] = rows.drop_columns([name for name in rows.column_names if name in VOLATILE]).to_pylist()
    path = data / "warehouse" / "clinical.duckdb"
    if path.exists():
        with duckdb.connect(str(path), read_only=True) as connection:
            for table in ("labels", "notes"):
                found[f"warehouse {table}"] = connection.execute(f"from {table} order by all").fetchall()
    return found


@pytest.fixture(scope="module")
def versions(tmp_path_factory) -> tuple[Path, Path]:
    """A data folder with the first version of a batch worked up, and the same with the corrected version worked up."""
    folder = tmp_path_factory.mktemp("kill")
    hospital = Hospital(folder / "old")
    hospital.land("b1", note(1, 1, CML), note(2, 2, NONE), note(9, 99, NONE))
    assert work(hospital.data) == 0
    shutil.copytree(hospital.data, folder / "new")
    new = Hospital.__new__(Hospital)
    new.data, new.notes = folder / "new", folder / "new" / "landing" / "notes"
    new.land("b1", note(1, 1, NONE), note(2, 2, NONE), note(3, 3, CML))
    assert work(new.data) == 0
    assert state(hospital.data) != state(new.data)
    return hospital.data, new.data


@pytest.mark.parametrize("place", PLACES)
def test_a_killed_correction_run_again_equals_one_that_was_never_killed(versions, tmp_path: Path, place: str) -> None:
    old, new = versions
    data = tmp_path / "data"
    shutil.copytree(old, data)
    shutil.copyfile(new / "landing" / "notes" / "b1.jsonl", data / "landing" / "notes" / "b1.jsonl")
    code = work(data, place)
    if ":" not in place and not place.startswith("lake."):
        assert code == -signal.SIGKILL, "the failpoint was not reached"
    for path in (data / "lake").rglob("*.parquet"):
        pq.read_table(path, partitioning=None)  # what readers see in between is whole files, old or new
    if (data / "warehouse" / "clinical.duckdb").exists():
        state(data)
    assert work(data) == 0
    assert state(data) == state(new)
    assert not list((data / "work").iterdir())


@pytest.mark.parametrize(
    "place", ["lake.after_temp_write", "lake.before_replace:9", "ingest.after_notes", "warehouse.before_replace"]
)
def test_a_killed_first_run_run_again_equals_one_that_was_never_killed(versions, tmp_path: Path, place: str) -> None:
    _, new = versions
    data = tmp_path / "data"
    shutil.copytree(new / "landing", data / "landing")
    assert work(data, place) == -signal.SIGKILL
    assert not (data / "warehouse" / "clinical.duckdb").exists()
    assert work(data) == 0
    assert state(data) == state(new)
