"""Agreement against statsmodels and scikit-learn, and AC1 against a table worked out by hand."""

from __future__ import annotations

import dataclasses
import warnings

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from statsmodels.stats import inter_rater
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from clinical_assets.statistics.agreement import (
    bootstrap_agreement,
    fleiss_kappa,
    holm,
    mcnemar_exact,
    pair_agreement,
)
from clinical_assets.statistics.bootstrap import person_weights

rating = st.sampled_from([0.0, 1.0, np.nan])
pairs = st.lists(st.tuples(rating, rating), min_size=1, max_size=50)
close = {"rtol": 0, "atol": 1e-10}


def table(both, a_only, b_only, neither):
    """Ratings of two raters that give this table."""
    a = np.repeat([1.0, 1.0, 0.0, 0.0], [both, a_only, b_only, neither])
    b = np.repeat([1.0, 0.0, 1.0, 0.0], [both, a_only, b_only, neither])
    return a, b


@settings(max_examples=200, deadline=None)
@given(pairs)
def test_pairs_agree_with_statsmodels_and_scikit_learn(rows) -> None:
    from sklearn.metrics import cohen_kappa_score

    a, b = np.array(rows).T
    found = pair_agreement(a, b)
    rated = ~np.isnan(a) & ~np.isnan(b)
    x, y = a[rated], b[rated]
    assert found.n == rated.sum()
    assume(rated.any())
    assert found.observed == pytest.approx((x == y).mean())
    assert found.pabak == pytest.approx(2 * (x == y).mean() - 1)
    assert (found.a_only, found.b_only) == ((x > y).sum(), (y > x).sum())
    if len({*x, *y}) == 2:
        square = [[((x == i) & (y == j)).sum() for j in (0, 1)] for i in (0, 1)]
        assert found.cohen_kappa == pytest.approx(inter_rater.cohens_kappa(square).kappa)
        assert found.cohen_kappa == pytest.approx(cohen_kappa_score(x, y))
    else:
        assert np.isnan(found.cohen_kappa)
        assert found.gwet_ac1 == 1


def test_ac1_of_a_table_worked_out_by_hand() -> None:
    # The paradox Gwet (2008) starts from: nearly all is agreed and true, so kappa is about 0 and AC1 is not.
    found = pair_agreement(*table(118, 5, 2, 0))
    observed = 118 / 125
    share = (123 / 125 + 120 / 125) / 2  # = 0.972
    chance = 2 * share * (1 - share)  # = 0.054432
    assert chance == pytest.approx(0.054432)
    assert found.observed == observed == 0.944
    assert found.gwet_ac1 == pytest.approx((0.944 - 0.054432) / (1 - 0.054432))
    assert found.gwet_ac1 == pytest.approx(0.9408, abs=1e-4)
    assert found.cohen_kappa == pytest.approx(-0.0234, abs=1e-4)
    assert found.pabak == pytest.approx(0.888)
    assert (found.n, found.a_only, found.b_only) == (125, 5, 2)


def test_swapping_raters_or_true_and_false_changes_no_measure() -> None:
    a, b = table(12, 5, 3, 40)
    one, swapped, flipped = (dataclasses.asdict(pair_agreement(*two)) for two in ((a, b), (b, a), (1 - a, 1 - b)))
    for name in ("n", "observed", "cohen_kappa", "pabak", "gwet_ac1"):
        assert one[name] == pytest.approx(swapped[name]) == pytest.approx(flipped[name])
    assert (one["a_only"], one["b_only"]) == (swapped["b_only"], swapped["a_only"]) == (5, 3)


def test_nothing_in_common_is_undefined() -> None:
    found = pair_agreement([1, None], [None, 0])
    assert (found.n, found.a_only, found.b_only) == (0, 0, 0)
    assert np.isnan([found.observed, found.cohen_kappa, found.pabak, found.gwet_ac1]).all()


def test_bootstrap_is_a_plain_loop_over_drawn_persons() -> None:
    generator = np.random.default_rng(5)
    a = (generator.random(60) < 0.4).astype(float)
    b = np.where(generator.random(60) < 0.2, 1 - a, a)
    b[generator.random(60) < 0.1] = np.nan
    persons = generator.integers(0, 20, 60)
    found = bootstrap_agreement(a, b, persons, n_replicates=100, seed=9, level=0.8)
    weights, index = person_weights(persons, 100, 9)
    each = [pair_agreement(np.repeat(a, row[index]), np.repeat(b, row[index])) for row in weights]
    assert set(found) == {"observed", "cohen_kappa", "pabak", "gwet_ac1"}
    for name, limits in found.items():
        np.testing.assert_allclose(limits, np.quantile([getattr(one, name) for one in each], [0.1, 0.9]), **close)
        assert limits[0] < getattr(pair_agreement(a, b), name) < limits[1]


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 5).flatmap(lambda r: st.lists(st.lists(rating, min_size=r, max_size=r), min_size=1, max_size=30)))
def test_fleiss_agrees_with_statsmodels_on_the_items_that_all_rated(rows) -> None:
    ratings = np.array(rows)
    complete = ratings[~np.isnan(ratings).any(axis=1)]
    if len(np.unique(complete)) < 2:
        assert np.isnan(fleiss_kappa(ratings))
        return
    counted, _ = inter_rater.aggregate_raters(complete.astype(int), n_cat=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert fleiss_kappa(ratings) == pytest.approx(inter_rater.fleiss_kappa(counted, method="fleiss"), abs=1e-10)


def test_fleiss_of_perfect_agreement_is_one() -> None:
    assert fleiss_kappa([[1, 1, 1], [0, 0, 0], [None, 1, 0]]) == pytest.approx(1)


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_mcnemar_agrees_with_statsmodels(b, c) -> None:
    assert mcnemar_exact(b, c) == pytest.approx(mcnemar([[7, b], [c, 7]], exact=True).pvalue, abs=1e-12)
    assert mcnemar_exact(b, c) == mcnemar_exact(c, b)


def test_mcnemar_by_hand() -> None:
    assert mcnemar_exact(0, 0) == 1
    assert mcnemar_exact(0, 5) == pytest.approx(2 / 2**5)
    assert mcnemar_exact(1, 5) == pytest.approx(2 * (1 + 6) / 2**6)


@settings(max_examples=25, deadline=None)  # statsmodels takes long
@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
def test_holm_agrees_with_statsmodels(p) -> None:
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1], **close)


def test_holm_by_hand_keeps_the_order_given() -> None:
    np.testing.assert_allclose(holm([0.03, 0.01, 0.04, 0.9]), [0.09, 0.04, 0.09, 0.9])
    assert holm([]).size == 0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pair_agreement([1], [1, 0]), r"one length; got shapes \(1,\) and \(2,\)"),
        (lambda: pair_agreement([1], [3]), "b must be true, false or missing; found 3"),
        (lambda: bootstrap_agreement([1, 0], [1, 0], [1, 2], level=95), "level is 95"),
        (lambda: fleiss_kappa([[1], [0]]), r"at least 2 raters; got shape \(2, 1\)"),
        (lambda: fleiss_kappa([1, 0]), r"at least 2 raters; got shape \(2,\)"),
        (lambda: mcnemar_exact(-1, 2), "got -1 and 2"),
        (lambda: mcnemar_exact(0.5, 2), "got 0.5 and 2"),
        (lambda: holm([0.1, np.nan]), "between 0 and 1; got"),
        (lambda: holm([1.1]), "between 0 and 1; got"),
    ],
)
def test_what_is_wrong_is_named(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
