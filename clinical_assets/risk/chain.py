"""One risk question from features to tables: evaluate the matrix, freeze the promoted model, score, watch for drift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.risk.evaluation import Pooled, differences, evaluate, insufficient, pool, slices
from clinical_assets.risk.experiments import Candidate, OutOfFold, RiskModel, candidates, fit_model, run_matrix
from clinical_assets.risk.model_store import Frozen
from clinical_assets.risk.question import Asked
from clinical_assets.risk.sensitivity import genetic_complement, ipcw_area, learning_curve, transfer
from clinical_assets.risk.splits import Split, by_site, by_time, repeated_folds
from clinical_assets.statistics.recalibration import recalibration
from clinical_assets.statistics.stability import population_stability_index, reference_bins
from clinical_assets.storage.risk_contracts import RISK_DRIFT, RISK_EVALUATION, RISK_OUT_OF_FOLD, RISK_SCORES
from clinical_assets.study.risk import RiskQuestion

__all__ = ["Evaluated", "drift_rows", "evaluate_question", "freeze", "promoted_cell", "score_rows"]

Row = dict[str, Any]
Whole = npt.NDArray[np.int64]
_EMPTY = {"design": "", "detail": "", "status": "evaluated", "reason": ""}
_BANDS = ((90.0, "high"), (50.0, "medium"), (0.0, "low"))


@dataclass(frozen=True)
class Evaluated:
    """What came of the matrix.

    Attributes
    ----------
    out_of_fold, evaluation
        Rows of the lake tables of that name.
    promoted
        The pooled cross-validation of the promoted model; None where there were too few events.
    model
        The promoted model on all cases and controls, likewise.
    reason
        Why no model is claimed; empty where one is.
    """

    out_of_fold: pa.Table
    evaluation: pa.Table
    promoted: Pooled | None
    model: RiskModel | None
    reason: str


def promoted_cell(question: RiskQuestion, encoders: list[str]) -> Candidate:
    """Return the cell whose model gives the scores: that of the study, with the first of its encoders (or of those there are).

    Raises
    ------
    ValueError
        If it needs embeddings and there are none.
    """
    chosen = question.models
    if "embeddings" not in chosen.promoted_feature_set.split("+"):
        return Candidate(chosen.promoted_feature_set, chosen.promoted_learner)
    known = [one for one in (chosen.encoders or encoders) if one in encoders]
    if not known:
        raise ValueError(f"promoted_feature_set {chosen.promoted_feature_set}: no embeddings of any encoder are there")
    return Candidate(chosen.promoted_feature_set, chosen.promoted_learner, known[0])


def evaluate_question(
    asked: Asked,
    question: RiskQuestion,
    *,
    smallest: int,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Evaluated:
    """Return out-of-fold risks and all numbers of a question. With too few events: one row that says so, and no model.

    Parameters
    ----------
    asked
        Persons and features.
    question
        Of the study.
    smallest
        Groups of fewer persons are withheld from the slices.
    progress
        Told how many splits are done.
    """
    rows = asked.labelled
    features, y = asked.features.rows(rows), asked.is_case[rows]
    why = insufficient(y, question.minimum_events)
    if why:
        row = {"model": "", "analysis": "performance", "metric": "auroc", "status": "insufficient", "reason": why}
        base = {"n": int(y.size), "n_events": int(y.sum()), "value": None, "low": None, "high": None}
        return Evaluated(RISK_OUT_OF_FOLD.empty_table(), _table([{**_EMPTY, **base, **row}], question), None, None, why)
    settings = question.models
    cells = candidates(settings, features.encoders())
    promoted = promoted_cell(question, features.encoders())
    cv = repeated_folds(y, features.persons, folds=settings.folds, repeats=settings.repeats, seed=settings.seed)
    others = _other_splits(asked, rows, question)
    total = len(cv) + len(others)
    parts = run_matrix(cells, features, y, cv, settings, progress=lambda done, _: progress(done, total))
    parts += run_matrix(
        [promoted], features, y, others, settings, progress=lambda done, _: progress(len(cv) + done, total)
    )
    pooled = {(one.name, one.design, one.label): one for one in pool(parts)}
    draws: dict[str, Any] = {"n_replicates": settings.bootstrap, "seed": settings.seed}
    found: list[Row] = []
    for (name, design, label), one in pooled.items():
        found += [
            {"model": name, "analysis": "performance", "design": design, "detail": label, **row}
            for row in evaluate(one, y, features.persons, minimum_events=question.minimum_events, **draws)
        ]
    by_name = {name: one for (name, design, _), one in pooled.items() if design == "cross_validation"}
    found += [
        {"analysis": "difference", "design": "cross_validation", "detail": f"minus {row.pop('minus')}", **row}
        for row in differences(by_name, _pairs(cells), y, features.persons, **draws)
    ]
    best = by_name[promoted.name]
    found += _slice_rows(asked, rows, best, y, question, smallest, draws)
    model = fit_model(promoted, features, y, settings)
    found += _more_rows(asked, rows, y, best, model, question, draws)
    return Evaluated(_out_of_fold(parts, features.persons, y, question), _table(found, question), best, model, "")


def freeze(asked: Asked, promoted: Pooled, model: RiskModel) -> Frozen:
    """Return the promoted model with its calibration and what drift is measured against."""
    rows = asked.labelled
    features, y = asked.features.rows(rows), asked.is_case[rows]
    matrix, risk = model.matrix(features), promoted.risk.mean(axis=0)
    columns = {name: reference_bins(matrix[:, j]) for j, name in enumerate(model.columns())}
    columns["score"] = reference_bins(risk)
    return Frozen(model, recalibration(y, risk, "logistic"), np.sort(risk), np.sort(features.persons), columns)


def score_rows(
    asked: Asked, question: RiskQuestion, frozen: Frozen, digest: str, *, made_at: datetime, run_id: str
) -> pa.Table:
    """Return the scores of everybody who fits the question, those with an unknown outcome among them."""
    risk = frozen.model.predict(asked.features)
    percentile = 100.0 * np.searchsorted(frozen.reference, risk, side="right") / frozen.reference.size
    persons, n = asked.features.persons, asked.features.persons.size
    trained = np.isin(persons, frozen.trained_on)
    candidate = frozen.model.candidate
    return pa.table(
        {
            "question": [question.name] * n,
            "model": [candidate.name] * n,
            "model_sha": [digest] * n,
            "feature_set": [candidate.feature_set] * n,
            "person_id": persons,
            "index_date": asked.cohort.column("index_date"),
            "is_new": ~trained,
            "probability": risk,
            "calibrated": frozen.calibration.apply(risk),
            "percentile": percentile,
            "band": [next(name for least, name in _BANDS if value >= least) for value in percentile],
            "made_at": pa.array([made_at] * n, RISK_SCORES.field("made_at").type),
            "run_id": [run_id] * n,
        },
        schema=RISK_SCORES,
    )


def drift_rows(asked: Asked, question: RiskQuestion, frozen: Frozen, digest: str) -> pa.Table:
    """Return the stability index of every column and of the score: new persons against those it was trained on."""
    new = np.flatnonzero(~np.isin(asked.features.persons, frozen.trained_on))
    features = asked.features.rows(new)
    values: dict[str, npt.NDArray[np.float64]] = {}
    if new.size:
        matrix = frozen.model.matrix(features).astype(np.float64)
        values = dict(zip(frozen.model.columns(), matrix.T, strict=True))
        values["score"] = frozen.model.predict(features)
    rows = [
        {
            "question": question.name,
            "model": frozen.model.candidate.name,
            "model_sha": digest,
            "feature": name,
            "psi": population_stability_index(*bins, values[name]) if new.size else None,
            "n_training": int(frozen.trained_on.size),
            "n_new": int(new.size),
        }
        for name, bins in frozen.columns.items()
    ]
    return pa.Table.from_pylist(rows, schema=RISK_DRIFT)


# --- parts ---


def _other_splits(asked: Asked, rows: Whole, question: RiskQuestion) -> list[Split]:
    sites = np.asarray(asked.cohort.column("care_site_id").to_pylist(), dtype=object)[rows]
    found = by_site(sites)
    if question.models.time_split is not None:
        days = [day.toordinal() for day in asked.cohort.column("index_date").to_pylist()]
        found.append(by_time(np.asarray(days)[rows], question.models.time_split.toordinal()))
    return found


def _pairs(cells: list[Candidate]) -> list[tuple[str, str]]:
    """Each model with more feature sets against those with fewer, the same learner and encoder."""
    pairs = []
    for a in cells:
        for b in cells:
            more, fewer = set(a.feature_set.split("+")), set(b.feature_set.split("+"))
            if a.learner == b.learner and fewer < more and (not b.encoder or a.encoder == b.encoder):
                pairs.append((a.name, b.name))
    return pairs


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
    return [
        {
            "model": best.name,
            "analysis": "slice",
            "design": best.design,
            "detail": f"{r.pop('slice')}={r.pop('group')}",
            **r,
        }
        for r in found
    ]


def _more_rows(
    asked: Asked,
    rows: Whole,
    y: Whole,
    best: Pooled,
    model: RiskModel,
    question: RiskQuestion,
    draws: Mapping[str, int],
) -> list[Row]:
    """Censoring, severe outcome, genetic score, transfer, learning curve, sample size: of the promoted model."""
    settings, windows, promoted, features = (
        question.models,
        question.windows,
        model.candidate,
        asked.features.rows(rows),
    )
    risk = best.risk.mean(axis=0)
    base = {"model": promoted.name, "n": int(y.size), "n_events": int(y.sum())}
    found: list[Row] = []
    n_columns = len(model.columns())
    per_column = float(min(y.sum(), y.size - y.sum()) / max(n_columns, 1))
    found += [
        {**base, "analysis": "sample_size", "metric": metric, "value": value, "low": None, "high": None}
        for metric, value in (("events_per_variable", per_column), ("columns", float(n_columns)))
    ]
    # the censored ones were in no fold: they are scored by a model of all cases and controls, which has not seen them
    left = np.flatnonzero(np.asarray(asked.cohort.column("reason").to_pylist()) == "follow_up")
    everybody = np.concatenate([rows, left])
    unseen = model.predict(asked.features.rows(left)) if left.size else np.zeros(0)
    outcome, last = asked.numbers("days_till_outcome")[everybody], asked.numbers("days_last_event")[everybody]
    area = ipcw_area(np.concatenate([risk, unseen]), outcome, last, windows.follow_up_days, **draws)
    found.append(
        {**base, "analysis": "censoring", "metric": "auroc_ipcw", "n": int(everybody.size), "detail": "censored controls weighted",
         "value": area.value, "low": area.low, "high": area.high}
    )  # fmt: skip
    found += _severe_rows(asked, rows, best, question, draws)
    genetic, why = genetic_complement(
        risk, asked.numbers("genetic_score")[rows], y, features.persons, minimum_events=question.minimum_events, **draws
    )
    found += [{"model": promoted.name, "analysis": "genetic_score", **row} for row in genetic]
    if why:
        found.append(_nothing(base, "genetic_score", "delta_auroc", why.removeprefix("skipped: "), "skipped"))
    sites = np.asarray(asked.cohort.column("care_site_id").to_pylist(), dtype=object)[rows]
    for split in by_site(sites):
        if insufficient(y[split.train], question.minimum_events):
            continue
        elsewhere = fit_model(promoted, features.rows(split.train), y[split.train], settings)
        moved = transfer(
            elsewhere, features.rows(split.test), y[split.test], minimum_events=question.minimum_events, **draws
        )
        found += [
            {"model": promoted.name, "analysis": "transfer", "design": "site",
             "detail": f"{split.label}, recalibration {row.pop('recalibration')}", **row}
            for row in moved
        ]  # fmt: skip
    curve = learning_curve(promoted, features, y, settings, n_replicates=settings.bootstrap)
    found += [
        {**base, "analysis": "learning_curve", "metric": "auroc", "design": "cross_validation",
         "detail": f"{row.pop('share'):.0%} of training, {row.pop('n_train'):.0f} persons", **row}
        for row in curve
    ]  # fmt: skip
    return found


def _severe_rows(
    asked: Asked, rows: Whole, best: Pooled, question: RiskQuestion, draws: Mapping[str, int]
) -> list[Row]:
    """The same scores against the severe outcome in the same window."""
    base: Row = {"model": best.name, "analysis": "severe_outcome", "design": best.design}
    if question.severe is None:
        return [
            _nothing(
                {**base, "n": None, "n_events": None}, "severe_outcome", "auroc", "the study names none", "skipped"
            )
        ]
    day = asked.numbers("days_till_severe")[rows]
    severe = ((day > question.windows.buffer_days) & (day <= question.windows.follow_up_days)).astype(np.int64)
    found = evaluate(best, severe, asked.features.persons[rows], minimum_events=question.minimum_events, **draws)
    kept = ("auroc", "average_precision", "prevalence")
    return [{**base, **row} for row in found if row["metric"] in kept or row["metric"].startswith("sensitivity")]


def _nothing(base: Row, analysis: str, metric: str, why: str, status: str) -> Row:
    return {
        **base,
        "analysis": analysis,
        "metric": metric,
        "value": None,
        "low": None,
        "high": None,
        "status": status,
        "reason": why,
    }


def _table(rows: list[Row], question: RiskQuestion) -> pa.Table:
    def plain(row: Row) -> Row:
        number = {k: (None if isinstance(v, float) and not np.isfinite(v) else v) for k, v in row.items()}
        return {**_EMPTY, "question": question.name, **number}

    return pa.Table.from_pylist([plain(row) for row in rows], schema=RISK_EVALUATION)


def _out_of_fold(parts: list[OutOfFold], persons: npt.NDArray[np.int64], y: Whole, question: RiskQuestion) -> pa.Table:
    """Risks as they came, and recalibrated: of each part by the other parts of its repeat; where there is one part only, as it is."""
    groups: dict[tuple[str, str, int], list[OutOfFold]] = {}
    for part in parts:
        groups.setdefault((part.candidate.name, part.split.design, part.split.repeat), []).append(part)
    tables = []
    for (name, design, repeat), members in groups.items():
        for part in members:
            rest = [other for other in members if other is not part and design == "cross_validation"]
            mended = part.risk
            if rest:
                truth, risk = y[np.concatenate([o.rows for o in rest])], np.concatenate([o.risk for o in rest])
                mended = recalibration(truth, risk, "logistic").apply(part.risk)
            n = part.rows.size
            columns: dict[str, Any] = {
                "question": [question.name] * n,
                "model": [name] * n,
                "design": [design] * n,
                "label": [part.split.label] * n,
                "repeat": np.full(n, repeat, dtype=np.int32),
                "fold": np.full(n, part.split.fold, dtype=np.int32),
                "person_id": persons[part.rows],
                "is_case": y[part.rows].astype(bool),
                "risk": part.risk,
                "calibrated": mended,
            }
            tables.append(pa.table(columns, schema=RISK_OUT_OF_FOLD))
    return pa.concat_tables(tables) if tables else RISK_OUT_OF_FOLD.empty_table()
