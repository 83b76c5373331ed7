"""Batch by batch in several processes: each batch is a run of its own in the shared instance, and what fails is named."""

from __future__ import annotations

import dagster as dg
import pytest

from clinical_assets.cli.execution import Execution, processes_beside
from clinical_assets.study.load import load_study
from resources.partitions import NOTE_BATCHES_NAME
from tests.dbt_cohort.conftest import take_in
from tests.hospital import CML, Hospital, note


@pytest.mark.slow
def test_batches_at_once_are_runs_of_their_own_and_the_failed_one_is_named(
    hospital: Hospital, defs, monkeypatch
) -> None:
    batches = [f"b{i}" for i in range(6)]
    for i, batch in enumerate(batches):
        hospital.land(batch, note(i, 1, CML))
    take_in(hospital.data, load_study())
    (hospital.data / "lake" / "notes" / "notes" / "batch=b2" / "data.parquet").write_bytes(b"torn")
    home = hospital.data.parent / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("CLINICAL_DATA", str(hospital.data))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    with dg.DagsterInstance.get() as instance, processes_beside() as beside:
        instance.add_dynamic_partitions(NOTE_BATCHES_NAME, batches)
        assert Execution(defs, instance).run_batches("label_note_batch", batches, beside) == ["b2"]
        runs = {run.tags["dagster/partition"]: run.status for run in instance.get_runs()}
        labelled = instance.get_materialized_partitions(dg.AssetKey(["labels", "regex"]))
    assert runs == {b: dg.DagsterRunStatus.FAILURE if b == "b2" else dg.DagsterRunStatus.SUCCESS for b in batches}
    assert labelled == {b for b in batches if b != "b2"}
