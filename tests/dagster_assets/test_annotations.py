"""Human labels through the real graph: files to tables, checks, the export and its way back, and what a new file reruns."""

from __future__ import annotations

import json
import os
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from clinical_assets.annotations.claims import sha256_of
from clinical_assets.storage.contracts import SPLITS
from clinical_assets.storage.lake import Lake
from tests.dagster_assets.builds import build
from tests.dagster_assets.test_automation import Harness
from tests.hospital import CML, NONE, note

FIELD = "cml_diagnosed"


def label(note_id: int, text: str, value: bool, who: str = "anna", field: str = FIELD) -> dict:
    return {"note_id": note_id, "text_sha256": sha256_of(text), "annotator": who, "field": field, "value": value}


def land(hospital, name: str, content: object) -> None:
    folder = hospital.data / "landing" / "annotations"
    folder.mkdir(exist_ok=True)
    (folder / name).write_text(json.dumps(content), encoding="utf-8")
    os.utime(folder / name, (1_700_000_000, 1_700_000_000))


def checks(result) -> dict[str, bool]:
    return {c.check_name: c.passed for c in result.get_asset_check_evaluations()}


def query(hospital, sql: str):
    with duckdb.connect(str(hospital.data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


@pytest.fixture
def landed(hospital, execute):
    hospital.land("b1", note(1, 1, CML), note(2, 2, NONE), note(3, 3, CML + " Signed."))
    execute("materialize_note_batch", "b1")
    land(
        hospital,
        "anna.json",
        [label(1, CML, True), label(2, NONE, False), label(99, "x", True), label(3, "another text", True)],
    )
    land(hospital, "ben.json", [label(1, CML, False, "ben"), label(2, NONE, False, "ben")])
    land(hospital, "seed.json", {"Note 1": {FIELD: True}, "Note 2": {FIELD: False}})
    (hospital.data / "landing" / "annotations" / "entities.parquet").write_bytes(b"of another subject")
    return hospital


def test_files_become_answers_gold_splits_and_checks(landed, execute) -> None:
    done = execute("materialize_annotations")
    lake = Lake(landed.data / "lake")
    rows = (
        lake.read("annotations/human_labels")
        .select(["note_id", "annotator", "value", "version", "source_file"])
        .to_pylist()
    )
    assert [tuple(row.values()) for row in rows] == [
        (1, "anna", True, 1, "anna.json"), (1, "ben", False, 1, "ben.json"), (2, "anna", False, 1, "anna.json"), (2, "ben", False, 1, "ben.json"),
    ]  # fmt: skip
    assert lake.read("annotations/rejects").select(["source_file", "reason", "n"]).to_pylist() == [
        {"source_file": "anna.json", "reason": "text_changed", "n": 1},
        {"source_file": "anna.json", "reason": "unknown_note", "n": 1},
        {"source_file": "seed.json", "reason": "positional", "n": 1},
    ]
    assert lake.read("annotations/adjudicated").select(["note_id", "value", "status"]).to_pylist() == [
        {"note_id": 1, "value": None, "status": "disagreed"}, {"note_id": 2, "value": False, "status": "agreed"},
    ]  # fmt: skip
    assert lake.read("annotations/splits")["note_id"].to_pylist() == [1, 2]
    assert checks(done) == {
        "annotations_were_accepted": False, "every_field_has_both_answers": False, "no_person_or_text_is_in_two_splits": True,
        "no_text_is_nearly_one_of_another_split": True,
    }  # fmt: skip
    refused = next(c for c in done.get_asset_check_evaluations() if c.check_name == "annotations_were_accepted")
    assert refused.metadata["by_reason"].value == {"positional": 1, "text_changed": 1, "unknown_note": 1}
    assert "200 rows" in refused.description

    versions = {
        e.asset_key.to_user_string(): e.materialization.tags["dagster/data_version"]
        for e in done.get_asset_materialization_events()
    }
    again = execute("materialize_annotations")
    assert versions == {
        e.asset_key.to_user_string(): e.materialization.tags["dagster/data_version"]
        for e in again.get_asset_materialization_events()
    }


def test_the_warehouse_shows_them_and_an_adjudicator_settles(landed, instance, tmp_path) -> None:
    from clinical_assets.study.load import DEFAULT_STUDY
    from definitions import build_defs
    from resources.deployment import DeploymentResource

    study = tmp_path / "study.yaml"
    study.write_text(
        DEFAULT_STUDY.read_text(encoding="utf-8")
        + "\nannotations: {adjudicators: [boss], splits: {train: 1, test: 1, seed: 3}}\n",
        encoding="utf-8",
    )
    land(landed, "boss.json", [label(1, CML, True, "boss")])
    defs = build_defs(deployment=DeploymentResource(data=str(landed.data), study=str(study)))
    wanted = ("manual_labels", "annotation_splits", "annotator_agreement", "annotations")
    assert build(defs, instance, *(f"labels/{table}" for table in wanted)).success
    assert query(landed, "select note_id, value, status, n_annotators, adjudication from labels.manual_labels order by 1") == [
        (1, True, "labelled", 3, "adjudicated"), (2, False, "labelled", 2, "agreed"),
    ]  # fmt: skip
    assert {row[0] for row in query(landed, "select split from labels.annotation_splits")} == {"train", "test"}
    assert query(landed, "select annotator_a, annotator_b, n, observed from labels.annotator_agreement order by 1, 2") == [
        ("anna", "ben", 2, 0.5), ("anna", "boss", 1, 1.0), ("ben", "boss", 1, 0.0),
    ]  # fmt: skip
    assert query(
        landed, "select count(*), bool_and(is_current), bool_and(is_current_text) from labels.annotations"
    ) == [(5, True, True)]


def test_a_leak_stops_the_build(landed, execute) -> None:
    execute("materialize_annotations")
    lake = Lake(landed.data / "lake")
    leaking = [
        row | {"split": name, "person_id": 1, "note_id": n}
        for n, name, row in zip((7, 8), ("train", "test"), lake.read("annotations/splits").to_pylist(), strict=True)
    ]
    import pyarrow as pa

    lake.write("annotations/splits", pa.Table.from_pylist(leaking, schema=SPLITS), SPLITS)
    result = execute("build_warehouse_job", raises=False)
    assert not result.success
    assert checks(result)["no_person_or_text_is_in_two_splits"] is False
    assert not (landed.data / "warehouse" / "clinical.duckdb").exists()


def test_the_queue_goes_out_and_the_answers_come_back(landed, defs, instance) -> None:
    build(defs, instance, "labels/review_queue")
    config = {"ops": {"annotations__review_export": {"config": {"format": "label_studio", "n": 5}}}}
    done = defs.resolve_job_def("export_review_queue").execute_in_process(instance=instance, run_config=config)
    shown = {
        name: value.value
        for name, value in done.asset_materializations_for_node("annotations__review_export")[0].metadata.items()
    }
    tasks = json.loads(Path(shown["file"]).read_text(encoding="utf-8"))
    assert shown["n_notes"] == len(tasks)
    assert "text" not in str({name: value for name, value in shown.items() if name != "file"})


@pytest.fixture
def harness(defs, instance, execute) -> Harness:
    return Harness(defs, instance, execute)


def test_a_new_file_is_seen_by_the_sensor_and_reruns_labels_splits_and_evaluation_and_no_labeller(
    landed, harness, defs, instance, monkeypatch
) -> None:
    monkeypatch.setenv("CLINICAL_SETTLE_SECONDS", "0")
    sensor = defs.resolve_sensor_def("observe_omop_snapshots")

    def look(cursor: str | None) -> str:
        needed = {name: defs.resources[name] for name in ("deployment", "landing")}
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources=needed) as context:
            result = sensor(context)
        for event in result.asset_events:
            instance.report_runless_asset_event(event)
        return result.cursor

    def annotate() -> None:
        harness.execute("materialize_annotations")

    def quiet() -> bool:
        """Run what is asked for until nothing is."""
        for _ in range(5):
            if not harness.tick():
                return True
            annotate()
            harness.build_rest()
        return False

    cursor = look(None)
    harness.settle("b1")
    annotate()
    assert quiet()
    # an export of a tool, of any name
    task = {
        "data": {"text": NONE, "note_id": 2},
        "annotations": [
            {"completed_by": 5, "result": [{"from_name": FIELD, "type": "choices", "value": {"choices": ["true"]}}]}
        ],
    }
    land(landed, "project-1-at-2026.json", [task])
    cursor = look(cursor)
    asked = set(harness.tick())
    assert {f"annotations/{table}" for table in ("human_labels", "rejects", "adjudicated", "splits")} <= asked
    assert {
        f"labels/{table}"
        for table in ("annotations", "manual_labels", "annotation_splits", "evaluation", "review_queue")
    } <= asked
    assert (
        not {"labels/regex", "labels/regex_seed", "notes/note_index", "omop/person", "annotations/review_export"}
        & asked
    )
    assert not {key for key in asked if key.startswith(("labels/llm_", "models/"))}
    annotate()
    harness.build_rest()
    rows = Lake(landed.data / "lake").read("annotations/human_labels").to_pylist()
    assert [(row["note_id"], row["value"], row["source_format"]) for row in rows if row["annotator"] == "5"] == [
        (2, True, "label_studio")
    ]
    assert quiet()
    # the same content under another time is nothing
    land(landed, "project-1-at-2026.json", [task])
    look(cursor)
    assert harness.tick() == {}
