"""A whole question without Dagster: what is evaluated, what is said where it cannot be, what is taken from an evaluation before."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from clinical_assets.risk.chain import evaluate_question, mean_risks
from clinical_assets.risk.features import Features, dense_block, vector_block
from clinical_assets.risk.opening import report_opening
from clinical_assets.risk.question import Asked
from clinical_assets.risk.report import evaluation_tables, risk_figures, tripod_table
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.risk_contracts import ANALYSES, RISK_COHORT
from clinical_assets.study.risk import ConceptChoice, RiskModels, RiskQuestion

N = 150
QUESTION = RiskQuestion(
    name="lupus",
    index=ConceptChoice(concepts=[1]),
    outcome=ConceptChoice(concepts=[2]),
    severe=ConceptChoice(concepts=[3]),
    models=RiskModels(learners=["logistic", "lightgbm"], bootstrap=100, folds=3, optimism_draws=2),
)


def asked(n_cases: int | None = None) -> Asked:
    """Persons with a genetic score at two sites; the last ten are not followed for long enough."""
    rng = np.random.default_rng(0)
    x, v, g = rng.normal(size=(3, N))
    case = rng.random(N) < 1 / (1 + np.exp(-(1.5 * x + 1.5 * v + g)))
    if n_cases is not None:
        case &= np.cumsum(case) <= n_cases
    left = np.arange(N) >= N - 10
    rows = [
        {
            "person_id": 10 + i, "index_date": dt.date(2015, 1, 1) + dt.timedelta(i),
            "role": "removed" if left[i] else "case" if case[i] else "control",
            "reason": "follow_up" if left[i] else "outcome_in_follow_up" if case[i] else "seen_after_follow_up",
            "days_first_event": -900, "days_last_event": 300 if left[i] else 3000,
            "days_till_outcome": 400 if case[i] and not left[i] else None,
            "days_till_severe": 500 if case[i] and i % 2 and not left[i] else None, "exclusion": None,
            "age_at_index": 20 + i % 60, "gender_concept_id": 8532 if i % 4 else 8507, "race_concept_id": 8527,
            "ethnicity_concept_id": 0, "care_site_id": i % 2, "genetic_score": float(g[i]),
        }
        for i in range(N)
    ]  # fmt: skip
    blocks = [dense_block("demo", {"age": x, "noise": rng.normal(size=N)})]
    blocks.append(vector_block("condition", "e", np.stack([v, *rng.normal(size=(3, N))], axis=1)))
    persons = 10 + np.arange(N, dtype=np.int64)
    return Asked(
        pa.Table.from_pylist(rows, schema=RISK_COHORT), Features(persons, {block.name: block for block in blocks})
    )


def test_a_question_from_features_to_every_number_and_again(tmp_path: Path) -> None:
    given, lake, lines = asked(), Lake(tmp_path), []
    done = evaluate_question(given, QUESTION, smallest=11, lake=lake, log=lines.append)
    rows = done.evaluation.to_pylist()
    assert {row["analysis"] for row in rows} == set(ANALYSES)
    keys = [tuple(row[k] for k in ("model", "analysis", "design", "detail", "metric")) for row in rows]
    assert len(set(keys)) == len(keys)
    found = dict(zip(keys, rows, strict=True))
    name = "counts+embeddings/logistic/e"
    gained = found[name, "difference", "cross_validation", "minus counts/logistic", "auroc"]
    assert gained["low"] > 0
    assert found[name, "censoring", "", "censored controls weighted", "auroc_ipcw"]["n"] == N
    assert found[name, "sample_size", "", "", "columns"]["value"] == 2 + 4
    assert found[name, "severe_outcome", "cross_validation", "", "auroc"]["value"] > 0.5
    rate = found[name, "genetic_score", "", "all deciles of risk, all tertiles of genetic score", "event_rate"]
    assert rate["value"] == pytest.approx(rate["n_events"] / rate["n"])
    value = {
        metric: found[name, "optimism", "", "2 draws", metric]["value"] for metric in ("auroc_apparent", "optimism")
    }
    corrected = found[name, "optimism", "", "2 draws", "auroc_corrected"]
    assert corrected["value"] == pytest.approx(value["auroc_apparent"] - value["optimism"])
    assert corrected["low"] is None  # two draws have no limits
    model = "counts+embeddings/lightgbm/e"
    assert found[model, "contribution", "", "block emb_condition_e", "mean_absolute_contribution"]["value"] > 0
    # every model, split and share of the learning curve is a fit; all said at the end
    n_fits = 6 * 3 + 2 + 3 * 3
    assert lines[-1] == f"{n_fits} fits are done, 0 of them by an evaluation before"
    again = evaluate_question(given, QUESTION, smallest=11, lake=lake, log=lines.append)
    assert lines[-1] == f"{n_fits} fits are done, {n_fits} of them by an evaluation before"
    assert again.evaluation.equals(done.evaluation)
    assert again.out_of_fold.equals(done.out_of_fold)
    # what is shown of it
    persons = given.features.persons[given.labelled]
    figures = risk_figures(done.out_of_fold, done.evaluation, QUESTION, name, {}, smallest=11)
    assert sorted(figures) == [f"risk_lupus_{kind}" for kind in ("calibration", "contributions", "decision", "roc")]
    assert set(mean_risks(done.out_of_fold, persons)) == {
        row["model"] for row in rows if row["analysis"] == "performance"
    }
    tables = evaluation_tables(done.evaluation)
    assert (
        f"| {name} | cross_validation | minus counts/logistic | auroc | {gained['value']:.3g} (95 % {gained['low']:.3g} to"
        in tables
    )
    assert tables.count("\n## ") == len(ANALYSES)
    opening = report_opening(QUESTION, rows, name, "d", figures)
    assert f"Out of fold, of {persons.size:,} persons with" in opening
    assert f"AUROC minus counts/logistic: {gained['value']:+.3f} ({gained['low']:+.3f} to" in opening
    assert f"| {name} (promoted) | " in opening
    assert "`figures/risk_lupus_roc.png`" in opening
    assert "| 23a Performance | AUROC 0." in tripod_table(QUESTION, done.evaluation, [("index", N)], "d")


@pytest.mark.parametrize("n_cases", [0, 9])
def test_with_too_few_events_nothing_is_claimed(tmp_path: Path, n_cases: int) -> None:
    done = evaluate_question(asked(n_cases), QUESTION, smallest=11, lake=Lake(tmp_path))
    (row,) = done.evaluation.to_pylist()
    assert (row["status"], row["value"], row["n_events"]) == ("insufficient", None, n_cases)
    assert f"No model is claimed: {row['reason']}." in report_opening(QUESTION, [row], "", None, ())
    assert row["reason"] == f"{n_cases} cases and {140 - n_cases} controls; at least 10 of each are needed"
    assert (done.model, done.promoted, done.out_of_fold.num_rows) == (None, None, 0)
    assert "no model is claimed: " in tripod_table(QUESTION, done.evaluation, [("index", N)], None)
    assert risk_figures(done.out_of_fold, done.evaluation, QUESTION, "", {}, smallest=11) == {}
