"""No text of a note leaves the lake: a word planted in every note is searched in everything that a run leaves behind."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from resources.partitions import NOTE_BATCHES_NAME
from tests.dagster_assets.demo_weights import put
from tests.hospital import CANARY, CML, NONE, note

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_the_canary_is_in_landing_and_lake_notes_and_nowhere_else(hospital, demo_weights, defs, capfd, caplog) -> None:
    put(demo_weights, hospital.data)
    hospital.land(
        "b1",
        note(1, 1, CML),
        note(2, 99, NONE),  # orphan
        note(3, 2, NONE, date=f"{CANARY} no date"),
        {**note(4, 3, NONE), "note_source_value": "Progress Notes", "surprise": CANARY},
        {**note(5, 3, NONE), "note_id": f"id {CANARY}"},
        note(6, 2, f"<html><body>{CANARY}<br>was seen</body></html>"),
    )
    (hospital.notes / "b2.csv").write_text(
        f"note_id,note_text\n1,{CANARY}\n", encoding="utf-8"
    )  # lacks columns: refused whole
    (hospital.notes / "b3.jsonl").write_bytes(
        b'{"note_id": 1, "note_text": "' + CANARY.encode() + b"\xff\xfe"
    )  # cut off, not UTF-8
    annotations = hospital.data / "landing" / "annotations"
    annotations.mkdir()
    task = {
        "data": {"note_id": 1, "text": CML},
        "annotations": [
            {
                "completed_by": 1,
                "result": [{"from_name": "cml_diagnosed", "type": "choices", "value": {"choices": ["true"]}}],
            }
        ],
    }
    (annotations / "project.json").write_text(json.dumps([task]), encoding="utf-8")
    (annotations / "words.csv").write_text(
        f"note_id,text,annotator,field,value\n1,{CANARY},a,cml_diagnosed,{CANARY}\n", encoding="utf-8"
    )
    (annotations / "broken.jsonl").write_text(f'{{"text": "{CANARY}', encoding="utf-8")
    (annotations / "odd.json").write_text(
        json.dumps([{"data": {"note_id": 1}, "annotations": [{"result": CANARY}]}]), encoding="utf-8"
    )
    home = hospital.data.parent / "dagster_home"
    home.mkdir()
    with dg.instance_for_test(temp_dir=str(home)) as instance:
        instance.add_dynamic_partitions(NOTE_BATCHES_NAME, ["b1", "b2", "b3"])
        done = {}
        for batch in ("b1", "b2", "b3"):
            done[batch] = defs.resolve_job_def("materialize_note_batch").execute_in_process(
                instance=instance, partition_key=batch, raise_on_error=False
            )
        built = defs.resolve_job_def("build_warehouse_job").execute_in_process(instance=instance, raise_on_error=False)
        exported = defs.resolve_job_def("export_review_queue").execute_in_process(
            instance=instance, raise_on_error=False
        )
        labelled = defs.resolve_job_def("label_with_demo_models").execute_in_process(
            instance=instance, partition_key="b1", raise_on_error=False
        )
    assert done["b1"].success
    assert labelled.success
    assert not done["b2"].success
    assert built.success
    assert exported.success
    printed = "".join(capfd.readouterr()) + caplog.text
    assert "materialize_note_batch" in printed or "STEP" in printed, "nothing was captured, so nothing was searched"
    assert CANARY not in printed
    allowed = {hospital.notes, hospital.data / "lake" / "notes" / "notes", annotations, hospital.data / "exports"}
    found = [
        path
        for folder in (hospital.data, home)
        for path in folder.rglob("*")
        if path.is_file()
        and CANARY.encode() in path.read_bytes()
        and not any(place in path.parents for place in allowed)
    ]
    assert found == []
    # Compressed pages and SQLite overflow pages hide from a search of bytes: ask the stores too.
    with duckdb.connect(str(hospital.data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        for schema, table in connection.execute("select schema_name, table_name from duckdb_tables()").fetchall():
            assert connection.execute(
                f"select count(*) from {schema}.{table} as t where t::varchar like '%{CANARY}%'"
            ).fetchone() == (0,)
        for path in (hospital.data / "lake").rglob("*.parquet"):
            if path.relative_to(hospital.data / "lake").parts[:2] != ("notes", "notes"):
                assert connection.execute(
                    f"select count(*) from read_parquet('{path}', hive_partitioning = false) as t where t::varchar like '%{CANARY}%'"
                ).fetchone() == (0,)
    for path in home.rglob("*.db"):
        dump = "\n".join(sqlite3.connect(path).iterdump())
        assert CANARY not in dump
    # The search itself finds the canary where it belongs.
    with duckdb.connect() as connection:
        stored = hospital.data / "lake" / "notes" / "notes" / "batch=b1" / "data.parquet"
        assert (
            connection.execute(
                f"select count(*) from read_parquet('{stored}') where text like '%{CANARY}%'"
            ).fetchone()[0]
            >= 3
        )
