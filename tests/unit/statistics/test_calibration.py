"""Calibration against scikit-learn, and thresholds against trying every one."""

from __future__ import annotations

import warnings
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.statistics.calibration import Platt, brier, choose_threshold, ece, fit_platt, reliability
from clinical_assets.statistics.classification import count, metrics, wilson

probability = st.one_of(st.floats(0, 1), st.sampled_from([0.0, 0.1, 0.3, 0.5, 0.7, 1.0]))
scored = st.lists(st.tuples(st.booleans(), probability), min_size=1, max_size=60)


def perfect(n_each=20):
    """Items whose gold is true exactly as often as their probability says."""
    p = np.repeat([0.05, 0.25, 0.5, 0.75, 0.95], n_each)
    gold = np.concatenate([np.arange(n_each) < round(share * n_each) for share in (0.05, 0.25, 0.5, 0.75, 0.95)])
    return gold, p


@settings(max_examples=100, deadline=None)
@given(scored)
def test_brier_agrees_with_scikit_learn(rows) -> None:
    from sklearn.metrics import brier_score_loss

    gold, p = (np.array(column) for column in zip(*rows, strict=True))
    assert brier(gold, p) == pytest.approx(brier_score_loss(gold, p, pos_label=True), abs=1e-12)


def test_ece_of_calibrated_probabilities_is_zero_and_shifting_them_shows() -> None:
    gold, p = perfect()
    assert ece(gold, p) == pytest.approx(0, abs=1e-12)
    assert ece(gold, np.clip(p + 0.04, 0, 1)) == pytest.approx(0.04)
    assert ece([1, 1, 0, 0], [0, 0, 1, 1]) == 1


@settings(max_examples=100, deadline=None)
@given(scored, st.integers(1, 15))
def test_ece_is_what_the_formula_says_bin_by_bin(rows, n_bins) -> None:
    gold, p = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    total = 0.0
    for m in range(n_bins):
        inside = (p > m / n_bins) & (p <= (m + 1) / n_bins) | ((m == 0) & (p == 0))
        if inside.any():
            total += inside.sum() / p.size * abs(gold[inside].mean() - p[inside].mean())
    assert ece(gold, p, n_bins) == pytest.approx(total, abs=1e-12)


@settings(max_examples=100, deadline=None)
@given(scored, st.integers(1, 15))
def test_bins_hold_every_item_once(rows, n_bins) -> None:
    gold, p = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    bins = reliability(gold, p, n_bins)
    assert [one.low for one in bins] == [i / n_bins for i in range(n_bins)]
    assert [one.high for one in bins] == [(i + 1) / n_bins for i in range(n_bins)]
    assert sum(one.n for one in bins) == p.size
    filled = [one for one in bins if one.n]
    assert sum(one.n * one.observed for one in filled) == pytest.approx(gold.sum())
    assert sum(one.n * one.mean_probability for one in filled) == pytest.approx(p.sum())
    for one in filled:
        assert one.low - 1e-12 <= one.mean_probability <= one.high + 1e-12


def test_a_bin_holds_its_upper_edge_and_its_limits_are_wilsons() -> None:
    bins = reliability([1, 0, 1, 1, 0], [0.0, 0.1, 0.7, 0.65, 1.0])
    assert [one.n for one in bins] == [2, 0, 0, 0, 0, 0, 2, 0, 0, 1]
    assert (bins[0].observed, bins[0].mean_probability) == (0.5, 0.05)
    assert (bins[0].lower, bins[0].upper) == wilson(1, 2)
    empty = bins[1]
    assert np.isnan([empty.mean_probability, empty.observed, empty.lower, empty.upper]).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.booleans(), probability), min_size=4, max_size=60))
def test_platt_agrees_with_a_weighted_logistic_regression(rows) -> None:
    from sklearn.linear_model import LogisticRegression

    gold, p = (np.array(column) for column in zip(*rows, strict=True))
    found = fit_platt(gold, p)
    x = np.log(np.clip(p, 1e-6, 1 - 1e-6) / (1 - np.clip(p, 1e-6, 1 - 1e-6)))
    n_true, n_false = gold.sum(), (~gold).sum()
    target = np.where(gold, (n_true + 1) / (n_true + 2), 1 / (n_false + 2))
    if np.ptp(x) < 0.01:
        return  # the slope hangs on nothing
    # each item once as true and once as false, by how much its target is either
    design, weights = np.concatenate([x, x])[:, None], np.concatenate([target, 1 - target])
    classes = np.repeat([1, 0], x.size)
    scale = x.std()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        reference = LogisticRegression(C=np.inf, tol=1e-10, max_iter=2000, solver="newton-cholesky")
        reference.fit(design / scale, classes, sample_weight=weights)
    expected = reference.predict_proba(x[:, None] / scale)[:, 1]
    np.testing.assert_allclose(found.apply(p), expected, atol=1e-5)
    # an intercept in the fit: means of what is fitted and of the targets are the same
    assert found.apply(p).mean() == pytest.approx(target.mean(), abs=1e-6)


def test_platt_mends_overconfident_probabilities() -> None:
    generator = np.random.default_rng(3)
    logit = generator.normal(0, 1.5, 20_000)
    gold = generator.random(logit.size) < 1 / (1 + np.exp(-logit))
    said = 1 / (1 + np.exp(-(1 + 3 * logit)))
    found = fit_platt(gold, said)
    assert found.slope == pytest.approx(1 / 3, abs=0.02)
    assert found.intercept == pytest.approx(-1 / 3, abs=0.05)
    mended = found.apply(said)
    assert ece(gold, mended) < 0.02 < ece(gold, said)
    assert brier(gold, mended) < brier(gold, said)


def test_platt_is_finite_where_classes_part_and_accepts_zero_and_one() -> None:
    found = fit_platt([0, 0, 0, 1, 1], [0.0, 0.0, 0.2, 0.9, 1.0])
    assert np.isfinite([found.intercept, found.slope]).all()
    assert found.slope > 0
    low, high = found.apply([0.0, 1.0])
    assert 0 < low < 0.3 < 0.7 < high < 1


def test_platt_of_one_class_stays_away_from_zero() -> None:
    p = np.array([0.1, 0.2, 0.4])
    np.testing.assert_allclose(fit_platt([0, 0, 0], p).apply(p), 1 / 5, atol=1e-5)


def test_platt_of_equal_probabilities_moves_them_to_the_mean_target() -> None:
    found = fit_platt([1, 0, 0, 0], [0.9] * 4)
    assert found.slope == 1
    assert found.apply([0.9])[0] == pytest.approx((2 / 3 + 3 / 5) / 4)


def test_identity_changes_nothing() -> None:
    np.testing.assert_allclose(Platt(0, 1).apply([[0.2, 0.7], [0.5, 0.99]]), [[0.2, 0.7], [0.5, 0.99]])
    np.testing.assert_allclose(Platt(0, 1).apply([0, 1]), [1e-6, 1 - 1e-6])


coarse = st.lists(st.tuples(st.booleans(), st.integers(0, 20)), min_size=10, max_size=80)


@settings(max_examples=200, deadline=None)
@given(coarse, st.sampled_from(["f1", "accuracy", "balanced_accuracy", "mcc", "kappa"]))
def test_no_other_threshold_is_better_or_as_good_and_nearer_to_a_half(rows, metric) -> None:
    gold, p = np.array([g for g, _ in rows]), np.array([k for _, k in rows]) / 20
    chosen = choose_threshold(gold, p, metric)
    if min(gold.sum(), (~gold).sum()) < 5:
        assert chosen == 0.5
        return

    def score(threshold):
        value = getattr(metrics(count(gold, p >= threshold)), metric)
        return -np.inf if np.isnan(value) else value

    points = sorted({0.0, 1.0, *p})
    candidates = [(a + b) / 2 for a, b in pairwise(points)] + ([0.0] if p.min() == 0 else [])
    best = max(map(score, [*candidates, 0.0]))
    assert score(chosen) == pytest.approx(best, abs=1e-9)
    assert chosen in candidates
    for other in candidates:
        if score(other) >= best - 1e-12:
            assert abs(chosen - 0.5) <= abs(other - 0.5)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.floats(0, 1)), min_size=10, max_size=40))
def test_the_threshold_is_best_among_all_cuts_of_any_floats(rows) -> None:
    gold, p = (np.array(column) for column in zip(*rows, strict=True))
    if min(gold.sum(), (~gold).sum()) >= 5:
        best = max(metrics(count(gold, p >= cut)).f1 for cut in p)
        assert metrics(count(gold, p >= choose_threshold(gold, p))).f1 == pytest.approx(best)


@pytest.mark.parametrize("low", [0.1, 0.3, np.nextafter(0.3, 1)])
def test_the_threshold_parts_neighbouring_floats(low) -> None:
    gold, p = np.repeat([False, True], 5), np.repeat([low, np.nextafter(low, 1)], 5)
    assert metrics(count(gold, p >= choose_threshold(gold, p))).f1 == 1


def test_threshold_by_hand() -> None:
    gold = np.repeat([False, True], [6, 5])
    p = np.array([0.1, 0.1, 0.2, 0.2, 0.2, 0.2, 0.3, 0.3, 0.3, 0.8, 0.9])
    assert choose_threshold(gold, p) == pytest.approx(0.25)
    assert choose_threshold(gold[1:], p[1:]) == pytest.approx(0.25)  # five of each are enough
    assert choose_threshold(gold[2:], p[2:]) == 0.5
    assert choose_threshold(gold[:-1], p[:-1]) == 0.5
    assert choose_threshold(np.repeat([False, True], 5), np.repeat([0.2, 0.6], 5)) == pytest.approx(0.4)


def test_ties_go_to_the_threshold_nearest_a_half() -> None:
    gold, p = np.repeat([False, True], 5), np.full(10, 0.1)  # all true or all false: nothing else can be chosen
    assert choose_threshold(gold, p, "balanced_accuracy") == pytest.approx(0.55)  # (0.1 + 1) / 2, not 0.05
    assert choose_threshold(gold, p) == pytest.approx(0.05)  # only all true has an F1 above 0


def test_nothing_is_undefined() -> None:
    assert np.isnan([ece([], []), brier([], [])]).all()
    assert all(one.n == 0 for one in reliability([], []))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: brier([1, 0], [0.5]), r"one length; got shapes \(2,\) and \(1,\)"),
        (lambda: ece([1, None], [0.5, 0.5]), "gold must be true or false; 1 of 2 are missing"),
        (lambda: ece([1, 0], [0.5, 1.5]), "1 of 2 are not, e.g. 1.5"),
        (lambda: brier([1, 0], [0.5, np.nan]), "1 of 2 are not, e.g. nan"),
        (lambda: reliability([1], [0.5], 0), "n_bins is 0"),
        (lambda: fit_platt([], []), "nothing to fit"),
        (lambda: Platt(0, 1).apply([-0.1]), "between 0 and 1"),
        (lambda: choose_threshold([1], [0.5], "auc"), "metric is 'auc'; expected one of accuracy"),
    ],
)
def test_what_is_wrong_is_named(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
