"""Adapters in the real graph: from human labels to labels, what a refusal stops, and what a promotion does not rerun."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from hashlib import sha256

import dagster as dg
import duckdb
import pytest

from clinical_assets.adapters import chain
from clinical_assets.adapters.comparison import Verdict
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import DEFAULT_STUDY, load_study
from definitions import build_defs
from resources.deployment import DeploymentResource
from resources.partitions import NOTE_BATCHES_NAME
from tests.dagster_assets.builds import part
from tests.dagster_assets.demo_weights import put
from tests.dagster_assets.ticks import evaluate
from tests.hospital import CANARY, CML, NONE, Hospital, note

CHAIN = [f"adapters/labels_demo_mistral{step}" for step in ("", "_evaluation", "_promotion")]
ADAPTED = "labels/llm_demo_mistral_lora"
N_PERSONS = 24


@pytest.fixture
def annotated(hospital: Hospital, demo_weights) -> Hospital:
    """Notes of 24 persons, half of them on CML, with gold for each."""
    put(demo_weights, hospital.data)
    for table, row in (("person", "{},8507,1950,1,1"), ("observation_period", "{0},{0},2000-01-01,2024-12-31")):
        path = hospital.omop / f"{table}.csv"
        more = "".join(row.format(person) + "\n" for person in range(4, N_PERSONS + 1))
        path.write_text(path.read_text(encoding="utf-8") + more, encoding="utf-8")
    texts = {n: f"{CML if n % 2 else NONE}\nSigned by number {n}." for n in range(1, N_PERSONS + 1)}
    hospital.land("b1", *(note(n, n, text) for n, text in texts.items()))
    fields = [rule.name for rule in load_study().fields if rule.ask_models]
    labels = [
        {
            "note_id": n,
            "text_sha256": sha256(text.encode()).hexdigest(),
            "annotator": "a",
            "field": name,
            "value": bool(n % 2),
        }
        for n, text in texts.items()
        for name in fields
    ]
    folder = hospital.data / "landing" / "annotations"
    folder.mkdir(exist_ok=True)
    (folder / "gold.json").write_text(json.dumps(labels), encoding="utf-8")
    os.utime(folder / "gold.json", (1_700_000_000, 1_700_000_000))
    return hospital


@pytest.fixture
def run(annotated: Hospital, instance, tmp_path) -> Callable[..., dg.ExecuteInProcessResult]:
    """Run a job of definitions whose study trains shortly on few notes."""
    study = tmp_path / "study.yaml"
    text = DEFAULT_STUDY.read_text(encoding="utf-8")
    quick = "\n  settings: {demo_mistral: {epochs: 1, min_examples: 5, max_tokens: 1024}}\n"
    study.write_text(text.replace("\n  max_test: 100\n", "\n  max_test: 100" + quick), encoding="utf-8")
    defs = build_defs(deployment=DeploymentResource(data=str(annotated.data), study=str(study)))
    instance.add_dynamic_partitions(NOTE_BATCHES_NAME, ["b1"])

    def go(job: str, batch: str | None = None, *, raises: bool = True, **given: object) -> dg.ExecuteInProcessResult:
        return defs.resolve_job_def(job).execute_in_process(
            instance=instance, partition_key=batch, raise_on_error=raises, **given
        )

    go.defs = defs  # type: ignore[attr-defined]
    go("materialize_note_batch", "b1")
    go("materialize_annotations")
    go("find_notes_in_scope")
    return go


def judged(monkeypatch: pytest.MonkeyPatch, *, better: bool) -> None:
    """Models of six training steps cannot be told apart: say which verdict comes out."""
    verdict = Verdict(better, 0.2, 0.1 if better else -0.1, 0.3, 1, 2, 8, () if better else ("it is no better",))
    monkeypatch.setattr(chain, "verdict_of", lambda rows: verdict)


def made(result: dg.ExecuteInProcessResult) -> dict[str, dict]:
    return {
        e.asset_key.to_user_string(): {name: value.value for name, value in e.materialization.metadata.items()}
        for e in result.get_asset_materialization_events()
    }


def query(hospital: Hospital, sql: str) -> list[tuple]:
    with duckdb.connect(str(hospital.data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def test_a_better_adapter_is_promoted_labels_and_stands_in_the_registry(
    run, annotated: Hospital, instance, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(monkeypatch, better=True)
    shown = made(run("train_adapters"))
    assert list(shown) == CHAIN
    digest = shown[CHAIN[0]]["adapter_sha"]
    assert {shown[key]["adapter_sha"] for key in CHAIN} == {digest}
    assert shown[CHAIN[0]]["n_train"] + shown[CHAIN[0]]["n_validation"] + shown[CHAIN[1]]["n_notes"] == N_PERSONS
    assert shown[CHAIN[0]]["curves"].startswith("![loss")
    assert shown[CHAIN[1]]["figure"].startswith("![F1")

    labelled = made(run("label_with_demo_models", "b1"))
    assert labelled[ADAPTED]["adapter_sha"] == digest
    rows = Lake(annotated.data / "lake").read(ADAPTED, "b1").to_pylist()
    assert {(row["labeller"], row["adapter_sha"]) for row in rows} == {("llm_demo_mistral_lora", digest)}
    assert {
        row["adapter_sha"] for row in Lake(annotated.data / "lake").read("labels/llm_demo_mistral", "b1").to_pylist()
    } == {""}

    again = made(run("train_adapters"))
    assert again[CHAIN[0]]["was_there_already"]
    assert again[CHAIN[0]]["adapter_sha"] == digest

    run("build_warehouse_job", asset_selection=part(run.defs, "adapters/*", "labels/evaluation"))
    assert query(annotated, "select adapter_sha, task, model, status, n_test from adapters.registry") == [
        (digest, "labels", "demo_mistral", "promoted", shown[CHAIN[1]]["n_notes"])
    ]
    assert query(annotated, "select count(*), count(distinct field) from adapters.scores") == [(9, 9)]
    assert query(annotated, "select count(*) from adapters.epochs where is_best") == [(1,)]
    assert query(annotated, "select distinct variant from adapters.test_answers order by 1") == [
        ("adapter",),
        ("base",),
    ]
    assert ("llm_demo_mistral_lora",) in query(annotated, "select distinct labeller from labels.evaluation")
    texts = query(
        annotated,
        "select table_name, column_name from information_schema.columns where data_type = 'VARCHAR' and table_schema = 'adapters'",
    )
    for table, column in texts:
        assert query(annotated, f"select count(*) from adapters.{table} where \"{column}\" like '%{CANARY}%'") == [(0,)]
    card = "".join(
        p.read_text() for p in (annotated.data / "models").glob("adapters_*/*/*.*") if p.suffix in {".md", ".json"}
    )
    assert digest in card
    assert CANARY not in card


def test_an_adapter_that_is_not_better_stops_at_the_check_and_labels_nothing(
    run, annotated: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    judged(monkeypatch, better=False)
    result = run("train_adapters", raises=False)
    assert not result.success
    assert list(made(result)) == CHAIN[:2]
    (check,) = [c for c in result.get_asset_check_evaluations() if c.check_name == "adapter_is_better_than_its_base"]
    assert (check.passed, check.severity, check.blocking) == (False, dg.AssetCheckSeverity.ERROR, True)
    assert check.description == "it is no better"
    labelled = run("label_with_demo_models", "b1")
    assert labelled.success
    assert ADAPTED not in made(labelled)
    assert "labels/llm_demo_mistral" in made(labelled)
    assert not Lake(annotated.data / "lake").has(ADAPTED, "b1")


def test_another_promotion_labels_what_has_no_labels_and_leaves_the_rest(run, instance) -> None:
    defs, key, cursor = run.defs, dg.AssetKey(ADAPTED.split("/")), None

    def tick() -> set[str | None]:
        nonlocal cursor
        result = evaluate(defs, instance, cursor)
        cursor = result.cursor
        return set(result.get_requested_partitions(key)) if result.get_num_requested(key) else set()

    def report(asset: list[str], version: str, partition: str | None = None) -> None:
        instance.report_runless_asset_event(
            dg.AssetMaterialization(asset, partition=partition, tags={"dagster/data_version": version})
        )

    report(["models", "demo_mistral"], "weights")
    assert tick() == set()  # nothing is promoted yet
    report(["adapters", "labels_demo_mistral_promotion"], "first")
    assert tick() == {"b1"}
    report(key.path, "labels", "b1")
    assert tick() == set()
    report(["adapters", "labels_demo_mistral_promotion"], "second")
    assert tick() == set()
    assert tick() == set()


def test_enough_new_labels_launch_a_training_where_the_study_says_so_and_nothing_by_default(run, instance) -> None:
    deployment = run.defs.resources["deployment"]
    study, sensor = deployment.settings().study, next(s for s in run.defs.sensors if s.name == "retrain_adapters")
    text, cursor = study.read_text(encoding="utf-8"), None

    def tick(rule: str):
        study.write_text(text.replace("retrain: manual\n  min_new: 50", rule), encoding="utf-8")
        resources = {name: run.defs.resources[name] for name in ("deployment", "lake")}
        with dg.build_sensor_context(
            instance=instance, cursor=cursor, definitions=run.defs, resources=resources
        ) as context:
            return sensor.evaluate_tick(context)

    assert "manual" in tick("retrain: manual\n  min_new: 50").skip_message
    (request,) = tick("retrain: on_new_labels\n  min_new: 3").run_requests
    assert [key.to_user_string() for key in request.asset_selection] == CHAIN
    assert request.run_key.startswith("demo_mistral:")
    assert not tick("retrain: on_new_labels\n  min_new: 30").run_requests
