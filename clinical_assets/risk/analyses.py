"""What else is asked of the promoted model: subgroups, censoring, severe outcome, genetic score, other sites, how many persons it needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.risk.candidates import OutOfFold
from clinical_assets.risk.curves import calibration_rows, contribution_rows, genetic_rows, net_benefit_rows
from clinical_assets.risk.evaluation import Pooled, evaluate, slices
from clinical_assets.risk.experiments import RiskModel, fit_model
from clinical_assets.risk.question import Asked
from clinical_assets.risk.sensitivity import genetic_complement, ipcw_area, optimism_corrected, transfer
from clinical_assets.study.risk import RiskQuestion

__all__ = ["promoted_rows"]

Row = dict[str, Any]
Whole = npt.NDArray[np.int64]


def promoted_rows(
    asked: Asked,
    best: Pooled,
    calibrated: npt.NDArray[np.float64],
    model: RiskModel,
    elsewhere: Sequence[OutOfFold],
    question: RiskQuestion,
    *,
    smallest: int,
    draws: Mapping[str, int],
) -> list[Row]:
    """Return the rows of all analyses of the promoted model but its learning curve.

    Parameters
    ----------
    best
        Its cross-validation.
    calibrated
        Its recalibrated out-of-fold risks, mean over repeats, in the order of the labelled persons.
    model
        Fitted on all cases and controls.
    elsewhere
        Its risks where one site was left out.
    smallest
        Groups of fewer persons are withheld.
    draws
        n_replicates and seed of the bootstrap.
    """
    rows = asked.labelled
    y, persons, features = asked.is_case[rows], asked.features.persons[rows], asked.features.rows(rows)
    named: Row = {"model": best.name}
    crossed: Row = {**named, "design": best.design}
    found = _slice_rows(asked, rows, best, y, question, smallest, draws)
    found += _sample_size(model, y)
    found += _censoring(asked, rows, best, model, y, question, draws)
    found += _severe_rows(asked, rows, best, question, draws)
    genetic, why = genetic_complement(
        best.risk.mean(axis=0), asked.numbers("genetic_score")[rows], y, persons, minimum_events=question.minimum_events, **draws
    )  # fmt: skip
    if why:
        genetic = [_nothing("delta_auroc", why.removeprefix("skipped: "), n=int(y.size), n_events=int(y.sum()))]
    else:
        genetic += genetic_rows(best.risk.mean(axis=0), asked.numbers("genetic_score")[rows], y, smallest=smallest)
    found += [{**named, "analysis": "genetic_score", **row} for row in genetic]
    for part in elsewhere:
        moved = transfer(part.risk, y[part.rows], minimum_events=question.minimum_events, **draws)
        found += [
            {**named, "analysis": "transfer", "design": "site",
             "detail": f"{part.split.label}, recalibration {row.pop('recalibration')}", **row}
            for row in moved
        ]  # fmt: skip
    curve = calibration_rows(calibrated, y, smallest=smallest)
    found += [{**crossed, "analysis": "calibration_curve", **row} for row in curve]
    found += [
        {**crossed, "analysis": "net_benefit", **row} for row in net_benefit_rows(calibrated, y, persons, **draws)
    ]
    if question.models.optimism_draws:
        corrected = optimism_corrected(model.candidate, features, y, question.models)
        found += [{**named, "analysis": "optimism", **row} for row in corrected]
    return found + _contributions(model, asked, rows, y, question, draws)


def _slice_rows(
    asked: Asked, rows: Whole, best: Pooled, y: Whole, question: RiskQuestion, smallest: int, draws: Mapping[str, int]
) -> list[Row]:
    cohort = asked.cohort.take(pa.array(rows))
    ages = cohort.column("age_at_index").to_pylist()
    groups = {
        "sex": cohort.column("gender_concept_id").to_pylist(),
        "race": cohort.column("race_concept_id").to_pylist(),
        "site": cohort.column("care_site_id").to_pylist(),
        "age": [None if a is None else "under 40" if a < 40 else "40 to 59" if a < 60 else "60 and over" for a in ages],
    }
    found = slices(
        best,
        y,
        asked.features.persons[rows],
        groups,
        minimum_events=question.minimum_events,
        smallest=smallest,
        **draws,
    )
    base = {"model": best.name, "analysis": "slice", "design": best.design}
    return [{**base, "detail": f"{r.pop('slice')}={r.pop('group')}", **r} for r in found]


def _sample_size(model: RiskModel, y: Whole) -> list[Row]:
    n_columns = len(model.columns())
    per_column = float(min(y.sum(), y.size - y.sum()) / max(n_columns, 1))
    base: Row = {"model": model.candidate.name, "analysis": "sample_size", "n": int(y.size), "n_events": int(y.sum())}
    return [
        {**base, "metric": metric, "value": value, "low": None, "high": None}
        for metric, value in (("events_per_variable", per_column), ("columns", float(n_columns)))
    ]


def _censoring(
    asked: Asked,
    rows: Whole,
    best: Pooled,
    model: RiskModel,
    y: Whole,
    question: RiskQuestion,
    draws: Mapping[str, int],
) -> list[Row]:
    # the censored ones were in no fold: they are scored by a model of all cases and controls, which has not seen them
    left = np.flatnonzero(np.asarray(asked.cohort.column("reason").to_pylist()) == "follow_up")
    everybody = np.concatenate([rows, left])
    unseen = model.predict(asked.features.rows(left)) if left.size else np.zeros(0)
    outcome, last = asked.numbers("days_till_outcome")[everybody], asked.numbers("days_last_event")[everybody]
    risk = np.concatenate([best.risk.mean(axis=0), unseen])
    area = ipcw_area(risk, outcome, last, question.windows.follow_up_days, **draws)
    return [
        {"model": best.name, "analysis": "censoring", "metric": "auroc_ipcw", "detail": "censored controls weighted",
         "n": int(everybody.size), "n_events": int(y.sum()), "value": area.value, "low": area.low, "high": area.high}
    ]  # fmt: skip


def _severe_rows(
    asked: Asked, rows: Whole, best: Pooled, question: RiskQuestion, draws: Mapping[str, int]
) -> list[Row]:
    """The same scores against the severe outcome in the same window."""
    base: Row = {"model": best.name, "analysis": "severe_outcome", "design": best.design}
    if question.severe is None:
        return [{**base, **_nothing("auroc", "the study names none", n=None, n_events=None)}]
    day = asked.numbers("days_till_severe")[rows]
    severe = ((day > question.windows.buffer_days) & (day <= question.windows.follow_up_days)).astype(np.int64)
    found = evaluate(best, severe, asked.features.persons[rows], minimum_events=question.minimum_events, **draws)
    kept = ("auroc", "average_precision", "prevalence")
    return [{**base, **row} for row in found if row["metric"] in kept or row["metric"].startswith("sensitivity")]


def _contributions(
    model: RiskModel, asked: Asked, rows: Whole, y: Whole, question: RiskQuestion, draws: Mapping[str, int]
) -> list[Row]:
    """Of the LightGBM model of the promoted features, whether or not it is the promoted one."""
    candidate, features = model.candidate, asked.features.rows(rows)
    if candidate.learner != "lightgbm":
        if "lightgbm" not in question.models.learners:
            why = "the study tries no lightgbm, whose contributions they are"
            nothing = _nothing("mean_absolute_contribution", why, n=int(y.size), n_events=int(y.sum()))
            return [{"model": candidate.name, "analysis": "contribution", **nothing}]
        model = fit_model(
            type(candidate)(candidate.feature_set, "lightgbm", candidate.encoder), features, y, question.models
        )
    found = contribution_rows(model, features, y, **draws)
    return [{"model": model.candidate.name, "analysis": "contribution", **row} for row in found]


def _nothing(metric: str, why: str, *, n: int | None, n_events: int | None) -> Row:
    empty = {"value": None, "low": None, "high": None}
    return {"metric": metric, "n": n, "n_events": n_events, **empty, "status": "skipped", "reason": why}
