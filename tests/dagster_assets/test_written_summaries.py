"""Written summaries in the real graph, with a tiny model of random weights: rows, metadata, checks, and no text outside the lake."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from clinical_assets.labels.assets import NOTE_SCOPE
from clinical_assets.language_models.catalogue import load_catalogue
from clinical_assets.storage.contracts import NOTES, SECTIONS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import DEFAULT_STUDY
from clinical_assets.summaries.checks import build_summary_checks
from clinical_assets.summaries.written.assets import build_reference_assets, build_writer_adapters, build_written_assets
from clinical_assets.summaries.written.stage import written_stages
from resources.deployment import DeploymentResource
from resources.gpu import GpuResource
from resources.lake import LakeResource
from resources.language_models import LanguageModelsResource
from resources.partitions import NOTE_BATCHES_NAME
from resources.warehouse import WarehouseResource
from tests.dagster_assets.test_summaries import FRENCH, LONG, checks, metadata
from tests.hospital import CANARY
from tests.unit.language_models.lora_bench import save_base
from tests.unit.summaries.test_batches import rows

VERBOSE, COMPRESSED = "summaries/verbose_tiny", "summaries/compressed_tiny"
ENTRY = """models:
  - {name: tiny, description: a tiny random model, model: %s, dtype: float32, context_length: 2048, licence: none, profile: demo,
     tasks: [summaries, adapters], summary_adapter: %s}
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base"))


class Graph:
    """The written stages over a lake and a warehouse that hold just what they read; no dbt is run."""

    def __init__(self, data: Path, catalogue: Path, instance: dg.DagsterInstance) -> None:
        deployment = DeploymentResource(data=str(data))
        gpu = GpuResource(deployment=deployment)
        stages = written_stages(load_catalogue(catalogue))
        self.assets = [
            *build_written_assets(stages, NOTE_SCOPE),
            *build_reference_assets(dg.AssetKey(["landing", "annotations"])),
            *build_writer_adapters([stages[0].entry]),
        ]
        self.checks = build_summary_checks([stage.as_stage for stage in stages])
        self.instance, self.resources = instance, {
            "deployment": deployment, "lake": LakeResource(deployment=deployment), "warehouse": WarehouseResource(deployment=deployment),
            "gpu": gpu, "language_models": LanguageModelsResource(deployment=deployment, gpu=gpu),
        }  # fmt: skip

    def materialize(self, *keys: str, partition: str | None = None, raises: bool = True) -> dg.ExecuteInProcessResult:
        chosen = [dg.AssetKey(key.split("/")) for key in keys]
        return dg.materialize(
            [*self.assets, *self.checks], selection=dg.AssetSelection.assets(*chosen), instance=self.instance,
            resources=self.resources, partition_key=partition, raise_on_error=raises,
        )  # fmt: skip


def hospital_of(data: Path) -> Lake:
    lake = Lake(data / "lake")
    notes = [
        (1, LONG, "usable"),
        (2, " ", "blank"),
        (3, FRENCH, "not_english"),
        (4, "Chronic myeloid leukemia.", "usable"),
    ]
    lake.write(
        "notes/notes", rows("b1", *[(i, i, date(2020, 1, i), text, how) for i, text, how in notes]), NOTES, batch="b1"
    )
    lake.write("notes/sections", SECTIONS.empty_table(), SECTIONS, batch="b1")
    (data / "warehouse").mkdir(parents=True)
    with duckdb.connect(str(data / "warehouse" / "clinical.duckdb")) as connection:
        connection.execute("create schema notes")
        connection.execute(
            "create table notes.labelling_scope as select i as note_id, 'b1' as batch from range(1, 5) as r(i)"
        )
    return lake


def test_two_stages_by_a_model_and_no_base_in_place_of_its_adapter(base, instance, monkeypatch, tmp_path) -> None:
    study, data, catalogue = tmp_path / "study.yaml", tmp_path / "data", tmp_path / "catalogue.yaml"
    lengths = "summaries:\n  written: {verbose_max_new_tokens: 40, compressed_max_new_tokens: 24, rounds: 2, least_tokens: 1}\n"
    study.write_text(DEFAULT_STUDY.read_text(encoding="utf-8").replace("summaries:\n", lengths, 1), encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    catalogue.write_text(ENTRY % (base, "none"), encoding="utf-8")
    lake = hospital_of(data)
    instance.add_dynamic_partitions(NOTE_BATCHES_NAME, ["b1"])
    graph = Graph(data, catalogue, instance)
    result = graph.materialize(VERBOSE, COMPRESSED, partition="b1")
    again = graph.materialize(VERBOSE, COMPRESSED, partition="b1")
    for key in (VERBOSE, COMPRESSED):
        found = {row["note_id"]: row for row in lake.read(key, "b1").to_pylist()}
        statuses = {note_id: row["status"] for note_id, row in found.items()}
        assert statuses | {1: ""} == {1: "", 2: "no_text", 3: "not_english", 4: "one_line"}
        assert found[1]["text"]
        shown = metadata(result, key)
        assert (shown["n_computed"], shown["n_cached"], shown["device"]) == (4, 0, "cpu")
        assert shown["peak_rss_mb"] > 100
        assert sum(shown["rows_by_status"].values()) == 4
        assert CANARY not in json.dumps(shown, default=str)
        assert checks(result)[f"{key.split('/')[1]}:every_source_has_a_summary"]
        rerun = metadata(again, key)
        assert (rerun["n_computed"], rerun["n_cached"], rerun["device"]) == (0, 4, "none")
    assert lake.read(COMPRESSED, "b1")["n_rounds"].to_pylist()[0] >= 1

    catalogue.write_text(ENTRY % (base, "required"), encoding="utf-8")
    graph = Graph(data, catalogue, instance)
    failed = graph.materialize(VERBOSE, partition="b1", raises=False)
    assert not failed.success
    said = " ".join(str(e.event_specific_data.error) for e in failed.all_events if e.is_step_failure)
    assert "materialize summaries/references and adapters/summaries_tiny" in said
    (data / "landing" / "annotations").mkdir(parents=True)
    reference = {"note_id": 1, "summary": f"{CANARY}, leukemia."}
    (data / "landing" / "annotations" / "reference_summaries.jsonl").write_text(json.dumps(reference))
    graph.materialize("summaries/references", "summaries/reference_rejects")
    assert lake.read("summaries/references")["note_id"].to_pylist() == [1]
    too_few = graph.materialize("adapters/summaries_tiny", raises=False)
    assert not too_few.success
    for run in instance.get_runs():
        assert CANARY not in " ".join(str(entry) for entry in instance.all_logs(run.run_id)), run.job_name
