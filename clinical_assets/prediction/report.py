"""Figures and the Markdown report of a comparison."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from clinical_assets.prediction.classical import CONSTANTS
from clinical_assets.prediction.compare import Compared
from clinical_assets.prediction.evaluation import CELLS, SHOWN
from clinical_assets.prediction.ranking import best_per_metric
from clinical_assets.prediction.store import Asked
from clinical_assets.statistics.calibration import ece, reliability
from clinical_assets.statistics.label_plots import ReliabilityPanel, forest_figure, reliability_figure
from clinical_assets.statistics.prediction_plots import confusion_figure, ranking_figure

__all__ = ["best_table", "comparison_table", "prediction_figures", "prediction_report"]


def prediction_figures(asked: Asked, compared: Compared) -> dict[str, bytes]:
    """Return name -> PNG: confusion tables, ROC and precision-recall curves, calibration, areas with limits; test rows."""
    value = _by_model(compared.results, "test")
    tested = {one.model: one for one in compared.judged if one.design == "test"}
    rows = next(iter(tested.values())).rows
    truth = asked.dataset.y[rows]
    tables = {}
    for model, one in tested.items():
        tp, fp, fn, tn = (float(value[model][cell]["value"]) for cell in CELLS)
        tables[model] = (tp, fp, fn, tn, float((~one.parsed).sum()))
    title = f"{asked.question.name}: test rows"
    figures = {
        "prediction_confusion": confusion_figure(
            tables,
            title=title,
            note="Rows: what happened, and the share of it. Thresholds were chosen on the validation rows. What was not answered is wrong.",
        )
    }
    scores = {model: one.score[0] for model, one in tested.items() if np.ptp(one.score[0]) > 0}
    if scores:
        areas = {model: [_limits(value[model][metric]) for metric in ("auroc", "auprc")] for model in scores}
        figures["prediction_curves"] = ranking_figure(truth, scores, areas, title=title)
        panels = {}
        for model, score in scores.items():
            bins = reliability(truth, score, n_bins=5)
            points = [(b.mean_probability, b.observed, b.lower, b.upper, b.n) for b in bins]
            panels[model] = ReliabilityPanel(points, int(truth.size), ece(truth, score, n_bins=5))
        figures["prediction_calibration"] = reliability_figure(
            panels, title=title, who="P(yes), five bins; lines: 95 % limits"
        )
    models = [model for model in tested if model not in CONSTANTS]
    out = _by_model(compared.results, "cross_validation")
    series: dict[str, list[tuple[float, float | None, float | None] | None]] = {
        name: [_estimate(found.get(model, {}).get("auroc")) for model in models]
        for name, found in (("test rows", value), ("out of fold", out))
    }
    figures["prediction_auroc"] = forest_figure(
        models,
        series,
        title=f"{asked.question.name}: AUROC",
        xlabel="AUROC (0.5 is chance)",
        note="Lines: 95 % limits from drawing persons. Dashed: chance.",
        chance=0.5,
    )
    return figures


def comparison_table(compared: Compared, design: str = "test", subgroup: str = "all") -> list[dict[str, str]]:
    """Return one row a model: metrics with limits, as text."""
    found = []
    for model, of in _by_model(compared.results, design, subgroup).items():
        shown = {metric: _said(of.get(metric)) for metric in (*SHOWN, "calibration_slope", "parsed_rate")}
        cells = {cell: f"{of[cell]['value']:.0f}" for cell in CELLS}
        found.append({"model": model, "n": str(of["auroc"]["n"]), **cells, **shown})
    return found


def best_table(compared: Compared, design: str = "test") -> str:
    """Return metric, the models that are best by it, and their value, as Markdown."""
    best = best_per_metric(_by_model(compared.results, design))
    return _markdown(
        [
            {"metric": metric, "best": ", ".join(models), "value": f"{value:.3f}"}
            for metric, (models, value) in best.items()
        ]
    )


def prediction_report(
    asked: Asked, compared: Compared, facts: Sequence[Mapping[str, Any]], weights: Sequence[Mapping[str, Any]]
) -> str:
    """Return the report as Markdown: conclusions first, then tables. Counts and numbers only.

    Parameters
    ----------
    facts, weights
        Rows of the tables models and weights.
    """
    data, question = asked.dataset, asked.question
    n = {name: int((asked.assigned.split == name).sum()) for name in ("train", "validation", "test")}
    parts = [f"# {question.name}: {question.question}", "", *[f"{sentence}\n" for sentence in compared.said]]
    parts += [
        "## Rows",
        f"{data.n_read} rows read, {data.n_without_outcome} without an outcome, {data.n} asked about, {int(data.y.sum())} yes "
        f"({data.y.mean():.1%}). Train {n['train']}, validation {n['validation']}, test {n['test']}; {question.splits.repeats} x "
        f"{question.splits.folds} folds of the first two.",
        *[f"* {notice}" for notice in data.notices],
        _markdown([{"feature": name, "not recorded": str(k)} for name, k in data.missing().items()]),
        "## Test rows",
        _markdown(comparison_table(compared)),
        "### Best per metric",
        "Before reading it: the highest of many models is high by chance too; see the ranks below.",
        best_table(compared),
        "![confusion tables](figures/prediction_confusion.png)",
        "![curves](figures/prediction_curves.png)",
        "![calibration](figures/prediction_calibration.png)",
        "## Out of fold (repeated cross-validation)",
        _markdown(comparison_table(compared, "cross_validation")),
        "![AUROC with limits](figures/prediction_auroc.png)",
        "## Ranks by AUROC (1 is best)",
        "Limits: where persons are drawn again. Models whose limits overlap have no order.",
        _markdown(_rank_table(compared)),
        "## What fine-tuning changed (test rows)",
        _markdown([
            {"model": r["model"], "metric": r["metric"].removesuffix("_above_zero_shot"), "fine-tuned less zero-shot": _said(r)}
            for r in compared.results if r["metric"].endswith("_above_zero_shot")
        ]),
        "## Accuracy above the commoner answer (test rows)",
        _markdown([
            {"model": r["model"], "difference": _said(r)} for r in compared.results if r["metric"] == "accuracy_above_constant"
        ]),
        "## Pairs (test rows)",
        _markdown([
            {"a": r["model_a"], "b": r["model_b"], "only a right": str(r["a_only_right"]), "only b right": str(r["b_only_right"]),
             "McNemar p (Holm)": f"{r['mcnemar_p_holm']:.3g}",
             "AUROC a - b": _said({"value": r["auroc_difference"], "low": r["auroc_low"], "high": r["auroc_high"]}),
             "DeLong p (Holm)": "" if r["delong_p_holm"] is None else f"{r['delong_p_holm']:.3g}", "verdict": r["verdict"]}
            for r in compared.comparisons if r["model_a"] not in CONSTANTS and r["model_b"] not in CONSTANTS
        ]),
        "## Subgroups (test rows)",
        _markdown([
            {"subgroup": group, **{k: row[k] for k in ("model", "n", "accuracy", "auroc", "recall", "specificity")}}
            for group in sorted({r["subgroup"] for r in compared.results} - {"all"})
            for row in comparison_table(compared, "test", group)
        ]),
        "## What models look at",
        _markdown([
            {"model": w["model"], "kind": w["kind"], "feature": w["feature"], "value": _said(w),
             "kept in": "" if w["share_nonzero"] is None else f"{w['share_nonzero']:.0%}"}
            for w in sorted(weights, key=lambda w: (w["model"], w["kind"], -abs(w["value"])))
        ]),
        "## Cost",
        _markdown([
            {"model": f["model"], "what": f["description"], "trained on": str(f["n_train"]), "seconds": f"{f['seconds']:.1f}",
             "processor seconds": f"{f.get('processor_seconds', 0):.1f}", "peak memory, MiB": f"{f.get('peak_bytes', 0) / 2**20:.0f}",
             "tokens read": "" if f["n_input_tokens"] is None else f"{f['n_input_tokens']:,}",
             "tokens written": "" if f["n_output_tokens"] is None else f"{f['n_output_tokens']:,}"}
            for f in facts if f["model"] not in CONSTANTS
        ]),
        "## Settings",
        "Of adapters as they were saved, which the trainer's own file confirmed.",
        _settings_table(facts),
        "Research use; not a medical device.",
    ]  # fmt: skip
    return "\n\n".join(part for part in parts if part) + "\n"


def _rank_table(compared: Compared) -> list[dict[str, str]]:
    test, out = (_by_model(compared.results, design) for design in ("test", "cross_validation"))
    ranked = [model for model, of in test.items() if "auroc_rank" in of]
    return [
        {
            "model": model,
            "test": _said(test[model].get("auroc_rank"), 1),
            "first": _share(test[model].get("auroc_first")),
            "out of fold": _said(out.get(model, {}).get("auroc_rank"), 1),
            "first out of fold": _share(out.get(model, {}).get("auroc_first")),
        }
        for model in sorted(ranked, key=lambda model: test[model]["auroc_rank"]["value"])
    ]


def _settings_table(facts: Sequence[Mapping[str, Any]]) -> str:
    """One table a family of models that share their settings' names."""
    families: dict[tuple[str, ...], list[dict[str, str]]] = {}
    for fact in facts:
        settings = {name: _setting(value) for name, value in json.loads(fact["settings"]).items() if value is not None}
        if settings:
            families.setdefault(tuple(settings), []).append({"model": fact["model"], **settings})
    return "\n\n".join(_markdown(rows) for rows in families.values()) or "(none)"


def _setting(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _by_model(
    results: Sequence[Mapping[str, Any]], design: str, subgroup: str = "all"
) -> dict[str, dict[str, Mapping[str, Any]]]:
    found: dict[str, dict[str, Mapping[str, Any]]] = {}
    for row in results:
        if row["design"] == design and row["subgroup"] == subgroup:
            found.setdefault(row["model"], {})[row["metric"]] = row
    return found


def _limits(row: Mapping[str, Any]) -> tuple[float | None, float | None, float | None]:
    return row["value"], row["low"], row["high"]


def _estimate(row: Mapping[str, Any] | None) -> tuple[float, float | None, float | None] | None:
    return None if row is None or row["value"] is None else (row["value"], row["low"], row["high"])


def _said(row: Mapping[str, Any] | None, digits: int = 3) -> str:
    if row is None or row["value"] is None:
        return ""
    limits = (
        "" if row["low"] is None or row["high"] is None else f" ({row['low']:.{digits}f} to {row['high']:.{digits}f})"
    )
    return f"{row['value']:.{digits}f}{limits}"


def _share(row: Mapping[str, Any] | None) -> str:
    return "" if row is None or row["value"] is None else f"{row['value']:.0%}"


def _markdown(rows: Sequence[Mapping[str, str]]) -> str:
    if not rows:
        return "(none)"
    names = list(rows[0])
    lines = ["| " + " | ".join(names) + " |", "|" + "---|" * len(names)]
    lines += ["| " + " | ".join(str(row.get(name, "")).replace("|", "/") for name in names) + " |" for row in rows]
    return "\n".join(lines)
