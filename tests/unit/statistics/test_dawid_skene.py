"""Dawid-Skene on simulated raters whose errors are known, and EM's own guarantees."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from clinical_assets.statistics.dawid_skene import dawid_skene

SENSITIVITY = np.array([0.95, 0.9, 0.8, 0.7, 0.6])
SPECIFICITY = np.array([0.9, 0.97, 0.85, 0.75, 0.9])
rating = st.sampled_from([0.0, 1.0, np.nan])
tables = st.integers(3, 5).flatmap(
    lambda r: st.lists(st.lists(rating, min_size=r, max_size=r), min_size=1, max_size=30).map(np.array)
)


def simulated(n, prevalence, *, missing=0.0, seed=0, sensitivity=SENSITIVITY, specificity=SPECIFICITY):
    generator = np.random.default_rng(seed)
    truth = generator.random(n) < prevalence
    right = generator.random((n, sensitivity.size)) < np.where(truth[:, None], sensitivity, specificity)
    ratings = np.where(right, truth[:, None], ~truth[:, None]).astype(float)
    ratings[generator.random(ratings.shape) < missing] = np.nan
    return truth, ratings


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_simulated_raters_are_recovered(missing) -> None:
    truth, ratings = simulated(6000, 0.3, missing=missing)
    found = dawid_skene(ratings)
    assert found.converged
    assert found.prevalence == pytest.approx(0.3, abs=0.02)
    np.testing.assert_allclose(found.sensitivity, SENSITIVITY, atol=0.04)
    np.testing.assert_allclose(found.specificity, SPECIFICITY, atol=0.04)
    # probabilities mean what they say, and beat the majority
    sure = (found.posterior > 0.9) | (found.posterior < 0.1)
    said = np.where(found.posterior[sure] > 0.5, found.posterior[sure], 1 - found.posterior[sure])
    assert ((found.posterior[sure] > 0.5) == truth[sure]).mean() == pytest.approx(said.mean(), abs=0.015)
    majority = np.nanmean(ratings, axis=1) > 0.5
    assert ((found.posterior > 0.5) == truth).mean() > (majority == truth).mean()


def test_a_good_rater_outvotes_two_poor_ones() -> None:
    poor = np.array([0.97, 0.97, 0.6, 0.6, 0.6])
    truth, ratings = simulated(3000, 0.4, sensitivity=poor, specificity=poor)
    found = dawid_skene(ratings)
    outvoted = (ratings[:, :2] == 1).all(axis=1) & (ratings[:, 2:] == 0).all(axis=1)
    assert outvoted.sum() > 20
    assert (found.posterior[outvoted] > 0.5).all()
    assert truth[outvoted].mean() > 0.9


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("prevalence", [0.01, 0.03, 0.97])
def test_a_rare_class_is_found_where_raters_seldom_call_it_wrongly(prevalence, seed) -> None:
    rare, common = np.full(3, 0.85), np.full(3, 0.95)
    sensitivity, specificity = (rare, common) if prevalence < 0.5 else (common, rare)
    truth, ratings = simulated(300, prevalence, seed=seed, sensitivity=sensitivity, specificity=specificity)
    found = dawid_skene(ratings, max_iterations=2000)
    assert abs(found.prevalence - truth.mean()) < 0.06
    assert (found.sensitivity + found.specificity > 1).all()
    assert ((found.posterior > 0.5) == truth).mean() > 0.95


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.parametrize("prevalence", [0.02, 0.5, 0.98])
def test_true_and_false_do_not_trade_places_even_with_raters_that_err_much(prevalence, seed) -> None:
    rates = np.full(3, 0.8)
    truth, ratings = simulated(200, prevalence, seed=seed, sensitivity=rates, specificity=rates)
    found = dawid_skene(ratings, max_iterations=2000)
    assert (found.sensitivity + found.specificity > 1).all()
    assert ((found.posterior > 0.5) == truth).mean() > 0.75


def test_a_field_that_nobody_calls_true_does_not_degenerate() -> None:
    found = dawid_skene(np.zeros((50, 3)))
    assert 0 < found.prevalence < 0.05
    assert (found.posterior < 0.01).all()
    assert (found.specificity > 0.95).all()
    assert np.isfinite(found.sensitivity).all()


def test_items_on_which_all_agree_are_nearly_certain() -> None:
    _, ratings = simulated(500, 0.4)
    found = dawid_skene(ratings)
    assert (found.posterior[(ratings == 1).all(axis=1)] > 0.99).all()
    assert (found.posterior[(ratings == 0).all(axis=1)] < 0.01).all()


def test_items_and_raters_without_ratings() -> None:
    _, ratings = simulated(400, 0.3)
    found = dawid_skene(ratings)
    wider = np.vstack([np.column_stack([ratings, np.full(400, np.nan)]), np.full((30, 6), np.nan)])
    more = dawid_skene(wider)
    assert more.prevalence == pytest.approx(found.prevalence, abs=1e-12)
    np.testing.assert_allclose(more.posterior, [*found.posterior, *[found.prevalence] * 30])
    np.testing.assert_allclose(more.sensitivity, [*found.sensitivity, np.nan])
    np.testing.assert_allclose(more.specificity, [*found.specificity, np.nan])


def density(ratings, fit):
    """The log posterior density that EM climbs, written out item by item."""
    total = 0.5 * np.log(fit.prevalence) + 0.5 * np.log(1 - fit.prevalence)
    for rate, rated in zip([*fit.sensitivity, *fit.specificity], [*ratings.T, *ratings.T], strict=True):
        if not np.isnan(rated).all():
            total += 2 * np.log(rate) + np.log(1 - rate)
    for row in ratings:
        true, false = fit.prevalence, 1 - fit.prevalence
        for said, se, sp in zip(row, fit.sensitivity, fit.specificity, strict=True):
            if not np.isnan(said):
                true *= se if said else 1 - se
                false *= 1 - sp if said else sp
        total += np.log(true + false)
    return total


@settings(max_examples=50, deadline=None)
@given(tables)
def test_every_round_climbs_and_the_end_is_a_fixed_point(ratings) -> None:
    assume((~np.isnan(ratings)).any(axis=0).sum() >= 3)
    climbed = [density(ratings, dawid_skene(ratings, max_iterations=k, tolerance=1e-300)) for k in range(1, 8)]
    assert (np.diff(climbed) > -1e-9).all()
    end = dawid_skene(ratings, max_iterations=20_000, tolerance=1e-10)
    assert end.converged
    rated = ~np.isnan(ratings)
    some = rated.any(axis=1)
    belief = end.posterior[some, None]
    assert end.prevalence == pytest.approx((belief.sum() + 0.5) / (some.sum() + 1), abs=1e-6)
    right = (belief * (ratings[some] == 1)).sum(axis=0) + 2
    seen = (belief * rated[some]).sum(axis=0) + 3
    used = rated.any(axis=0)
    np.testing.assert_allclose(end.sensitivity[used], (right / seen)[used], atol=1e-6)


@settings(max_examples=50, deadline=None)
@given(tables)
def test_calling_true_false_swaps_sensitivity_and_specificity(ratings) -> None:
    assume((~np.isnan(ratings)).any(axis=0).sum() >= 3)
    one, flipped = dawid_skene(ratings, max_iterations=15), dawid_skene(1 - ratings, max_iterations=15)
    assert one.prevalence == pytest.approx(1 - flipped.prevalence, abs=1e-9)
    np.testing.assert_allclose(one.sensitivity, flipped.specificity, atol=1e-9)
    np.testing.assert_allclose(one.posterior, 1 - flipped.posterior, atol=1e-9)


def test_too_few_rounds_are_said_to_be_too_few() -> None:
    _, ratings = simulated(200, 0.3)
    found = dawid_skene(ratings, max_iterations=1)
    assert (found.n_iterations, found.converged) == (1, False)
    enough = dawid_skene(ratings)
    assert enough.converged
    assert 1 < enough.n_iterations < 200


def test_none_is_missing_too() -> None:
    ratings = np.array([[True, None, True, False], [False, False, None, False]] * 5, dtype=object)
    as_numbers = np.array([[1, np.nan, 1, 0], [0, 0, np.nan, 0]] * 5)
    np.testing.assert_array_equal(dawid_skene(ratings).posterior, dawid_skene(as_numbers).posterior)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: dawid_skene([[1, 0], [0, 1]]), "at least 3 raters with ratings are needed; found 2"),
        (lambda: dawid_skene([[1, 0, np.nan], [0, 1, np.nan]]), "are needed; found 2"),
        (lambda: dawid_skene(np.empty((0, 4))), "are needed; found 0"),
        (lambda: dawid_skene([1, 0, 1]), r"items x raters; got shape \(3,\)"),
        (lambda: dawid_skene([[1, 0, 5]]), "ratings must be true, false or missing; found 5"),
        (lambda: dawid_skene([[1, 0, 1]], max_iterations=0), "got 0 and 1e-06"),
        (lambda: dawid_skene([[1, 0, 1]], tolerance=0), "got 200 and 0"),
    ],
)
def test_what_is_wrong_is_named(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
