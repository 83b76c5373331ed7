"""The risk question in the real graph: from landed OMOP tables to scores, and what bad input gets."""

from __future__ import annotations

import json

import duckdb
import pytest

from clinical_assets.risk.model_store import RiskModelError, load_frozen, promoted_digest
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import DEFAULT_STUDY
from clinical_assets.synthetic import HospitalConfig, build_hospital
from clinical_assets.synthetic.write import write_landing
from tests.hospital import Hospital

FAST = "    learners: [logistic]\n    bootstrap: 100"


@pytest.fixture
def ana_hospital(hospital: Hospital, monkeypatch, tmp_path) -> Hospital:
    """The demo hospital's persons, and a study that asks its question quickly."""
    study = tmp_path / "study.yaml"
    text = DEFAULT_STUDY.read_text(encoding="utf-8").replace("    learners: [logistic, lightgbm]", FAST)
    study.write_text(text, encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    for path in [*hospital.omop.iterdir()]:
        path.unlink()
    write_landing(build_hospital(HospitalConfig(n_persons=900)), hospital.data / "landing")
    return hospital


def test_from_landed_tables_to_scores_of_new_persons(ana_hospital, execute) -> None:
    execute("find_notes_in_scope")
    result = execute("evaluate_risk")
    checks = {c.check_name: c for c in result.get_asset_check_evaluations()}
    assert checks["index_matches_somebody"].passed
    assert checks["no_feature_is_dated_on_or_after_the_index"].passed
    lake = Lake(ana_hospital.data / "lake")
    cohort = lake.read("risk/cohort").to_pylist()
    with duckdb.connect(str(ana_hospital.data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        assert len(cohort) == connection.sql("select count(*) from risk.windows").fetchall()[0][0] == 150
    labelled = {row["person_id"] for row in cohort if row["role"] != "removed"}
    cases = {row["person_id"] for row in cohort if row["role"] == "case"}
    tested = [row for row in lake.read("risk/out_of_fold").to_pylist() if row["design"] == "cross_validation"]
    models = {row["model"] for row in tested}
    # embeddings of two kinds: fitted inside the folds, and those of embeddings/person_vectors
    encoders = ("tfidf_svd", "hashed_tfidf_svd")
    assert models == {"counts/logistic"} | {
        f"{features}/logistic/{encoder}" for features in ("embeddings", "counts+embeddings") for encoder in encoders
    }
    for model in models:  # everybody once, as what they are
        rows = [row for row in tested if row["model"] == model]
        assert sorted(row["person_id"] for row in rows) == sorted(labelled)
        assert {row["person_id"] for row in rows if row["is_case"]} == cases
    numbers = {
        (r["model"], r["analysis"], r["metric"], r["design"], r["detail"]): r
        for r in lake.read("risk/evaluation").to_pylist()
    }
    both = numbers["counts+embeddings/logistic/tfidf_svd", "performance", "auroc", "cross_validation", ""]
    assert 0.7 < both["low"] < both["value"] < both["high"] < 1
    assert (both["n"], both["n_events"]) == (len(labelled), len(cases))
    scores = lake.read("risk/scores").to_pylist()
    unknown = {row["person_id"] for row in cohort if row["reason"] == "follow_up"}
    assert {row["person_id"] for row in scores} == labelled | unknown
    assert {row["person_id"] for row in scores if row["is_new"]} == unknown
    assert all(0 < row["probability"] < 1 and 0 < row["calibrated"] < 1 for row in scores)
    folder = ana_hospital.data / "models" / "risk_lupus"
    digest = promoted_digest(folder)
    assert {row["model_sha"] for row in scores} == {digest}
    assert not [p for p in folder.rglob("*") if p.suffix in {".pkl", ".joblib", ".pt", ".pth"}]
    report = (ana_hospital.data / "report" / "tripod_ai_lupus.md").read_text(encoding="utf-8")
    promoted = numbers["counts+embeddings/logistic/hashed_tfidf_svd", "performance", "auroc", "cross_validation", ""]
    assert f"AUROC {promoted['value']:.3g}" in report  # the first encoder's, unless the study names another
    assert digest in report
    tables = (ana_hospital.data / "report" / "risk_lupus.md").read_text(encoding="utf-8")
    assert "## Net benefit" in tables
    assert f"{both['value']:.3g} (95 % {both['low']:.3g} to {both['high']:.3g})" in tables
    assert lake.batches("risk/fits")  # finished fits are put by
    assert (ana_hospital.data / "report" / "figures" / "risk_lupus_roc.png").stat().st_size > 10_000
    text = folder / digest / "model.json"
    text.write_text(json.dumps({**json.loads(text.read_text()), "calibration": [9.0, 1.0]}))
    with pytest.raises(RiskModelError, match="was changed after it was written"):
        load_frozen(folder, digest)


def test_an_index_that_nobody_has_stops_at_a_check_that_says_what_to_mend(hospital, execute) -> None:
    execute("find_notes_in_scope")
    result = execute("evaluate_risk", raises=False)
    assert not result.success
    check = next(c for c in result.get_asset_check_evaluations() if c.check_name == "index_matches_somebody")
    assert not check.passed
    assert "2000000003" in check.description
    assert "risk.index" in check.description
    assert Lake(hospital.data / "lake").n_rows("risk/cohort") == 0
    assert not Lake(hospital.data / "lake").has("risk/scores")
