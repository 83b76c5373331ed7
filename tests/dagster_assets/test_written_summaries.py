"""Written summaries in the real graph, with a tiny model of random weights: rows, metadata, checks, and no text outside the lake."""

from __future__ import annotations

import json
from pathlib import Path

import dagster as dg
import pytest

from clinical_assets.storage.lake import Lake
from tests.dagster_assets.test_summaries import FRENCH, LONG, checks, metadata
from tests.hospital import CANARY, note
from tests.unit.language_models.lora_bench import save_base

VERBOSE, COMPRESSED = "summaries/verbose_tiny", "summaries/compressed_tiny"
ENTRY = """models:
  - {name: tiny, description: a tiny random model, model: %s, dtype: float32, context_length: 2048, licence: none, profile: demo,
     tasks: [summaries, adapters], summary_adapter: %s}
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


def materialize(key: str, hospital, instance, *, partition: str | None = None, raises: bool = True):
    from definitions import build_defs
    from resources.deployment import DeploymentResource

    defs = build_defs(deployment=DeploymentResource(data=str(hospital.data)))
    job = defs.get_implicit_job_def_for_assets([dg.AssetKey(key.split("/"))])
    return job.execute_in_process(
        instance=instance, partition_key=partition, raise_on_error=raises, asset_selection=[dg.AssetKey(key.split("/"))]
    )


def test_two_stages_by_a_model_and_no_base_in_place_of_its_adapter(
    hospital, execute, instance, base, monkeypatch, tmp_path
) -> None:
    from clinical_assets.study.load import DEFAULT_STUDY

    study = tmp_path / "study.yaml"
    text = DEFAULT_STUDY.read_text(encoding="utf-8").replace("label_scope: latest", "label_scope: all")
    lengths = "summaries:\n  written: {verbose_max_new_tokens: 40, compressed_max_new_tokens: 24, rounds: 2, least_tokens: 1}\n"
    study.write_text(text.replace("summaries:\n", lengths, 1), encoding="utf-8")
    catalogue = tmp_path / "catalogue.yaml"
    catalogue.write_text(ENTRY % (base, "none"), encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    hospital.land("b1", note(1, 1, LONG), note(2, 2, " \n "), note(3, 3, FRENCH), note(4, 1, "Chronic myeloid leukemia.", "2020-06-01"))  # fmt: skip
    execute("materialize_note_batch", "b1")
    execute("find_notes_in_scope")
    monkeypatch.setenv("CLINICAL_CATALOGUE", str(catalogue))
    lake = Lake(hospital.data / "lake")
    for key in (VERBOSE, COMPRESSED):
        result = materialize(key, hospital, instance, partition="b1")
        rows = {row["note_id"]: row for row in lake.read(key, "b1").to_pylist()}
        statuses = {note_id: row["status"] for note_id, row in rows.items()}
        assert statuses | {1: ""} == {1: "", 2: "no_text", 3: "not_english", 4: "one_line"}
        assert rows[1]["text"]
        shown = metadata(result, key)
        assert (shown["n_computed"], shown["n_cached"], shown["device"]) == (4, 0, "cpu")
        assert shown["peak_rss_mb"] > 100
        assert sum(shown["rows_by_status"].values()) == 4
        assert CANARY not in json.dumps(shown, default=str)
        assert checks(result)[f"{key.split('/')[1]}:every_source_has_a_summary"]
        again = metadata(materialize(key, hospital, instance, partition="b1"), key)
        assert (again["n_computed"], again["n_cached"], again["device"]) == (0, 4, "none")
    assert lake.read(COMPRESSED, "b1")["n_rounds"].to_pylist()[0] >= 1

    catalogue.write_text(ENTRY % (base, "required"), encoding="utf-8")
    failed = materialize(VERBOSE, hospital, instance, partition="b1", raises=False)
    assert not failed.success
    said = " ".join(str(e.event_specific_data.error) for e in failed.all_events if e.is_step_failure)
    assert "materialize summaries/references and adapters/summaries_tiny" in said
    (hospital.data / "landing" / "annotations").mkdir(parents=True)
    reference = {"note_id": 1, "summary": f"{CANARY}, leukemia."}
    (hospital.data / "landing" / "annotations" / "reference_summaries.jsonl").write_text(json.dumps(reference))
    materialize("summaries/references", hospital, instance)
    assert lake.read("summaries/references")["note_id"].to_pylist() == [1]
    for run in instance.get_runs():
        assert CANARY not in " ".join(str(entry) for entry in instance.all_logs(run.run_id)), run.job_name
