"""What else must hold of a risk: censored persons, other sites, fewer training persons, a genetic score, a severe outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.risk.candidates import Candidate
from clinical_assets.risk.evaluation import insufficient
from clinical_assets.risk.experiments import fit_model, run_matrix
from clinical_assets.risk.features import Features
from clinical_assets.risk.finished_fits import Fits
from clinical_assets.risk.splits import Split, repeated_folds
from clinical_assets.statistics.bootstrap import interval, replicate
from clinical_assets.statistics.censoring import ipcw_weights
from clinical_assets.statistics.recalibration import calibration, logistic_fit, recalibration
from clinical_assets.statistics.roc import Estimate, auroc, bootstrap_ranking
from clinical_assets.study.risk import RiskModels

__all__ = ["SHARES", "genetic_complement", "ipcw_area", "learning_curve", "optimism_corrected", "transfer"]

Floats = npt.NDArray[np.float64]
Whole = npt.NDArray[np.int64]
Row = dict[str, Any]

SHARES = (0.25, 0.5, 0.75)  # of the training persons


def ipcw_area(
    risk: npt.ArrayLike,
    days_till_outcome: npt.ArrayLike,
    days_last_event: npt.ArrayLike,
    horizon: float,
    *,
    n_replicates: int,
    seed: int,
) -> Estimate:
    """Return the area at the horizon with the persons whom the windows remove for short follow-up, as censored.

    Parameters
    ----------
    risk
        Shape (n,), of cases, controls and those removed for ``follow_up``.
    days_till_outcome, days_last_event
        Shape (n,), days from the index; no outcome is nan.
    horizon
        The question's follow-up, days.

    Raises
    ------
    ValueError
        As `censoring.ipcw_weights`.
    """
    outcome, last = np.asarray(days_till_outcome, dtype=np.float64), np.asarray(days_last_event, dtype=np.float64)
    happened = ~np.isnan(outcome)
    durations = np.where(happened, outcome, last)
    is_case, weights = ipcw_weights(durations, happened, horizon)
    value = float(auroc(is_case, risk, weights))
    draws = replicate(
        np.arange(durations.size),
        lambda w: np.asarray(auroc(is_case, risk, w * weights)),
        n_replicates=n_replicates,
        seed=seed,
    )
    return Estimate(value, *interval(draws))


def transfer(frozen: npt.ArrayLike, y: Whole, *, seed: int, n_replicates: int, minimum_events: int = 10) -> list[Row]:
    """Return how a frozen model does at another site: as it is, with its intercept mended, with intercept and slope mended.

    Mending is fitted on four fifths of the site's persons and applied to the rest, in turn. It changes calibration, and ranks only
    across the parts.

    Parameters
    ----------
    frozen, y
        Shape (n,): risks of the site's persons by a model that has not seen them, and what became of them.

    Returns
    -------
    list
        Rows recalibration, metric (auroc, calibration_intercept, calibration_slope, brier), value, low, high, n, n_events, status,
        reason.
    """
    frozen = np.asarray(frozen, dtype=np.float64)
    base = {"n": int(y.size), "n_events": int(y.sum())}
    why = insufficient(y, minimum_events)
    if why:
        nan = float("nan")
        row = {"recalibration": "none", "metric": "auroc", "value": nan, "low": nan, "high": nan}
        return [{**row, **base, "status": "insufficient", "reason": why}]
    rows: list[Row] = []
    for method in ("none", "intercept", "logistic"):
        mended = frozen.copy()
        if method != "none":
            for part in repeated_folds(y, np.arange(y.size), folds=5, repeats=1, seed=seed):
                mended[part.test] = recalibration(y[part.train], frozen[part.train], method).apply(frozen[part.test])
        area = bootstrap_ranking(y, mended, np.arange(y.size), n_replicates=n_replicates, seed=seed)
        weak = calibration(y, mended)
        z = 1.959963984540054
        loss = np.asarray((mended - y) ** 2, dtype=np.float64)
        draws = replicate(np.arange(y.size), partial(_mean_of, loss), n_replicates=n_replicates, seed=seed)
        numbers = {
            "auroc": (area.value, area.low, area.high),
            "calibration_intercept": _wald(weak.intercept, weak.intercept_error, z),
            "calibration_slope": _wald(weak.slope, weak.slope_error, z),
            "brier": (float(loss.mean()), *interval(draws)),
        }
        for metric, (value, low, high) in numbers.items():
            limits = {"metric": metric, "value": value, "low": low, "high": high}
            rows.append({"recalibration": method, **limits, **base, "status": "evaluated", "reason": ""})
    return rows


def learning_curve(
    candidate: Candidate,
    features: Features,
    y: Whole,
    settings: RiskModels,
    *,
    shares: Sequence[float] = SHARES,
    n_replicates: int,
    fits: Fits | None = None,
    done: Callable[[int], None] = lambda n: None,
) -> list[Row]:
    """Return the area by share of the training persons, the test parts being the same; that of all of them is the performance itself.

    Returns
    -------
    list
        Rows share, n_train (mean over folds), value, low, high.
    """
    splits = repeated_folds(y, features.persons, folds=settings.folds, repeats=1, seed=settings.seed)
    rows = []
    for share in shares:
        smaller = [_thinned(split, y, share, settings.seed) for split in splits]
        parts = run_matrix([candidate], features, y, smaller, settings, fits=fits, done=done)
        risk = np.full(y.size, np.nan)
        for part in parts:
            risk[part.rows] = part.risk
        if np.isnan(risk).any():
            continue
        found = bootstrap_ranking(y, risk, features.persons, n_replicates=n_replicates, seed=settings.seed)
        n = float(np.mean([split.train.size for split in smaller]))
        rows.append({"share": share, "n_train": n, "value": found.value, "low": found.low, "high": found.high})
    return rows


def genetic_complement(
    risk: npt.ArrayLike,
    genetic: npt.ArrayLike,
    y: Whole,
    persons: npt.ArrayLike,
    *,
    minimum_events: int,
    n_replicates: int,
    seed: int,
) -> tuple[list[Row], str]:
    """Return what a genetic score adds to a risk, among those who have one; or nothing and the reason why it was skipped.

    Logistic regressions of the outcome on the logit of the risk, without and with the score: the likelihood ratio test (1 degree of
    freedom), the odds ratio per unit of the score, and the difference in area of the two fits.

    Parameters
    ----------
    risk
        Shape (n,), out of fold.
    genetic
        Shape (n,), nan where absent.

    Returns
    -------
    rows, reason
        Rows metric, value, low, high, n, n_events; reason is empty where there are rows.
    """
    from scipy.special import expit, logit
    from scipy.stats import chi2

    score = np.asarray(genetic, dtype=np.float64)
    known = ~np.isnan(score)
    if not known.any():
        return [], "skipped: nobody has a genetic score"
    why = insufficient(y[known], minimum_events)
    if why:
        return [], f"skipped: among those with a genetic score {why}"
    truth, groups = y[known], np.asarray(persons)[known]
    x = logit(np.clip(np.asarray(risk, dtype=np.float64)[known], 1e-6, 1 - 1e-6))
    small = np.stack([np.ones_like(x), x], axis=1)
    large = np.stack([np.ones_like(x), x, score[known]], axis=1)
    fits = [logistic_fit(design, truth.astype(np.float64)) for design in (small, large)]
    z = [design @ fit[0] for design, fit in zip((small, large), fits, strict=True)]
    log_likelihood = [float(np.sum(truth * one - np.logaddexp(0, one))) for one in z]
    statistic = max(0.0, 2 * (log_likelihood[1] - log_likelihood[0]))
    beta, error = float(fits[1][0][2]), float(fits[1][1][2])
    gained = bootstrap_ranking(truth, expit(z[1]), groups, minus=expit(z[0]), n_replicates=n_replicates, seed=seed)
    base = {"n": int(truth.size), "n_events": int(truth.sum())}
    nan = float("nan")
    found = {
        "likelihood_ratio": (statistic, nan, nan),
        "p_value": (float(chi2.sf(statistic, 1)), nan, nan),
        "odds_ratio": (float(np.exp(beta)), *(float(np.exp(beta + side * 1.959964 * error)) for side in (-1, 1))),
        "delta_auroc": (gained.value, gained.low, gained.high),
    }
    return [{"metric": k, "value": v[0], "low": v[1], "high": v[2], **base} for k, v in found.items()], ""


def optimism_corrected(candidate: Candidate, features: Features, y: Whole, settings: RiskModels) -> list[Row]:
    """Return the apparent area, how far it flatters, and the area without that: Harrell's bootstrap (Harrell et al. 1996).

    In each of ``settings.optimism_draws`` draws of persons the whole model - preparation and learner - is fitted on the drawn and judged
    on them and on everybody; the mean difference is the optimism. Limits of it are percentiles over draws; those of the corrected area
    are the apparent area less these (Noma et al. 2021, location-shifted). For small data, beside cross-validation.

    Returns
    -------
    list
        Rows metric (auroc_apparent, optimism, auroc_corrected), value, low, high, n, n_events; and draws with one class are left out.
    """
    rng, everybody = np.random.default_rng(settings.seed), np.arange(y.size)
    apparent = float(auroc(y, fit_model(candidate, features, y, settings).predict(features)))
    gaps = []
    for _ in range(settings.optimism_draws):
        drawn = rng.choice(everybody, y.size)
        if not 1 < y[drawn].sum() < y.size - 1:
            continue
        model = fit_model(candidate, features.rows(drawn), y[drawn], settings)
        risk = model.predict(features)
        gaps.append(float(auroc(y[drawn], risk[drawn])) - float(auroc(y, risk)))
    mean = float(np.mean(gaps)) if gaps else float("nan")
    low, high = interval(np.asarray(gaps)) if len(gaps) >= 20 else (float("nan"), float("nan"))
    base = {"n": int(y.size), "n_events": int(y.sum()), "detail": f"{len(gaps)} draws"}
    found = {
        "auroc_apparent": (apparent, None, None),
        "optimism": (mean, low, high),
        "auroc_corrected": (apparent - mean, apparent - high, apparent - low),
    }
    return [{"metric": k, "value": v[0], "low": v[1], "high": v[2], **base} for k, v in found.items()]


def _thinned(split: Split, y: Whole, share: float, seed: int) -> Split:
    """Keep a share of the training rows of each class; larger shares hold the smaller ones."""
    order = np.random.default_rng([seed, split.fold]).permutation(split.train.size)
    kept = []
    for side in (0, 1):
        rows = split.train[order][y[split.train[order]] == side]
        kept.append(rows[: max(2, round(share * rows.size))])
    return Split(split.design, split.repeat, split.fold, split.label, np.sort(np.concatenate(kept)), split.test)


def _mean_of(values: Floats, weights: Floats) -> Floats:
    return np.asarray((weights @ values) / weights.sum(axis=1))


def _wald(value: float, error: float, z: float) -> tuple[float, float, float]:
    return value, value - z * error, value + z * error
