"""Areas, limits, calibration, net benefit, weights and drift against scikit-learn, statsmodels and hand sums."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.statistics.censoring import ipcw_weights
from clinical_assets.statistics.decision_curve import net_benefit, top_share
from clinical_assets.statistics.recalibration import (
    calibration,
    calibration_errors,
    logistic_fit,
    recalibration,
    smooth_curve,
)
from clinical_assets.statistics.roc import (
    auroc,
    average_precision,
    bootstrap_ranking,
    delong,
    delong_covariance,
    delong_difference,
)
from clinical_assets.statistics.stability import population_stability_index, reference_bins

rows = st.lists(
    st.tuples(st.booleans(), st.integers(0, 8).map(lambda k: k / 8), st.integers(0, 3)), min_size=2, max_size=40
).filter(lambda r: any(g and w for g, _, w in r) and any(not g and w for g, _, w in r))


def simulated(n: int = 600, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Gold, its true risk, and a noisy one."""
    rng = np.random.default_rng(seed)
    x, e = rng.normal(size=n), rng.normal(size=n)
    p = 1 / (1 + np.exp(-(x - 1)))
    return (rng.random(n) < p).astype(int), p, 1 / (1 + np.exp(-(x + e)))


@settings(max_examples=80, deadline=None)
@given(rows)
def test_areas_agree_with_scikit_learn_for_any_weights_and_ties(given_rows) -> None:
    from sklearn.metrics import average_precision_score, roc_auc_score

    gold, score, weight = (np.array(c, dtype=float) for c in zip(*given_rows, strict=True))
    assert auroc(gold, score) == pytest.approx(roc_auc_score(gold, score))
    found = auroc(gold, score, np.stack([weight, weight * 2]))
    assert found == pytest.approx([roc_auc_score(gold, score, sample_weight=weight)] * 2)
    assert average_precision(gold, score, weight) == pytest.approx(
        average_precision_score(gold, score, sample_weight=weight)
    )


def test_delong_is_the_structural_components_of_the_definition() -> None:
    gold, p, q = simulated(150)
    psi = (p[gold == 1][:, None] > p[gold == 0]) + 0.5 * (p[gold == 1][:, None] == p[gold == 0])
    variance = psi.mean(axis=1).var(ddof=1) / gold.sum() + psi.mean(axis=0).var(ddof=1) / (1 - gold).sum()
    areas, covariance = delong_covariance(gold, np.stack([p, q]))
    assert areas == pytest.approx([auroc(gold, p), auroc(gold, q)])
    assert covariance[0, 0] == pytest.approx(variance)
    gained = delong_difference(gold, p, q)
    assert gained.value == pytest.approx(areas[0] - areas[1])
    assert gained.low < gained.value < gained.high
    assert delong_difference(gold, p, p).p_value == 1


def test_delong_and_the_bootstrap_give_the_same_limits() -> None:
    gold, p, q = simulated(800)
    drawn, exact = bootstrap_ranking(gold, p, np.arange(800), n_replicates=2000), delong(gold, p)
    assert (drawn.value, drawn.low, drawn.high) == pytest.approx((exact.value, exact.low, exact.high), abs=0.004)
    drawn, exact = bootstrap_ranking(gold, p, np.arange(800), minus=q, n_replicates=2000), delong_difference(gold, p, q)
    assert (drawn.value, drawn.low, drawn.high) == pytest.approx((exact.value, exact.low, exact.high), abs=0.006)


def test_delong_limits_hold_what_they_promise() -> None:
    inside = 0
    for seed in range(200):
        rng = np.random.default_rng(seed)
        gold = (np.arange(120) < 40).astype(int)
        found = delong(gold, rng.normal(size=120) + gold)
        inside += found.low <= 0.7602499 <= found.high  # P(N(1, 1) > N(0, 1))
    assert 180 <= inside <= 199


def test_a_separated_or_single_class_is_said_to_be_undefined_or_exact() -> None:
    assert np.isnan(auroc([1, 1], [0.2, 0.3]))
    assert np.isnan(delong([1, 1, 1], [0.2, 0.3, 0.4]).low)
    assert delong([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]).value == 1
    with pytest.raises(ValueError, match="finite"):
        auroc([1, 0], [np.nan, 1])


@pytest.mark.parametrize("seed", [0, 1])
def test_intercept_and_slope_agree_with_statsmodels(seed: int) -> None:
    import statsmodels.api as sm

    gold, p, _ = simulated(seed=seed)
    risk = np.clip(p**1.5, 0.001, 0.999)
    x = np.log(risk / (1 - risk))
    slope = sm.GLM(gold, sm.add_constant(x), family=sm.families.Binomial()).fit()
    large = sm.GLM(gold, np.ones((gold.size, 1)), family=sm.families.Binomial(), offset=x).fit()
    found = calibration(gold, risk)
    assert (found.slope, found.slope_error) == pytest.approx((slope.params[1], slope.bse[1]), rel=1e-5)
    assert (found.intercept, found.intercept_error) == pytest.approx((large.params[0], large.bse[0]), rel=1e-5)
    beta, error = logistic_fit(sm.add_constant(x), gold)
    assert beta == pytest.approx(slope.params, rel=1e-5)
    assert error == pytest.approx(slope.bse, rel=1e-5)


def test_recalibration_mends_what_it_says_and_the_curve_shows_it() -> None:
    gold, p, _ = simulated(8000)
    shifted = 1 / (1 + np.exp(-(0.6 * np.log(p / (1 - p)) + 0.8)))
    assert calibration_errors(gold, p).ici < 0.015 < 0.1 < calibration_errors(gold, shifted).ici
    mended = recalibration(gold, shifted, "logistic").apply(shifted)
    found = calibration(gold, mended)
    assert (found.intercept, found.slope) == pytest.approx((0, 1), abs=1e-6)
    by_intercept = calibration(gold, recalibration(gold, shifted, "intercept").apply(shifted))
    assert by_intercept.intercept == pytest.approx(0, abs=1e-6)
    assert by_intercept.slope == pytest.approx(calibration(gold, shifted).slope)
    assert recalibration(gold, shifted, "none").apply(shifted) == pytest.approx(shifted)
    assert smooth_curve(gold, p, [0.1, 0.5]) == pytest.approx([0.1, 0.5], abs=0.03)


def test_net_benefit_and_the_top_are_sums_by_hand() -> None:
    gold, risk = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.4, 0.1, 0.1])
    curve = net_benefit(gold, risk, [0.2, 0.5], n_replicates=100)
    assert curve.model == pytest.approx([2 / 5 - 1 / 5 * 0.25, 1 / 5])
    assert curve.treat_all == pytest.approx([2 / 5 - 3 / 5 * 0.25, 2 / 5 - 3 / 5])
    top = top_share(gold, risk, 0.4)
    assert (top.n, top.sensitivity.value, top.ppv.value) == (2, 0.5, 0.5)
    tied = top_share([1, 0, 0, 0], [0.5] * 4, 0.25)
    assert (tied.n, tied.sensitivity.value, tied.ppv.value) == (1, 0.25, 0.25)


def test_weights_undo_random_censoring() -> None:
    rng = np.random.default_rng(0)
    n = 20_000
    x = rng.normal(size=n)
    event, leave = rng.exponential(np.exp(-x)), rng.exponential(2.0, size=n)
    true_area = auroc(event <= 1.0, x)
    is_case, weights = ipcw_weights(np.minimum(event, leave), event <= leave, 1.0)
    assert auroc(is_case, x, weights) == pytest.approx(true_area, abs=0.01)
    assert weights.sum() == pytest.approx(n, rel=0.03)
    nobody_left, ones = ipcw_weights(event, np.ones(n), 1.0)
    assert set(ones) == {1.0}
    assert nobody_left.tolist() == (event <= 1.0).tolist()


def test_weights_agree_with_the_censoring_curve_of_lifelines() -> None:
    from lifelines import KaplanMeierFitter

    rng = np.random.default_rng(1)
    times, events = rng.integers(1, 40, size=300).astype(float) + rng.random(300), rng.random(300) < 0.5
    is_case, weights = ipcw_weights(times, events, 20.0)
    staying = KaplanMeierFitter().fit(times, ~events)
    for t, case, w in zip(times, is_case, weights, strict=True):
        if t > 20 or case:
            at = 20.0 if t > 20 else t - 1e-9
            assert w == pytest.approx(1 / float(staying.survival_function_at_times(at).iloc[0]))
        else:
            assert w == 0


def test_stability_is_zero_for_the_same_and_counts_missing_values() -> None:
    x = np.linspace(0, 1, 1000)
    edges, shares = reference_bins(x)
    assert shares.tolist() == pytest.approx([0.1] * 10 + [0.0])
    assert population_stability_index(edges, shares, x) == pytest.approx(0, abs=1e-12)
    assert population_stability_index(edges, shares, x**2) > 0.1
    assert population_stability_index(edges, shares, np.where(x < 0.5, np.nan, x)) > 1
    by_hand = (0.2 - 0.5) * np.log(0.2 / 0.5) + (0.8 - 0.5) * np.log(0.8 / 0.5)
    edges, shares = reference_bins([0, 1] * 5)
    assert population_stability_index(edges, shares, [0] * 2 + [1] * 8) == pytest.approx(by_hand)
