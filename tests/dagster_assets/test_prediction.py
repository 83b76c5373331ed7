"""The prediction question in the real graph: each model an asset, one that fails stops none, fine-tuning, tables."""

from __future__ import annotations

import re
from pathlib import Path

import dagster as dg
import pytest

from clinical_assets.language_models.catalogue import load_catalogue
from clinical_assets.prediction.assets import prediction_keys
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import DEFAULT_STUDY
from clinical_assets.synthetic.placenta_trial import write_trial
from tests.dagster_assets.demo_weights import put
from tests.hospital import Hospital

FAST = "  splits: {repeats: 1, folds: 3}\n  models: {bootstrap: 100, importance_repeats: 1, coefficient_draws: 20, stacked_on: demo_mistral}\n"


@pytest.fixture
def trial(hospital: Hospital, monkeypatch, tmp_path: Path) -> Hospital:
    """A small trial, and a study that asks about it quickly."""
    study = tmp_path / "study.yaml"
    text = DEFAULT_STUDY.read_text(encoding="utf-8")
    text = re.sub(r"  splits: \{repeats: 2\}\n  models: \{stacked_on[^}]*\}\n", FAST, text)
    text = text.replace("  fine_tuning: {settings: {epochs: 4}}", "  fine_tuning: {settings: {epochs: 1, rank: 4}}")
    assert FAST in text
    assert "rank: 4" in text
    study.write_text(text, encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    write_trial(hospital.data / "landing", n=110)
    return hospital


def test_every_model_answers_by_itself_and_the_comparison_says_who_did_not(
    trial, execute, defs, instance, demo_weights
) -> None:
    put(demo_weights, trial.data)
    entry = load_catalogue().entry("demo_gemma")
    for weights in (trial.data / "models" / entry.name).rglob("model.safetensors"):
        weights.write_bytes(b"broken")
    result = execute("predict", raises=False)
    failed = {e.step_key for e in result.all_events if e.is_step_failure}
    assert failed == {"prediction__llm_demo_gemma"}
    lake = Lake(trial.data / "lake")
    assert set(lake.batches("prediction/predictions")) == {
        "always_yes", "always_no", "prevalence", "lasso", "elastic_net", "random_forest", "lightgbm", "llm_demo_mistral",
        "llm_demo_qwen_thinker",
    }  # fmt: skip
    rows = lake.read("prediction/rows").to_pylist()
    assert 80 < len(rows) < 110  # those without an outcome are left out
    answers = lake.read("prediction/predictions", "llm_demo_mistral").to_pylist()
    assert {a["row_id"] for a in answers} == {r["row_id"] for r in rows}
    assert all(
        0 < a["probability"] < 1 and a["text"] in ('{"manual_removal": true}', '{"manual_removal": false}')
        for a in answers
    )
    tuned = execute("fine_tune_predictions")
    assert tuned.success
    facts = lake.read("prediction/models", "llm_demo_mistral_lora").to_pylist()[0]
    assert '"rank": 4' in facts["settings"]
    assert len(facts["adapter_sha"]) == 64
    judged = {a["row_id"] for a in lake.read("prediction/predictions", "llm_demo_mistral_lora").to_pylist()}
    assert judged == {r["row_id"] for r in rows if r["split"] != "train"}
    assert execute("stack_predictions").success  # though another language model failed
    done = execute("compare_predictions")
    checks = {c.check_name: c for c in done.get_asset_check_evaluations()}
    assert checks["models_answer_in_a_readable_way"].passed
    report = (trial.data / "report" / "prediction_manual_removal.md").read_text(encoding="utf-8")
    unasked = next(line for line in report.splitlines() if "Not judged" in line)
    assert "llm_demo_gemma" in unasked
    assert (trial.data / "report" / "figures" / "prediction_curves.png").stat().st_size > 10_000
    models = {r["model"] for r in lake.read("prediction/results").to_pylist()}
    assert models == set(lake.batches("prediction/predictions"))


def test_no_file_is_a_clear_failure_and_nothing_is_written(trial, execute) -> None:
    (trial.data / "landing" / "prediction" / "placenta_trial.csv").unlink()
    result = execute("predict", raises=False)
    event = next(e for e in result.all_events if e.is_step_failure)
    assert "landing/prediction/placenta_trial.csv: no such file" in str(event.step_failure_data.error)
    assert not Lake(trial.data / "lake").has("prediction/rows")


def test_each_model_of_the_catalogue_is_an_asset_of_its_own(defs) -> None:
    graph = defs.resolve_asset_graph()
    catalogue = load_catalogue()
    seed = {
        "llama_3_2_3b",
        "llama_3_1_8b",
        "mistral_7b",
        "phi_3_mini",
        "qwen_2_5_7b",
        "qwen3_4b",
        "gemma_3_4b",
        "deepseek_r1_qwen_7b",
        "gemma_2_9b",
        "phi_3_5_mini",
        "qwen_2_5_3b",
    }
    tuned = {entry.name for entry in catalogue.for_task("prediction", "adapters")}
    assert seed <= tuned
    for key in (
        *prediction_keys(catalogue.for_task("prediction")),
        *prediction_keys(catalogue.for_task("prediction", "adapters"), adapted=True),
    ):
        assert graph.has(key)
    behind = graph.get(dg.AssetKey(["prediction", "comparison"])).parent_keys
    assert dg.AssetKey(["prediction", "llm_deepseek_r1_qwen_7b"]) in behind
    assert {dg.AssetKey(["prediction", name]) for name in ("lasso", "lightgbm_stacked", "constants")} <= behind
    assert graph.get(dg.AssetKey(["prediction", "results"])).parent_keys == {dg.AssetKey(["prediction", "comparison"])}


def test_rows_follow_their_file_once_asked_and_models_their_rows(defs, instance) -> None:
    group = dg.AssetSelection.groups("prediction")
    landed, rows = dg.AssetKey(["landing", "prediction"]), dg.AssetKey(["prediction", "rows"])
    cursor = None

    def tick() -> set[str]:
        nonlocal cursor
        found = dg.evaluate_automation_conditions(defs, instance, asset_selection=group, cursor=cursor)
        cursor = found.cursor
        keys = [k for k in defs.resolve_asset_graph().get_all_asset_keys() if k.path[0] == "prediction"]
        # the tables of the warehouse are built by dbt, and missing
        tables = {"results", "comparisons", "predictions", "models", "weights", "scores"}
        return {k.path[1] for k in keys if found.get_num_requested(k)} - tables

    def happened(key: dg.AssetKey, version: str, kind: type) -> None:
        instance.report_runless_asset_event(kind(key, tags={"dagster/data_version": version}))

    assert tick() == set()
    happened(landed, "a", dg.AssetObservation)
    assert tick() == set()  # a file that landed is not yet a question that somebody asks
    happened(rows, "v1", dg.AssetMaterialization)
    wanted = tick()
    assert {"constants", "lasso", "elastic_net", "random_forest", "lightgbm", "llm_demo_mistral"} <= wanted
    assert "llm_demo_mistral_lora" not in wanted
    happened(landed, "b", dg.AssetObservation)
    assert "rows" in tick()
