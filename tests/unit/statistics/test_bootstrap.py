"""The person bootstrap against a plain loop over replicates, and what drawing persons means for the limits."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.statistics import bootstrap
from clinical_assets.statistics.bootstrap import (
    bootstrap_difference,
    bootstrap_metrics,
    interval,
    macro_f1,
    person_weights,
    replicate_sums,
)
from clinical_assets.statistics.classification import Metrics, count, metrics

NAMES = [field.name for field in dataclasses.fields(Metrics)]


def some_items(seed=1, n=80, n_persons=25):
    generator = np.random.default_rng(seed)
    gold = generator.random(n) < 0.4
    values = [np.where(generator.random(n) < 0.15, ~gold, gold).astype(float) for _ in range(2)]
    for value in values:
        value[generator.random(n) < 0.05] = np.nan
    persons = np.array([f"p{place:02}" for place in generator.integers(0, n_persons, n)])
    return gold, *values, persons


def drawn_rows(persons, n_replicates, seed):
    """The rows of each replicate, person by person: what the weights stand for."""
    weights, _ = person_weights(persons, n_replicates, seed)
    distinct = np.unique(persons)
    for row in weights:
        yield np.concatenate(
            [
                np.flatnonzero(persons == person)
                for person, times in zip(distinct, row, strict=True)
                for _ in range(times)
            ]
        )


def test_weights_draw_as_many_persons_as_there_are() -> None:
    persons = np.array(["b", "a", "b", "c"])
    weights, index = person_weights(persons, 500, 3)
    assert weights.shape == (500, 3)
    assert weights.dtype.kind == "i"
    assert (weights.sum(axis=1) == 3).all()
    assert np.unique(persons)[index].tolist() == persons.tolist()
    np.testing.assert_allclose(weights.mean(axis=0), 1, atol=0.15)
    assert len(np.unique(weights, axis=0)) == 10  # every way to draw 3 of 3


def test_the_same_seed_gives_the_same_draws_and_limits_and_another_does_not() -> None:
    gold, a, _, persons = some_items()
    np.testing.assert_array_equal(person_weights(persons, 50, 7)[0], person_weights(persons, 50, 7)[0])
    assert (person_weights(persons, 50, 7)[0] != person_weights(persons, 50, 8)[0]).any()
    first, again, other = (bootstrap_metrics(gold, a, persons, n_replicates=60, seed=seed) for seed in (7, 7, 8))
    assert first == again
    assert first["f1"] != other["f1"]


def test_the_order_of_items_makes_no_difference() -> None:
    gold, a, _, persons = some_items()
    order = np.random.default_rng(0).permutation(gold.size)
    assert bootstrap_metrics(gold, a, persons, n_replicates=40) == bootstrap_metrics(
        gold[order], a[order], persons[order], n_replicates=40
    )


def test_batches_do_not_change_what_is_drawn(monkeypatch) -> None:
    gold, _, _, persons = some_items()
    whole = person_weights(persons, 33, 5)[0], replicate_sums(persons, gold[:, None], n_replicates=33, seed=5)
    monkeypatch.setattr(bootstrap, "_BATCH", 60)
    np.testing.assert_array_equal(person_weights(persons, 33, 5)[0], whole[0])
    np.testing.assert_array_equal(replicate_sums(persons, gold[:, None], n_replicates=33, seed=5), whole[1])


def test_limits_are_those_of_a_plain_loop_over_replicates() -> None:
    gold, a, _, persons = some_items()
    found = bootstrap_metrics(gold, a, persons, n_replicates=150, seed=4, level=0.9)
    each = [metrics(count(gold[rows], a[rows])) for rows in drawn_rows(persons, 150, 4)]
    assert list(found) == NAMES
    for name in NAMES:
        expected = np.nanquantile([getattr(one, name) for one in each], [0.05, 0.95])
        np.testing.assert_allclose(found[name], expected, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("metric", ["f1", "kappa"])
def test_differences_are_those_of_a_plain_loop_on_shared_draws(metric) -> None:
    gold, a, b, persons = some_items()

    def gained(rows):
        return getattr(metrics(count(gold[rows], a[rows])), metric) - getattr(
            metrics(count(gold[rows], b[rows])), metric
        )

    found = bootstrap_difference(gold, a, b, persons, metric, n_replicates=150, seed=4)
    each = [gained(rows) for rows in drawn_rows(persons, 150, 4)]
    expected = (gained(np.arange(gold.size)), *np.quantile(each, [0.025, 0.975]))
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_a_labeller_does_not_differ_from_itself_and_swapping_two_swaps_the_limits() -> None:
    gold, a, b, persons = some_items()
    assert bootstrap_difference(gold, a, a, persons, n_replicates=50) == (0, 0, 0)
    difference, low, high = bootstrap_difference(gold, a, b, persons, n_replicates=50)
    np.testing.assert_allclose(bootstrap_difference(gold, b, a, persons, n_replicates=50), (-difference, -high, -low))
    assert low < difference < high


def test_macro_f1_is_that_of_a_plain_loop_and_skips_fields_without_one() -> None:
    gold, a, b, persons = some_items()
    rare, never = np.zeros(gold.size, bool), np.zeros(gold.size, bool)
    rare[3] = True  # undefined whenever its person is not drawn
    golds = {"x": gold, "y": gold, "rare": rare, "never": never}
    values = {"never": never, "rare": rare, "y": b, "x": a}

    def mean(rows):
        f1 = [metrics(count(golds[field][rows], values[field][rows])).f1 for field in golds]
        return np.nanmean(f1), np.isnan(f1).sum()

    everything, skipped = mean(np.arange(gold.size))
    assert skipped == 1
    each, skips = zip(*(mean(rows) for rows in drawn_rows(persons, 120, 2)), strict=True)
    assert set(skips) == {1, 2}
    found = macro_f1(golds, values, persons, n_replicates=120, seed=2)
    np.testing.assert_allclose(found, (everything, *np.quantile(each, [0.025, 0.975])), atol=1e-12)


def test_macro_f1_without_any_defined_field_is_undefined() -> None:
    assert np.isnan(macro_f1({"x": [0, 0]}, {"x": [0, 0]}, [1, 2], n_replicates=20)).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(st.floats(-5, 5), st.just(np.nan)), max_size=30), st.sampled_from([0.5, 0.95]))
def test_intervals_are_percentiles_of_what_is_defined(replicates, level) -> None:
    defined = [one for one in replicates if not np.isnan(one)]
    low, high = interval(replicates, level)
    if not replicates or len(defined) * 2 < len(replicates):
        assert np.isnan([low, high]).all()
    else:
        np.testing.assert_allclose((low, high), np.quantile(defined, [(1 - level) / 2, (1 + level) / 2]))


def test_half_undefined_is_still_an_interval_and_more_is_not() -> None:
    assert interval([1.0, np.nan]) == (1, 1)
    assert np.isnan(interval([1.0, np.nan, np.nan])).all()


def width(limits):
    return limits[1] - limits[0]


def test_duplicates_of_a_person_tell_nothing_new_but_more_persons_do() -> None:
    gold, a, _, _ = some_items(n=60)
    persons, times = np.arange(60), 9
    golds, values = np.tile(gold, times), np.tile(a, times)
    once = bootstrap_metrics(gold, a, persons, n_replicates=800)
    same_persons = bootstrap_metrics(golds, values, np.tile(persons, times), n_replicates=800)
    new_persons = bootstrap_metrics(golds, values, np.arange(golds.size), n_replicates=800)
    for name in ("accuracy", "f1", "recall"):
        assert same_persons[name] == pytest.approx(once[name])
        assert width(new_persons[name]) == pytest.approx(width(once[name]) / 3, rel=0.25)


def test_one_person_alone_has_no_spread() -> None:
    gold, a, _, _ = some_items()
    low, high = bootstrap_metrics(gold, a, np.zeros(gold.size), n_replicates=30)["f1"]
    assert low == high == pytest.approx(metrics(count(gold, a)).f1)


def test_limits_cover_the_truth_about_as_often_as_they_say_where_items_cluster() -> None:
    generator = np.random.default_rng(11)
    n_persons, each, covered, covered_by_items = 60, 5, 0, 0
    persons = np.repeat(np.arange(n_persons), each)
    for _ in range(200):
        right = np.repeat(generator.random(n_persons) < 0.7, each)  # a person is right or wrong as a whole
        gold = np.ones(persons.size, bool)
        low, high = bootstrap_metrics(gold, right, persons, n_replicates=200, seed=1)["accuracy"]
        covered += low <= 0.7 <= high
        low, high = bootstrap_metrics(gold, right, np.arange(persons.size), n_replicates=200, seed=1)["accuracy"]
        covered_by_items += low <= 0.7 <= high
    assert 178 <= covered <= 198
    assert covered_by_items < 150  # what ignoring persons would do


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: person_weights([], 5, 0), r"person of each item; got shape \(0,\)"),
        (lambda: person_weights(["a", None], 5, 0), "every item needs a person; 1 of 2 are missing"),
        (lambda: person_weights([1.0, np.nan, np.nan], 5, 0), "2 of 3 are missing"),
        (lambda: person_weights(["a"], 0, 0), "n_replicates is 0; expected at least 1"),
        (lambda: replicate_sums(["a", "b"], [[1.0]], n_replicates=1, seed=0), r"each of 2 items; got shape \(1, 1\)"),
        (lambda: replicate_sums(["a"], [[np.nan]], n_replicates=1, seed=0), "columns must be finite"),
        (lambda: bootstrap_metrics([1, 0], [1, 0], ["a"]), "each of 1 items"),
        (lambda: interval([[1.0]]), r"one list; got shape \(1, 1\)"),
        (lambda: interval([1.0], 95), "level is 95"),
        (lambda: bootstrap_difference([1], [1], [1], ["a"], "auc"), "metric is 'auc'; expected one of n, .*f1"),
        (lambda: macro_f1({"x": [1]}, {"y": [1]}, ["a"]), r"same fields; got \['x'\] and \['y'\]"),
        (lambda: macro_f1({}, {}, ["a"]), "same fields"),
    ],
)
def test_what_is_wrong_is_named(call, message) -> None:
    with pytest.raises(ValueError, match=message):
        call()
