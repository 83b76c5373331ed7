"""One risk question from features to tables: evaluate the matrix, freeze the promoted model, score, watch for drift."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.progress import Progress
from clinical_assets.risk.analyses import promoted_rows
from clinical_assets.risk.candidates import Candidate, OutOfFold, candidates
from clinical_assets.risk.evaluation import Pooled, differences, evaluate, insufficient, pool
from clinical_assets.risk.experiments import RiskModel, fit_model, run_matrix
from clinical_assets.risk.finished_fits import LakeFits
from clinical_assets.risk.model_store import Frozen
from clinical_assets.risk.question import Asked
from clinical_assets.risk.sensitivity import SHARES, learning_curve
from clinical_assets.risk.splits import Split, by_site, by_time, repeated_folds
from clinical_assets.statistics.recalibration import recalibration
from clinical_assets.statistics.stability import population_stability_index, reference_bins
from clinical_assets.storage.lake import Lake
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
    lake: Lake | None = None,
    log: Callable[[str], None] = lambda line: None,
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
    lake
        Where finished fits are put by, so that a killed evaluation goes on; nowhere if None.
    log
        Told how many fits are done, how fast, and what is left.
    """
    rows = asked.labelled
    features, y = asked.features.rows(rows), asked.is_case[rows]
    why = insufficient(y, question.minimum_events)
    if why:
        row = {"model": "", "analysis": "performance", "metric": "auroc", "status": "insufficient", "reason": why}
        base = {"n": int(y.size), "n_events": int(y.sum()), "value": None, "low": None, "high": None}
        return Evaluated(RISK_OUT_OF_FOLD.empty_table(), _table([{**base, **row}], question), None, None, why)
    settings = question.models
    cells = candidates(settings, features.encoders())
    promoted = promoted_cell(question, features.encoders())
    cv = repeated_folds(y, features.persons, folds=settings.folds, repeats=settings.repeats, seed=settings.seed)
    others = _other_splits(asked, rows, question)
    fits = LakeFits(lake, question.name, features, y, settings, made_at=datetime.now(UTC)) if lake else None
    total = len(cells) * len(cv) + len(others) + len(SHARES) * settings.folds
    done = Progress("fits", total, log).add
    parts = run_matrix(cells, features, y, cv, settings, fits=fits, done=done)
    elsewhere = run_matrix([promoted], features, y, others, settings, fits=fits, done=done)
    draws: dict[str, Any] = {"n_replicates": settings.bootstrap, "seed": settings.seed}
    curve = learning_curve(promoted, features, y, settings, n_replicates=settings.bootstrap, fits=fits, done=done)
    if fits:
        fits.flush()
        fits.forget_others()
        log(f"{total:,} fits are done, {fits.n_reused:,} of them by an evaluation before")
    pooled = {(one.name, one.design, one.label): one for one in pool([*parts, *elsewhere])}
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
    model = fit_model(promoted, features, y, settings)
    out_of_fold = _out_of_fold([*parts, *elsewhere], features.persons, y, question)
    found += promoted_rows(
        asked,
        best,
        mean_risks(out_of_fold, features.persons, "calibrated")[promoted.name],
        model,
        # a model of few events may rank, but nothing is claimed of where it was moved to
        [
            p
            for p in elsewhere
            if p.split.design == "site" and not insufficient(y[p.split.train], question.minimum_events)
        ],
        question,
        smallest=smallest,
        draws=draws,
    )
    found += [
        {"model": promoted.name, "n": int(y.size), "n_events": int(y.sum()), "analysis": "learning_curve", "metric": "auroc",
         "design": "cross_validation", "detail": f"{row.pop('share'):.0%} of training, {row.pop('n_train'):.0f} persons", **row}
        for row in curve
    ]  # fmt: skip
    return Evaluated(out_of_fold, _table(found, question), best, model, "")


def mean_risks(
    out_of_fold: pa.Table, persons: npt.NDArray[np.int64], column: str = "risk"
) -> dict[str, npt.NDArray[np.float64]]:
    """Return model -> risk (or calibrated risk) of each person in cross-validation, mean over repeats, in the order of `persons`."""
    crossed = out_of_fold.filter(pc.equal(out_of_fold.column("design"), "cross_validation"))
    means = crossed.group_by(["model", "person_id"]).aggregate([(column, "mean")])
    found: dict[str, npt.NDArray[np.float64]] = {}
    for name in pc.unique(means.column("model")).to_pylist():
        rows = means.filter(pc.equal(means.column("model"), name))
        ids = rows.column("person_id").to_numpy()
        order = np.argsort(ids)
        place = order[np.searchsorted(ids[order], persons)]
        found[name] = rows.column(f"{column}_mean").to_numpy()[place]
    return found


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
