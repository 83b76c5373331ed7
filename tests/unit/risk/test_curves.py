"""The tables behind the figures: what they say, and what they withhold."""

from __future__ import annotations

import numpy as np
import pytest

from clinical_assets.risk.candidates import Candidate
from clinical_assets.risk.curves import calibration_rows, contribution_rows, genetic_rows, net_benefit_rows
from clinical_assets.risk.experiments import fit_model
from clinical_assets.risk.features import Features, dense_block
from clinical_assets.risk.report import column_name
from clinical_assets.statistics.classification import wilson
from clinical_assets.statistics.risk_plots import contribution_figure
from clinical_assets.study.risk import RiskModels


def large() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    x, g = rng.normal(size=(2, 3000))
    y = (rng.random(3000) < 1 / (1 + np.exp(-(x + g)))).astype(np.int64)
    return 1 / (1 + np.exp(-x)), np.where(rng.random(3000) < 0.9, g, np.nan), y


def test_event_rates_by_decile_and_tertile_are_those_of_a_plain_count() -> None:
    risk, genetic, y = large()
    known = ~np.isnan(genetic)
    rows = {row["detail"]: row for row in genetic_rows(risk, genetic, y, smallest=11)}
    assert len(rows) == 11 * 4
    deciles = np.searchsorted(np.quantile(risk[known], np.arange(1, 10) / 10), risk[known])
    tertiles = np.searchsorted(np.quantile(genetic[known], [1 / 3, 2 / 3]), genetic[known])
    shown = 0
    for d in range(10):
        for t in range(3):
            cell = y[known][(deciles == d) & (tertiles == t)]
            row = rows[f"decile {d + 1} of risk, tertile {t + 1} of genetic score"]
            if row.get("status") == "withheld":
                assert (row["value"], row["n"], row["n_events"]) == (None, None, None)
                continue
            shown += 1
            assert (row["n"], row["n_events"]) == (cell.size, cell.sum())
            assert row["value"] == pytest.approx(cell.mean())
            assert (row["low"], row["high"]) == pytest.approx(wilson(cell.sum(), cell.size))
    assert shown > 15
    whole = rows["all deciles of risk, all tertiles of genetic score"]
    assert (whole["n"], whole["n_events"]) == (known.sum(), y[known].sum())
    top = [rows[f"all deciles of risk, tertile {t} of genetic score"]["value"] for t in (1, 2, 3)]
    assert top == sorted(top)


def test_few_persons_are_withheld_and_cannot_be_worked_out() -> None:
    risk, genetic, y = (values[:160] for values in large())
    rows = {row["detail"]: row for row in genetic_rows(risk, genetic, y, smallest=11)}
    cells = {(d, t): rows[f"decile {d} of risk, tertile {t} of genetic score"] for d in range(1, 11) for t in (1, 2, 3)}
    assert sum(row.get("status") == "withheld" for row in cells.values()) >= 20
    assert all(row["n"] == 0 or row["n"] >= 11 for row in rows.values() if row["n"] is not None)
    assert all(
        row["n_events"] in (0, row["n"]) or 11 <= row["n_events"] <= row["n"] - 11 for row in rows.values() if row["n"]
    )
    for t in (1, 2, 3):  # where the margin is shown, not one cell alone is missing from it
        column = [cells[d, t]["n"] for d in range(1, 11)]
        if rows[f"all deciles of risk, tertile {t} of genetic score"]["n"] is not None:
            assert column.count(None) != 1
    assert genetic_rows(risk, np.full(160, np.nan), y, smallest=11) == []


def test_calibration_and_net_benefit_by_hand() -> None:
    risk = np.repeat([0.05, 0.25, 0.65], [20, 20, 5])
    y = np.concatenate([np.eye(1, 20)[0], np.r_[np.ones(5), np.zeros(15)], np.ones(5)]).astype(np.int64)
    rows = {(row["detail"], row["metric"]): row for row in calibration_rows(risk, y, smallest=11)}
    assert rows["risk 0.0 to 0.1", "observed"]["value"] == pytest.approx(1 / 20)
    assert rows["risk 0.2 to 0.3", "mean_risk"]["value"] == pytest.approx(0.25)
    assert rows["risk 0.2 to 0.3", "observed"]["low"] == pytest.approx(wilson(5, 20)[0])
    assert rows["risk 0.6 to 0.7", "observed"]["status"] == "withheld"
    assert ("risk 0.6 to 0.7", "mean_risk") not in rows
    found = {
        (row["detail"], row["metric"]): row
        for row in net_benefit_rows(risk, y, np.arange(45), n_replicates=200, seed=0)
    }
    at = found["from a risk of 0.20", "net_benefit"]
    assert at["value"] == pytest.approx(10 / 45 - 15 / 45 * 0.25)
    assert at["low"] < at["value"] < at["high"]
    assert found["from a risk of 0.20", "net_benefit_treat_all"]["value"] == pytest.approx(11 / 45 - 34 / 45 * 0.25)


def test_contributions_name_the_column_that_decides() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(3, 200))
    y = (x[1] + 0.3 * rng.normal(size=200) > 0).astype(np.int64)
    blocks = {
        "demo": dense_block("demo", {"age": x[0]}),
        "lab": dense_block("lab", {"3020460": x[1], "other": x[2]}),
    }
    features = Features(np.arange(200), blocks)
    model = fit_model(Candidate("counts", "lightgbm"), features, y, RiskModels())
    rows = contribution_rows(model, features, y, n_replicates=100, seed=0)
    value = {row["detail"]: row["value"] for row in rows}
    assert value["lab__3020460"] == max(v for name, v in value.items() if not name.startswith("block"))
    assert value["block lab"] > value["block demo"]
    assert all(row["low"] <= row["value"] <= row["high"] for row in rows)
    logistic = fit_model(Candidate("counts", "logistic"), features, y, RiskModels())
    with pytest.raises(ValueError, match="LightGBM's"):
        contribution_rows(logistic, features, y, n_replicates=100, seed=0)
    names = {"3020460": "C reactive protein"}
    assert column_name("lab__3020460", names) == "lab: C reactive protein"
    assert column_name("lab__3020460_missing", names) == "lab: C reactive protein_missing"
    assert column_name("demo__age", names) == "demo__age"
    bars = [(column_name(row["detail"], names), row["value"], row["low"], row["high"]) for row in rows]
    assert contribution_figure(bars, n=200, title="x").startswith(b"\x89PNG")
