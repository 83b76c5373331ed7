"""The landing sensor, by real ticks: new, unfinished, corrected, capped, refused, idle."""

from __future__ import annotations

import os
import time

import dagster as dg
import pytest

from resources.partitions import NOTE_BATCHES_NAME
from tests.hospital import CML, NONE, note


@pytest.fixture
def tick(defs):
    """Evaluate the real sensor; ticks share a cursor and an instance that remembers partitions."""
    sensor = next(s for s in defs.sensors if s.name == "land_note_batches")
    state = {"cursor": None}
    resources = {name: value for name, value in defs.resources.items() if name in {"deployment", "landing", "lake"}}
    with dg.instance_for_test() as instance:

        def go():
            with dg.build_sensor_context(
                instance=instance,
                instance_ref=instance.get_ref(),
                cursor=state["cursor"],
                resources=resources,
                definitions=defs,
            ) as context:
                data = sensor.evaluate_tick(context)
            state["cursor"] = data.cursor
            for request in data.dynamic_partitions_requests or []:
                instance.add_dynamic_partitions(NOTE_BATCHES_NAME, list(request.partition_keys))
            return data

        yield go


def keys(data) -> list[str]:
    return [request.run_key for request in data.run_requests]


def test_a_new_batch_is_registered_and_its_intake_launched_once(hospital, tick) -> None:
    hospital.land("2024-01", note(1, 1, CML))
    first = tick()
    assert [r.partition_key for r in first.run_requests] == ["2024-01"]
    assert [list(r.partition_keys) for r in first.dynamic_partitions_requests] == [["2024-01"]]
    second = tick()
    assert second.run_requests == []
    assert "none is due" in second.skip_message


def test_the_same_file_again_is_nothing_and_a_corrected_file_is_a_new_run_of_the_same_batch(hospital, tick) -> None:
    hospital.land("2024-01", note(1, 1, CML))
    first = keys(tick())
    os.utime(hospital.notes / "2024-01.jsonl")
    assert keys(tick()) == []
    hospital.land("2024-01", note(1, 1, NONE))
    corrected = tick()
    assert [r.partition_key for r in corrected.run_requests] == ["2024-01"]
    assert keys(corrected) != first


def test_a_file_that_is_still_written_waits_until_it_stands_still(hospital, tick) -> None:
    path = hospital.land("2024-01", note(1, 1, CML))
    os.utime(path, (time.time() + 1000, time.time() + 1000))
    assert keys(tick()) == []
    assert len(keys(tick())) == 1


def test_a_folder_without_its_success_marker_waits(hospital, tick) -> None:
    source = hospital.land("x", note(1, 1, CML))
    folder = hospital.notes / "2024-02"
    folder.mkdir()
    source.rename(folder / "part-1.jsonl")
    assert keys(tick()) == []
    (folder / "_SUCCESS").touch()
    assert [r.partition_key for r in tick().run_requests] == ["2024-02"]


def test_a_tick_launches_a_bounded_number_and_the_next_ones_the_rest(hospital, tick, monkeypatch) -> None:
    monkeypatch.setenv("CLINICAL_MAX_BATCHES_PER_TICK", "2")
    for day in range(5):
        hospital.land(f"2024-0{day}", note(day, 1, CML))
    launched = [[r.partition_key for r in tick().run_requests] for _ in range(4)]
    assert launched == [["2024-00", "2024-01"], ["2024-02", "2024-03"], ["2024-04"], []]


def test_a_batch_that_the_lake_already_holds_is_not_launched_even_without_a_cursor(hospital, tick, execute) -> None:
    hospital.land("2024-01", note(1, 1, CML))
    execute("ingest_note_batch_job", "2024-01")
    assert keys(tick()) == []


@pytest.mark.parametrize("name", ["'; DROP TABLE notes.csv", "a\nb.csv", "x" * 90 + ".csv", "%2e%2e.csv"])
def test_a_name_that_cannot_be_a_key_is_refused_in_words(hospital, tick, name, capfd) -> None:
    (hospital.notes / name).write_text("note_id\n")
    assert keys(tick()) == []
