"""Labels of models in the real graph: what is asked, what is written, what a rerun does, and what a new batch asks for."""

from __future__ import annotations

import dagster as dg
import duckdb
import pytest

from clinical_assets.storage.lake import Lake
from resources.partitions import NOTE_BATCHES_NAME
from tests.dagster_assets.builds import build
from tests.dagster_assets.demo_weights import put
from tests.dagster_assets.ticks import evaluate
from tests.hospital import CANARY, CML, NONE, note

DEMO = ("llm_demo_gemma", "llm_demo_mistral", "llm_demo_qwen_thinker")
FIELDS = 8


@pytest.fixture
def ready(hospital, demo_weights):
    put(demo_weights, hospital.data)
    return hospital


def metadata(result, key: str) -> dict:
    event = next(e for e in result.get_asset_materialization_events() if e.asset_key.to_user_string() == key)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def scope_events(instance) -> dict[str, int]:
    records = instance.fetch_materializations(dg.AssetKey(["notes", "note_scope"]), limit=50).records
    counts: dict[str, int] = {}
    for record in records:
        counts[record.partition_key] = counts.get(record.partition_key, 0) + 1
    return counts


def test_notes_in_scope_are_labelled_by_every_demo_model_once(ready, execute, defs, instance) -> None:
    # person 1 has an index; of their notes the latest stands. Persons 2 and 3 have none.
    ready.land("b1", note(1, 1, CML), note(2, 2, NONE), note(3, 1, CML.replace("Gleevec", "dasatinib"), "2020-06-01"))
    execute("materialize_note_batch", "b1")
    execute("find_notes_in_scope")
    assert scope_events(instance) == {"b1": 1}
    trained = execute("train_demo_models")
    assert metadata(trained, "models/demo_gemma")["seconds_of_training"] == 0
    first = execute("label_with_demo_models", "b1")
    lake = Lake(ready.data / "lake")
    for labeller in DEMO:
        rows = lake.read(f"labels/{labeller}", "b1").to_pylist()
        assert [row["note_id"] for row in rows] == [3] * FIELDS
        assert {row["status"] for row in rows} == {"labelled"}
        assert all(isinstance(row["value"], bool) and 0 <= row["probability"] <= 1 for row in rows)
        assert {row["labeller"] for row in rows} == {labeller}
        assert "bcr_abl1_positive" not in {row["field"] for row in rows}
        shown = metadata(first, f"labels/{labeller}")
        assert (shown["n_notes_in_scope"], shown["n_computed"], shown["n_read_by_the_model"]) == (1, 1, 1)
        assert shown["n_input_tokens"] > 100
        assert shown["device"] == "cpu"
    thinker = lake.read("labels/llm_demo_qwen_thinker", "b1").to_pylist()[0]
    assert thinker["decoding"] == "think_12+schema_scoring"
    evaluations = {f"{c.asset_key.path[-1]}:{c.check_name}": c.passed for c in first.get_asset_check_evaluations()}
    assert evaluations["llm_demo_gemma:every_note_in_scope_is_labelled"]
    assert evaluations["llm_demo_gemma:failures_are_rare"]

    again = execute("label_with_demo_models", "b1")
    for labeller in DEMO:
        shown = metadata(again, f"labels/{labeller}")
        assert (shown["n_computed"], shown["n_cached"], shown["n_read_by_the_model"], shown["device"]) == (
            0,
            1,
            0,
            "none",
        )

    build(
        defs,
        instance,
        "notes/labelling_scope",
        "labels/model_labels",
        "labels/current_labels",
        "labels/evaluation_summary",
    )
    assert scope_events(instance) == {"b1": 1}  # nothing about the batch changed
    with duckdb.connect(str(ready.data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        counted = connection.execute(
            "select labeller, count(*), count(distinct note_id) from labels.model_labels group by all order by 1"
        ).fetchall()
        assert counted == [(labeller, FIELDS, 1) for labeller in DEMO]
        assert {
            row[0] for row in connection.execute("select distinct labeller from labels.current_labels").fetchall()
        } >= set(DEMO)
        texts = connection.execute(
            "select table_schema, table_name, column_name from information_schema.columns where data_type = 'VARCHAR' and table_schema = 'labels'"
        ).fetchall()
        for schema, table, column in texts:
            found = connection.execute(
                f'select count(*) from {schema}.{table} where "{column}" like ?', [f"%{CANARY}%"]
            )
            assert found.fetchone() == (0,), f"{schema}.{table}.{column}"


def test_a_model_that_is_not_there_fails_with_the_way_out_and_leaves_no_label(hospital, execute) -> None:
    hospital.land("b1", note(1, 1, CML))
    execute("materialize_note_batch", "b1")
    execute("find_notes_in_scope")
    result = execute("label_with_demo_models", "b1", raises=False)
    assert not result.success
    said = [
        e.event_specific_data.error.cause.message
        if e.event_specific_data.error.cause
        else e.event_specific_data.error.message
        for e in result.all_events
        if e.is_step_failure
    ]
    assert any("materialize the asset models/demo_" in text for text in said), said
    assert not Lake(hospital.data / "lake").has("labels/llm_demo_mistral", "b1")


def test_a_new_batch_asks_models_for_the_batches_whose_notes_in_scope_changed(ready, defs, instance, execute) -> None:
    asked_of = dg.AssetKey(["labels", "llm_demo_mistral"])
    ready.land("b1", note(1, 1, CML))
    ready.land("b2", note(2, 2, NONE))
    cursor = None

    def tick() -> set[str | None]:
        nonlocal cursor
        result = evaluate(defs, instance, cursor)
        cursor = result.cursor
        return set(result.get_requested_partitions(asked_of)) if result.get_num_requested(asked_of) else set()

    instance.add_dynamic_partitions(NOTE_BATCHES_NAME, ["b1", "b2"])
    for batch in ("b1", "b2"):
        execute("materialize_note_batch", batch)
    assert tick() == set()  # before it is known which notes are in scope, nothing is asked
    execute("find_notes_in_scope")
    execute("train_demo_models")
    assert tick() == {"b1", "b2"}
    for batch in ("b1", "b2"):
        execute("label_with_demo_models", batch)
    assert tick() == set()
    assert tick() == set()
    # a batch with a newer note of person 1: b1 loses its note from the scope, b3 gains one, b2 is as it was
    ready.land("b3", note(3, 1, CML, "2021-01-01"))
    instance.add_dynamic_partitions(NOTE_BATCHES_NAME, ["b3"])
    execute("materialize_note_batch", "b3")
    assert tick() == set()
    execute("find_notes_in_scope")
    assert tick() == {"b1", "b3"}
