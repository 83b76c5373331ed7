"""Survival estimates against lifelines and statsmodels, to 1e-8, on times with many ties."""

from __future__ import annotations

import warnings
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from lifelines.utils import qth_survival_time
from scipy.stats import norm
from statsmodels.duration.survfunc import CumIncidenceRight

from clinical_assets.statistics.survival import aalen_johansen, kaplan_meier, median_follow_up, quantile

observed = st.lists(st.tuples(st.integers(0, 25), st.integers(0, 1)), min_size=1, max_size=60)
competing = st.lists(st.tuples(st.integers(1, 25), st.integers(0, 2)), min_size=2, max_size=60)
exact = {"rtol": 0, "atol": 1e-8}


def lifelines_km(times, events):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return KaplanMeierFitter().fit(times, events)


@settings(max_examples=150, deadline=None)
@given(observed)
def test_kaplan_meier_agrees_with_lifelines(rows) -> None:
    times, events = np.array(rows).T
    curve, fitter = kaplan_meier(times, events), lifelines_km(times, events)
    assert curve.time.tolist() == fitter.survival_function_.index.tolist()
    np.testing.assert_allclose(curve.estimate, fitter.survival_function_["KM_estimate"], **exact)
    table = fitter.event_table
    assert curve.n_events.tolist() == table["observed"].tolist()
    assert curve.n_censored.tolist() == table["censored"].tolist()
    limits = fitter.confidence_interval_
    np.testing.assert_allclose(curve.lower, limits.iloc[:, 0], **exact)
    np.testing.assert_allclose(curve.upper, limits.iloc[:, 1], **exact)


def lifelines_median(times, events):
    """The median and its limits, None where not reached; rounded curves, or 1/2 is missed by the last digit."""
    fitter = lifelines_km(times, events)
    columns = [fitter.survival_function_["KM_estimate"], *(values for _, values in fitter.confidence_interval_.items())]
    found = [qth_survival_time(0.5, values.round(12)) for values in columns]
    return tuple(None if np.isinf(time) else float(time) for time in found)


@settings(max_examples=150, deadline=None)
@given(observed)
def test_medians_agree_with_lifelines(rows) -> None:
    times, events = np.array(rows).T
    assert quantile(kaplan_meier(times, events)) == lifelines_median(times, events)
    assert median_follow_up(times, events) == lifelines_median(times, 1 - events)


@settings(max_examples=200, deadline=None)
@given(observed, st.sampled_from([Fraction(1, 4), Fraction(1, 2), Fraction(9, 10)]))
def test_quantiles_are_those_of_exact_fractions(rows, p) -> None:
    survival, reached = Fraction(1), None
    for time in sorted({time for time, _ in rows}):
        at_risk = sum(other >= time for other, _ in rows)
        survival *= 1 - Fraction(sum(row == (time, 1) for row in rows), at_risk)
        if survival <= 1 - p:
            reached = time
            break
    times, events = np.array(rows).T
    assert quantile(kaplan_meier(times, events), float(p))[0] == reached


@pytest.mark.parametrize("n", [24, 38, 54])
def test_half_of_them_is_the_median_where_floats_multiply_to_a_little_more(n) -> None:
    assert quantile(kaplan_meier(np.arange(1, n + 1), np.ones(n)))[0] == n / 2


@settings(max_examples=150, deadline=None)
@given(competing)
def test_aalen_johansen_agrees_with_statsmodels(rows) -> None:
    times, causes = np.array(rows).T
    assume({1, 2} <= set(causes.tolist()))
    curve, reference = aalen_johansen(times, causes), CumIncidenceRight(times, causes)
    at_events = np.isin(curve.time, reference.times)
    np.testing.assert_allclose(curve.estimate[at_events], reference.cinc[0], **exact)
    # statsmodels' variance divides by zero once nobody is left
    usable = np.isfinite(reference.cinc_se[0])
    np.testing.assert_allclose(curve.std_error[at_events][usable], reference.cinc_se[0][usable], **exact)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=3, max_size=40))
def test_aalen_johansen_agrees_with_lifelines_where_nothing_ties(causes) -> None:
    assume(1 in causes)
    times = np.arange(1, len(causes) + 1, dtype=float)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitter = AalenJohansenFitter(calculate_variance=False).fit(times, causes, event_of_interest=1)
    curve = aalen_johansen(times, causes)
    found = fitter.cumulative_density_.reindex(curve.time).ffill()
    np.testing.assert_allclose(curve.estimate, found.iloc[:, 0].fillna(0.0), **exact)


@settings(max_examples=100, deadline=None)
@given(competing)
def test_incidences_and_survival_add_up_to_one(rows) -> None:
    times, causes = np.array(rows).T
    swapped = np.select([causes == 1, causes == 2], [2, 1], 0)
    free = kaplan_meier(times, causes > 0).estimate
    total = aalen_johansen(times, causes).estimate + aalen_johansen(times, swapped).estimate + free
    np.testing.assert_allclose(total, 1.0, **exact)


@settings(max_examples=50, deadline=None)
@given(observed)
def test_without_competition_incidence_is_what_survival_leaves(rows) -> None:
    times, events = np.array(rows).T
    incidence, survival = aalen_johansen(times, events, level=0.9), kaplan_meier(times, events, level=0.9)
    np.testing.assert_allclose(incidence.estimate, 1 - survival.estimate, **exact)
    np.testing.assert_allclose(incidence.lower, 1 - survival.upper, **exact)
    np.testing.assert_allclose(incidence.upper, 1 - survival.lower, **exact)
    some = survival.estimate > 0
    np.testing.assert_allclose(incidence.std_error[some], survival.std_error[some], **exact)


@settings(max_examples=100, deadline=None)
@given(competing)
def test_limits_of_an_incidence_are_ordered_and_reach_as_far_as_the_standard_error_says(rows) -> None:
    curve = aalen_johansen(*np.array(rows).T)
    assert (curve.lower >= 0).all()
    assert (curve.lower <= curve.estimate).all()
    assert (curve.estimate <= curve.upper).all()
    assert (curve.upper <= 1).all()
    inside = (curve.estimate > 0) & (curve.estimate < 1)
    left = 1 - curve.estimate[inside]
    reach = norm.ppf(0.975) * curve.std_error[inside] / (left * -np.log(left))
    for limit, side in ((curve.lower, -reach), (curve.upper, reach)):
        np.testing.assert_allclose(1 - limit[inside], np.exp(-np.exp(np.log(-np.log(left)) + side)), **exact)


@pytest.mark.parametrize("n", [1, 6, 7, 10, 49])
def test_an_incidence_of_one_is_certain(n) -> None:
    curve = aalen_johansen(np.arange(1, n + 1), np.ones(n))
    assert (curve.estimate[-1], curve.std_error[-1], curve.lower[-1], curve.upper[-1]) == (1, 0, 1, 1)


@settings(max_examples=50, deadline=None)
@given(observed, st.lists(st.floats(0, 30), max_size=8))
def test_numbers_at_risk_count_who_is_still_observed(rows, asked) -> None:
    times, events = np.array(rows).T
    assert kaplan_meier(times, events).at(asked)["n_at_risk"].tolist() == [int((times >= time).sum()) for time in asked]


def test_values_are_read_as_steps() -> None:
    curve = kaplan_meier([2, 4, 4, 6], [1, 1, 0, 0])
    read = curve.at([0, 1.9, 2, 4, 5, 6, 6.1])
    assert read["estimate"][:6].tolist() == [1.0, 1.0, 0.75, 0.5, 0.5, 0.5]
    assert np.isnan(read["estimate"][6])
    outside = curve.at([np.nan, -1.0])
    assert all(np.isnan(outside[name]).all() for name in ("estimate", "lower", "upper"))
    assert read["n_at_risk"].tolist() == [4, 4, 4, 3, 1, 1, 0]


@pytest.mark.parametrize(
    ("durations", "events", "message"),
    [
        ([], [], "nobody to follow"),
        ([1, 2], [1], "one length"),
        ([-1, 2], [1, 0], "not negative"),
        ([np.nan, 2], [1, 0], "finite"),
        ([1, 2], [1, 3], "one of 0, 1"),
    ],
)
def test_what_cannot_be_estimated_is_refused_in_words(durations, events, message) -> None:
    with pytest.raises(ValueError, match=message):
        kaplan_meier(durations, events)
    with pytest.raises(ValueError, match=message):
        aalen_johansen(durations, events)


@pytest.mark.parametrize("level", [0, 1, 95])
def test_a_level_that_is_no_probability_is_refused(level) -> None:
    with pytest.raises(ValueError, match="between 0 and 1"):
        kaplan_meier([1, 2], [1, 0], level=level)
    with pytest.raises(ValueError, match="between 0 and 1"):
        aalen_johansen([1, 2], [1, 2], level=level)
