"""What is shown of a risk question: figures from out-of-fold risks, and the TRIPOD+AI table filled from what the assets hold."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.risk.chain import mean_risks
from clinical_assets.study.risk import RiskQuestion

__all__ = ["column_name", "evaluation_tables", "risk_figures", "tripod_table"]

_MOST_MODELS = 6


def risk_figures(
    out_of_fold: pa.Table,
    evaluation: pa.Table,
    question: RiskQuestion,
    model: str,
    names: Mapping[str, str],
    *,
    smallest: int,
) -> dict[str, bytes]:
    """Return name -> PNG: ROC and decision curves of the learner's feature sets, calibration and contributions of the promoted one.

    Nothing where there is no out-of-fold risk. Risks are means over repeats.

    Parameters
    ----------
    model
        Name of the promoted model.
    names
        Concept id -> name, for the columns that count codes.
    """
    from clinical_assets.statistics.risk_plots import (
        calibration_figure,
        contribution_figure,
        decision_figure,
        roc_figure,
    )

    crossed = out_of_fold.filter(pc.equal(out_of_fold.column("design"), "cross_validation"))
    if not crossed.num_rows:
        return {}
    persons = np.unique(crossed.column("person_id").to_numpy())
    cases = np.unique(crossed.filter(crossed.column("is_case")).column("person_id").to_numpy())
    truth = np.isin(persons, cases).astype(np.float64)
    risk, mended = mean_risks(crossed, persons), mean_risks(crossed, persons, "calibrated")
    learner = question.models.promoted_learner
    shown = [one for one in sorted(risk) if learner in one.split("/") and one != model][: _MOST_MODELS - 1]
    shown.append(model)
    title = f"{question.name}: {model}, recalibrated"
    found = {
        "roc": roc_figure(truth, {one: risk[one] for one in shown}, title=f"{question.name}: out-of-fold ROC"),
        "calibration": calibration_figure(truth, mended[model], title=title, smallest=smallest),
        "decision": decision_figure(
            truth, {one: mended[one] for one in shown}, title=f"{question.name}: net benefit of recalibrated risks"
        ),
    }
    moved = [r for r in evaluation.to_pylist() if r["analysis"] == "contribution" and r["status"] == "evaluated"]
    if moved:
        bars = [(column_name(row["detail"], names), row["value"], row["low"], row["high"]) for row in moved]
        title = f"{question.name}: {moved[0]['model']}, what moves the log-odds"
        if moved[0]["model"] != model:
            title += f"\n(the promoted model is {model}, which has no such contributions)"
        found["contributions"] = contribution_figure(bars, n=moved[0]["n"], title=title)
    return {f"risk_{question.name}_{kind}": png for kind, png in found.items()}


def column_name(column: str, names: Mapping[str, str]) -> str:
    """Return what a column of the model is called in figures: a concept by its name, others as they are."""
    block, _, rest = column.partition("__")
    concept = rest.removesuffix("_missing")
    return f"{block}: {names[concept]}{rest.removeprefix(concept)}" if concept in names else column


def evaluation_tables(evaluation: pa.Table) -> str:
    """Return the numbers behind the figures, and all others, as Markdown tables, one an analysis, with limits."""
    lines = []
    rows = evaluation.to_pylist()
    for analysis, title in _TITLES.items():
        own = [row for row in rows if row["analysis"] == analysis]
        if not own:
            continue
        lines += [
            "",
            f"## {title}",
            "",
            "| model | design | detail | metric | value (95 %) | n | cases |",
            "|---|---|---|---|--:|--:|--:|",
        ]
        for row in own:
            cells = [row["model"], row["design"], row["detail"], row["metric"], _shown(row), row["n"], row["n_events"]]
            lines.append(
                "| " + " | ".join("" if cell is None else str(cell).replace("|", "/") for cell in cells) + " |"
            )
    return "\n".join(lines) + "\n"


_TITLES = {
    "performance": "Performance",
    "difference": "Differences of feature sets, the same persons",
    "calibration_curve": "Observed against predicted risk (recalibrated, out of fold)",
    "net_benefit": "Net benefit (recalibrated, out of fold); of treating nobody it is 0",
    "slice": "Subgroups; small ones withheld",
    "transfer": "Other sites",
    "censoring": "Persons whose follow-up was too short, weighted",
    "severe_outcome": "The severe outcome, by the same risks",
    "genetic_score": "Genetic score",
    "learning_curve": "Learning curve",
    "optimism": "Optimism-corrected bootstrap",
    "sample_size": "Sample size",
    "contribution": "Contributions (TreeSHAP of LightGBM, training persons)",
}


def tripod_table(
    question: RiskQuestion, evaluation: pa.Table, attrition: list[tuple[str, int]], digest: str | None
) -> str:
    """Return the TRIPOD+AI items (Collins et al. 2024) as a Markdown table: a value of an asset, or why it is not reported.

    Parameters
    ----------
    question
        Of the study.
    evaluation
        Rows of risk/evaluation.
    attrition
        Step and persons left after it.
    digest
        Of the promoted model; None if none.
    """
    rows = evaluation.to_pylist()

    def number(metric: str, analysis: str = "performance", detail: str = "") -> str:
        for row in rows:
            match = (row["metric"], row["analysis"], row["detail"]) == (metric, analysis, detail)
            if match and row["model"].startswith(
                question.models.promoted_feature_set + "/" + question.models.promoted_learner
            ):
                return _shown(row)
        return "not reported: not evaluated"

    w, m = question.windows, question.models
    insufficient = next((row["reason"] for row in rows if row["status"] == "insufficient" and row["model"] == ""), "")
    model = (
        "no model is claimed: " + insufficient if insufficient else f"{m.promoted_feature_set}, {m.promoted_learner}"
    )
    gone = {row["reason"] for row in rows if row["analysis"] == "genetic_score" and row["status"] == "skipped"}
    human = "not reported: to be written by the authors"
    n_slices = len({row["detail"] for row in rows if row["analysis"] == "slice" and row["status"] == "evaluated"})
    sites = [
        row for row in rows if row["analysis"] == "transfer" and row["metric"] == "auroc" and "none" in row["detail"]
    ]
    items = {
        "1 Title": f"Development and internal validation of a model of the risk of {question.name}",
        "2 Abstract": human,
        "3a-c Background, health inequalities": human,
        "4 Objectives": f"Risk of the outcome in ({w.buffer_days}, {w.follow_up_days}] days after the index event",
        "5a-b Data and dates": "OMOP CDM snapshot; source and dates in ops.batches and cdm_source",
        "6a-c Participants": f"Index concepts {question.index.concepts}; age above {w.age_above} up to {w.age_up_to}; first record at the "
        f"latest {w.look_back_days} days before; exclusions {', '.join(sorted(question.exclusions)) or 'none'} ({w.exclusions})",
        "7 Data preparation": "counts: log and standardised; missing values: median with indicator; embeddings: at most "
        f"{m.components} components a domain; all fitted inside folds",
        "8a-c Outcome": f"First record of concepts {question.outcome.concepts}; no human assessors",
        "9a-c Predictors": f"Strictly before the index; {number('columns', 'sample_size')} columns",
        "10 Sample size": f"Events per column {number('events_per_variable', 'sample_size')}; at least {question.minimum_events} a class",
        "11 Missing data": "median and indicator, fitted in the fold; persons without follow-up in the censoring analysis: "
        + number("auroc_ipcw", "censoring", "censored controls weighted"),
        "12a-g Analysis": f"{m.repeats} x {m.folds}-fold stratified cross-validation by person, leave-one-site-out"
        + (f", time split at {m.time_split}" if m.time_split else ", no time split")
        + f"; learners {', '.join(m.learners)}; tuning {'by optuna in training parts' if m.tuning_trials else 'of the penalty only'}",
        "13 Class imbalance": f"class weight {m.class_weight}, undone in the risks; oversampling {m.oversampling}",
        "14 Fairness": f"{n_slices} subgroups evaluated in risk.performance (analysis slice); small ones withheld",
        "15 Model output": "risk, recalibrated risk, percentile, band (low, medium from the 50th, high from the 90th percentile)",
        "16 Training against evaluation": "; ".join(f"site {r['detail'].split(',')[0]}: {_shown(r)}" for r in sites)
        or "one site only",
        "17 Ethics": human,
        "18a-f Open science": f"code: this project; model digest {digest or 'none'}; data are not shared",
        "19 Patient and public involvement": human,
        "20-21 Participants": "; ".join(f"{step} {n}" for step, n in attrition),
        "22 Model specification": f"{model}; models/risk_{question.name}/{digest or '-'} (JSON, safetensors, LightGBM text)",
        "23a Performance": f"AUROC {number('auroc')}; average precision {number('average_precision')} at prevalence "
        f"{number('prevalence')}; Brier {number('brier')}; calibration slope {number('calibration_slope')}, intercept "
        f"{number('calibration_intercept')}, ICI {number('ici')}",
        "23b Heterogeneity": f"{n_slices} subgroups and {len(sites)} sites in risk.performance",
        "24 Updating": "recalibration none, intercept, logistic per site in risk.performance (analysis transfer)",
        "25 Interpretation": human,
        "26 Limitations": "routine records; an absent code is no proof of health"
        + (f"; genetic score {'; '.join(sorted(gone))}" if gone else ""),
        "27a-c Usability": "research use; not a medical device",
    }
    lines = [f"# TRIPOD+AI: {question.name}", "", "| item | reported |", "|---|---|"]
    return "\n".join([*lines, *(f"| {item} | {text.replace('|', '/')} |" for item, text in items.items())]) + "\n"


def _shown(row: dict[str, Any]) -> str:
    if row["value"] is None or not np.isfinite(row["value"]):
        return f"not reported: {row['reason'] or 'undefined'}"
    text = f"{row['value']:.3g}"
    return (
        f"{text} (95 % {row['low']:.3g} to {row['high']:.3g})"
        if row["low"] is not None and row["high"] is not None
        else text
    )
