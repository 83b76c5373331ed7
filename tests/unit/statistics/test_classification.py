"""Metrics against scikit-learn, limits against statsmodels, and what a missing value counts as."""

from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.stats.proportion import proportion_confint

from clinical_assets.statistics.classification import (
    Counts,
    as_flags,
    clopper_pearson,
    count,
    macro_f1_of_positives,
    metrics,
    rogan_gladen,
    wilson,
)

labelled = st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 3)), min_size=1, max_size=50)
close = {"rtol": 0, "atol": 1e-10}


@settings(max_examples=200, deadline=None)
@given(labelled, st.booleans())
def test_metrics_agree_with_scikit_learn(rows, weighted) -> None:
    from sklearn import metrics as reference

    gold, value, weight = (np.array(column) for column in zip(*rows, strict=True))
    weights = weight + 1 if weighted else None
    found = metrics(count(gold, value, weights))
    options = {"sample_weight": weights}
    for positive, names in ((True, ("precision", "recall", "f1")), (False, ("npv", "specificity", None))):
        expected = reference.precision_recall_fscore_support(
            gold, value, pos_label=positive, average="binary", zero_division=np.nan, **options
        )
        for name, number in zip(names, expected, strict=False):
            if name:
                np.testing.assert_allclose(getattr(found, name), number, **close, err_msg=name)
    np.testing.assert_allclose(found.accuracy, reference.accuracy_score(gold, value, **options), **close)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        if gold.any() and not gold.all():
            assert found.balanced_accuracy == pytest.approx(reference.balanced_accuracy_score(gold, value, **options))
        else:
            assert np.isnan(found.balanced_accuracy)
        if len(set(gold)) == len(set(value)) == 2:
            assert found.mcc == pytest.approx(reference.matthews_corrcoef(gold, value, **options))
        else:
            assert np.isnan(found.mcc)
        if len({*gold, *value}) == 2:
            assert found.kappa == pytest.approx(reference.cohen_kappa_score(gold, value, **options))
        else:
            assert np.isnan(found.kappa)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.booleans(), st.sampled_from([True, False, None])), min_size=1, max_size=40))
def test_a_missing_value_is_the_wrong_one_and_counted_apart(rows) -> None:
    gold = np.array([g for g, _ in rows])
    values = [v for _, v in rows]
    wrong = np.array([(not g) if v is None else v for g, v in rows])
    found, plain = count(gold, np.array(values, dtype=object)), count(gold, wrong)
    assert found.n_missing == values.count(None)
    assert dataclasses.replace(found, n_missing=0) == plain
    assert found.tp + found.fp + found.fn + found.tn == len(rows)


def test_the_four_cells_of_a_table_with_missing_values() -> None:
    gold = [1, 1, 1, 0, 0, 0, 0]
    value = [1.0, 0.0, np.nan, 0.0, 0.0, 1.0, np.nan]
    assert count(gold, value) == Counts(tp=1, fp=2, fn=2, tn=2, n_missing=2)
    assert count(gold, value, weights=[2, 0, 1, 1, 0, 0, 3]) == Counts(tp=2, fp=3, fn=1, tn=1, n_missing=4)
    found = metrics(count(gold, value))
    assert (found.n, found.n_positive) == (7, 3)
    assert found.prevalence == pytest.approx(3 / 7)
    assert found.majority_baseline == pytest.approx(4 / 7)
    assert metrics(count([1, 1, 0], [0, 0, 0])).majority_baseline == pytest.approx(2 / 3)


@pytest.mark.parametrize("missing", [None, np.nan, pd.NA])
def test_every_way_to_write_missing_is_understood(missing) -> None:
    np.testing.assert_array_equal(as_flags(np.array([True, np.False_, missing], dtype=object)), [1, 0, np.nan])


def test_what_pandas_holds_is_understood() -> None:
    np.testing.assert_array_equal(as_flags(pd.Series([True, None, False], dtype="boolean")), [1, np.nan, 0])


def test_what_is_undefined_is_nan_and_not_zero() -> None:
    never = metrics(count([True, False], [False, False]))
    assert np.isnan(never.precision)
    assert (never.recall, never.f1, never.kappa) == (0, 0, 0)
    nothing = metrics(count([False, False], [False, False]))
    assert np.isnan([nothing.precision, nothing.recall, nothing.f1, nothing.mcc, nothing.kappa]).all()
    assert (nothing.specificity, nothing.npv, nothing.accuracy, nothing.majority_baseline) == (1, 1, 1, 1)
    empty = dataclasses.asdict(metrics(count([], [])))
    assert empty.pop("n") == empty.pop("n_positive") == 0
    assert np.isnan(list(empty.values())).all()


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(*[st.integers(0, 9)] * 4), min_size=1, max_size=12))
def test_many_tables_at_once_are_each_table_alone(tables) -> None:
    together = metrics(Counts(*np.array(tables).T, n_missing=0))
    for place, table in enumerate(tables):
        alone = metrics(Counts(*table, n_missing=0))
        for field in dataclasses.fields(alone):
            np.testing.assert_array_equal(getattr(together, field.name)[place], getattr(alone, field.name))
            assert isinstance(getattr(alone, field.name), int | float)


def test_rows_of_weights_give_a_table_each() -> None:
    gold, value = [1, 0, 0], [1, 1, None]
    weights = np.array([[1, 1, 1], [0, 2, 5]])
    found = count(gold, value, weights)
    for place, row in enumerate(weights):
        alone = count(gold, value, row)
        assert [getattr(found, f.name)[place] for f in dataclasses.fields(found)] == list(dataclasses.astuple(alone))


def test_large_counts_do_not_overflow() -> None:
    million = 1_000_000
    assert metrics(Counts(3 * million, million, million, 3 * million, 0)).mcc == pytest.approx(0.5)
    assert metrics(Counts(*(np.array([9]) * 10**9 for _ in range(4)), n_missing=0)).kappa == pytest.approx(0)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: count([1, 0], [1]), r"one length; got shapes \(2,\) and \(1,\)"),
        (lambda: count([1, None], [1, 0]), "gold must be true or false; 1 of 2 are missing"),
        (lambda: count([1, 0], [1, 2]), "value must be true, false or missing; found 2"),
        (lambda: count([1, 0], ["true", "false"]), "value must be true, false or missing; found an array"),
        (lambda: count([1, 0], np.array(["1", None], dtype=object)), "value .* found values of type str"),
        (lambda: count([1, 0], [1, 0], [1, -1]), "weights must be finite and not negative"),
        (lambda: count([1, 0], [1, 0], [1]), r"weights must be one per item, shape \(..., 2\); got shape \(1,\)"),
        (lambda: metrics(Counts(1, -1, 0, 0, 0)), "counts must be finite and not negative"),
        (lambda: wilson(3, 2), "got 3 of 2"),
        (lambda: clopper_pearson(-1, 2), "got -1 of 2"),
        (lambda: wilson(1, 2, level=95), "level is 95"),
        (lambda: rogan_gladen(1.2, 0.9, 0.9), "prevalence must be between 0 and 1; found 1.2"),
        (lambda: rogan_gladen(0.2, 0.9, -0.1), "specificity must be between 0 and 1; found -0.1"),
    ],
)
def test_what_is_wrong_is_named(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 400), st.floats(0, 1), st.sampled_from([0.8, 0.95, 0.99]))
def test_limits_agree_with_statsmodels(n, share, level) -> None:
    k = round(share * n)
    for ours, method in ((wilson, "wilson"), (clopper_pearson, "beta")):
        low, high = ours(k, n, level)
        np.testing.assert_allclose((low, high), proportion_confint(k, n, 1 - level, method), **close)
        assert 0 <= low <= k / n <= high <= 1


def test_limits_of_nothing_and_at_the_ends() -> None:
    for limits in (wilson, clopper_pearson):
        assert np.isnan(limits(0, 0)).all()
        assert limits(0, 7)[0] == 0
        assert limits(7, 7)[1] == 1


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 1), st.floats(0.55, 1), st.floats(0.55, 1))
def test_rogan_gladen_undoes_the_labellers_errors(true, se, sp) -> None:
    apparent = true * se + (1 - true) * (1 - sp)
    assert rogan_gladen(apparent, se, sp) == pytest.approx(true, abs=1e-9)


def test_rogan_gladen_stays_in_bounds_and_needs_a_labeller_better_than_chance() -> None:
    assert rogan_gladen(0.01, 0.9, 0.9) == 0
    assert rogan_gladen(0.99, 0.9, 0.9) == 1
    assert np.isnan(rogan_gladen(0.3, 0.7, 0.3))
    assert np.isnan(rogan_gladen(0.3, 0.2, 0.2))
    np.testing.assert_allclose(rogan_gladen([0.14, np.nan], [0.8, 0.8], 0.9), [(0.14 - 0.1) / 0.7, np.nan])


def test_macro_f1_is_over_the_fields_with_gold_positives_whatever_was_answered() -> None:
    # a false alarm on a field without positives must not change over how many fields the mean is
    quiet, alarmed = [0, 0, 0, 10, 0], [0, 3, 0, 7, 0]
    half = [2, 2, 2, 4, 0]
    for other in (quiet, alarmed):
        assert macro_f1_of_positives(Counts(*np.array([half, other]).T)) == 0.5
    missed = [0, 0, 4, 6, 0]
    assert macro_f1_of_positives(Counts(*np.array([half, missed]).T)) == 0.25
    assert math.isnan(macro_f1_of_positives(Counts(*np.array([quiet, alarmed]).T)))
    many = np.array([[half, missed], [quiet, half]])
    assert macro_f1_of_positives(Counts(*np.moveaxis(many, -1, 0))).tolist() == [0.25, 0.5]
    assert macro_f1_of_positives(Counts(*np.moveaxis(many, -1, 0)), axis=0).tolist() == [0.5, 0.25]
