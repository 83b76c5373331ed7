"""What stands first in the report of a risk question: the question, the answer in words, the models side by side, what the numbers mean."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from clinical_assets.study.risk import RiskQuestion

__all__ = ["report_opening"]

_SHOWN = ("auroc", "average_precision", "calibration_slope", "ici")
_MEANING = (
    "AUROC: how often a case has a higher risk than a control. Average precision: to be held against the prevalence. Calibration slope and "
    "intercept: 1 and 0 where risks are neither too extreme nor too high. ICI, E50, E90: mean, median and 90th percentile of the distance "
    "between predicted and observed risk. Net benefit: true positives less false ones, weighted by the threshold (Vickers and Elkin 2006). "
    "Limits: 95 %, from drawing persons."
)


def report_opening(
    question: RiskQuestion, rows: Sequence[Mapping[str, Any]], model: str, digest: str | None, figures: Collection[str]
) -> str:
    """Return the opening as Markdown.

    Parameters
    ----------
    rows
        Of risk/evaluation.
    model
        Name of the model that would be promoted; empty where none was evaluated.
    digest
        Of the promoted model; None if none.
    figures
        Names of the figures beside the report.
    """
    w = question.windows
    lines = [
        f"# Risk of {question.name}",
        "",
        f"Of persons with an index event (concepts {_listed(question.index.concepts)}): who gets the outcome (concepts "
        f"{_listed(question.outcome.concepts)}) from day {w.buffer_days + 1} to {w.follow_up_days} after it?",
        "",
        *_answer(rows, model, digest),
        "",
        "Research use; not a medical device. These persons are of one data set: validate a model on your own before it is of use.",
    ]
    compared: dict[str, dict[str, str]] = {}
    for row in rows:
        if (row["analysis"], row["detail"]) == ("performance", "") and row["model"] and row["metric"] in _SHOWN:
            compared.setdefault(row["model"], {})[row["metric"]] = _number(row)
    if compared:
        lines += ["", "| model | AUROC | average precision | calibration slope | ICI |", "|---|---|---|---|---|"]
        lines += [
            f"| {name}{' (promoted)' if digest and name == model else ''} | "
            + " | ".join(values.get(metric, "") for metric in _SHOWN)
            + " |"
            for name, values in compared.items()
        ]
        lines += ["", _MEANING]
    if figures:
        lines += ["", "Figures: " + ", ".join(f"`figures/{name}.png`" for name in sorted(figures)) + "."]
    return "\n".join(lines) + "\n"


def _answer(rows: Sequence[Mapping[str, Any]], model: str, digest: str | None) -> list[str]:
    insufficient = next((row["reason"] for row in rows if row["status"] == "insufficient" and row["model"] == ""), None)
    if insufficient or not model:
        return [f"No model is claimed: {insufficient or 'nothing was evaluated'}."]
    own = {
        row["metric"]: row
        for row in rows
        if (row["model"], row["analysis"], row["detail"]) == (model, "performance", "")
    }
    area = own.get("auroc")
    if area is None:
        return [f"{model} was not evaluated."]
    told = f"Out of fold, of {area['n']:,} persons with {area['n_events']:,} cases, {model} has an AUROC of {_number(area)}"
    if "average_precision" in own and "prevalence" in own:
        told += f" and an average precision of {_number(own['average_precision'])} at a prevalence of {own['prevalence']['value']:.3f}"
    lines = [told + f". {'It scores persons (risk.person_scores).' if digest else 'No model is promoted.'}"]
    for row in rows:
        if (row["model"], row["analysis"], row["metric"]) == (model, "difference", "auroc") and row[
            "value"
        ] is not None:
            apart = row["low"] is not None and (row["low"] > 0 or row["high"] < 0)
            lines += ["", f"AUROC {row['detail']}: {_number(row, '+.3f')}{'' if apart else ', not distinguishable'}."]
    return lines


def _listed(concepts: Sequence[int]) -> str:
    return ", ".join(map(str, concepts))


def _number(row: Mapping[str, Any], form: str = ".3f") -> str:
    if row["value"] is None:
        return f"not reported: {row['reason'] or 'undefined'}"
    limits = (
        f" ({row['low']:{form}} to {row['high']:{form}})" if row["low"] is not None and row["high"] is not None else ""
    )
    return f"{row['value']:{form}}{limits}"
