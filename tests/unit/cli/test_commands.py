"""The command line as a person meets it: what is wrong is said with its mend, and nothing is half done."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from clinical_assets.cli.main import app
from clinical_assets.cli.ui import dagster_home, run_ui
from clinical_assets.settings import Settings
from clinical_assets.storage.contracts import LABELS
from clinical_assets.storage.lake import Lake

runner = CliRunner()


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("CLINICAL_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    return tmp_path / "data"


def test_run_without_dagster_home_says_what_to_set(data: Path) -> None:
    result = runner.invoke(app, ["run"])
    assert result.exit_code == 1
    assert "DAGSTER_HOME is not set" in result.output
    assert "make run" in result.output
    assert not data.exists()


@pytest.mark.parametrize("value", ["relative/path", "/does/not/exist"])
def test_a_wrong_dagster_home_is_named(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("DAGSTER_HOME", value)
    with pytest.raises(ValueError, match="expected the absolute path of an existing folder"):
        dagster_home()


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1"])
def test_the_ui_binds_to_loopback_only(host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    with pytest.raises(ValueError, match="only a loopback address is accepted"):
        run_ui(host, 3000)


def test_query_without_a_warehouse_says_what_to_run(data: Path) -> None:
    result = runner.invoke(app, ["query", "select 1"])
    assert result.exit_code == 1
    assert "run `make run`" in result.output


def test_status_of_an_empty_deployment(data: Path) -> None:
    result = runner.invoke(app, ["status", "--json"])
    found = json.loads(result.output)
    assert found["landing"]["due"] == []
    assert found["lake"]["notes/notes"] == {"batches": 0, "rows": 0}
    assert found["warehouse"]["exists"] is False
    assert "none yet" in runner.invoke(app, ["status"]).output


def test_status_counts_the_models_of_a_family_by_name(data: Path) -> None:
    lake = Lake(data / "lake")
    for table in ("labels/models", "labels/llm_one"):
        lake.declare(table, LABELS)
    lake.write("labels/llm_one", LABELS.empty_table(), LABELS, batch="b1")
    told = json.loads(runner.invoke(app, ["status", "--json"]).output)["lake"]
    assert told["labels/llm_one"] == {"batches": 1, "rows": 0}
    assert "labels/models" not in told


def test_verifying_an_audit_that_is_not_there_is_an_error(data: Path) -> None:
    refused = runner.invoke(app, ["verify-audit"])
    assert refused.exit_code == 1
    assert "no audit is here" in refused.output


def test_the_demo_hospital_never_mixes_with_other_data(data: Path) -> None:
    other = data / "landing" / "notes" / "real.csv"
    other.parent.mkdir(parents=True)
    other.write_text("note_id\n")
    result = runner.invoke(app, ["demo", "--persons", "50"])
    assert result.exit_code == 1
    assert "holds data that is not the demo hospital" in result.output
    assert sorted(p.name for p in other.parent.iterdir()) == ["real.csv"]


def test_public_data_that_is_not_there_is_named(data: Path, tmp_path: Path) -> None:
    result = runner.invoke(app, ["land-public", str(tmp_path)])
    assert result.exit_code == 1
    assert "person.parquet is missing" in result.output


def test_doctor_names_the_fix_of_each_problem(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data.parent.joinpath("study.yaml").write_text("name: [")
    monkeypatch.setenv("CLINICAL_STUDY", str(data.parent / "study.yaml"))
    monkeypatch.setenv("CLINICAL_LAKEURL", "typo")
    warehouse = data / "warehouse" / "clinical.duckdb"
    warehouse.parent.mkdir(parents=True)
    warehouse.write_bytes(b"no database")
    result = runner.invoke(app, ["doctor", "--json"])
    found = {finding["name"]: finding for finding in json.loads(result.output)}
    assert result.exit_code == 1
    assert found["study"]["state"] == "fail"
    assert "CLINICAL_LAKEURL" in found["environment"]["found"]
    assert found["warehouse"]["state"] == "fail"
    assert "rebuilt" in found["warehouse"]["fix"]
    assert found["DAGSTER_HOME"]["state"] == "fail"
    assert found["landing/notes"]["state"] == "warn"
    assert found["packages"]["state"] == "ok"
    assert all(
        finding["fix"] for finding in found.values() if finding["state"] == "fail" and finding["name"] != "study"
    )


def test_settings_read_the_environment_when_asked_and_refuse_nonsense(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CLINICAL_DATA", str(tmp_path))
    assert Settings().warehouse == tmp_path / "warehouse" / "clinical.duckdb"
    monkeypatch.setenv("CLINICAL_PROFILE", "laptop")
    with pytest.raises(ValueError, match="'demo', 'gpu' or 'server'"):
        Settings()
