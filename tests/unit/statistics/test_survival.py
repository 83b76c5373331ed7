"""Survival estimates against lifelines and statsmodels, to 1e-8, on times with many ties."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lifelines import AalenJohansenFitter, KaplanMeierFitter
from lifelines.utils import median_survival_times
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
    inside = (curve.estimate > 0) & (curve.estimate < 1)
    np.testing.assert_allclose(curve.lower[inside], limits.iloc[:, 0].to_numpy()[inside], **exact)
    np.testing.assert_allclose(curve.upper[inside], limits.iloc[:, 1].to_numpy()[inside], **exact)
    assert curve.lower[~inside].tolist() == curve.upper[~inside].tolist() == curve.estimate[~inside].tolist()


@settings(max_examples=100, deadline=None)
@given(observed)
def test_medians_agree_with_lifelines(rows) -> None:
    times, events = np.array(rows).T
    fitter = lifelines_km(times, events)
    median, lower, upper = quantile(kaplan_meier(times, events))
    assert (np.inf if median is None else median) == fitter.median_survival_time_
    inside = fitter.confidence_interval_[
        fitter.survival_function_["KM_estimate"].between(0, 1, inclusive="neither").to_numpy()
    ]
    if (
        lower is not None
        and not inside.empty
        and median is not None
        and fitter.survival_function_["KM_estimate"].min() > 0
    ):
        limits = median_survival_times(fitter.confidence_interval_)
        assert lower == limits.iloc[0, 0]
        assert (np.inf if upper is None else upper) == limits.iloc[0, 1]
    assert median_follow_up(times, events)[0] == quantile(kaplan_meier(times, 1 - events))[0]


@settings(max_examples=150, deadline=None)
@given(competing)
def test_aalen_johansen_agrees_with_statsmodels(rows) -> None:
    times, causes = np.array(rows).T
    if not {1, 2} <= set(causes.tolist()):
        return
    curve, reference = aalen_johansen(times, causes), CumIncidenceRight(times, causes)
    at_events = np.isin(curve.time, reference.times)
    np.testing.assert_allclose(curve.estimate[at_events], reference.cinc[0], **exact)
    # statsmodels' variance divides by zero once nobody is left
    usable = np.isfinite(reference.cinc_se[0])
    np.testing.assert_allclose(curve.std_error[at_events][usable], reference.cinc_se[0][usable], **exact)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 2), min_size=3, max_size=40))
def test_aalen_johansen_agrees_with_lifelines_where_nothing_ties(causes) -> None:
    if 1 not in causes:
        return
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
    np.testing.assert_allclose(
        aalen_johansen(times, events).estimate, 1 - kaplan_meier(times, events).estimate, **exact
    )


def test_values_are_read_as_steps() -> None:
    curve = kaplan_meier([2, 4, 4, 6], [1, 1, 0, 0])
    read = curve.at([0, 1.9, 2, 4, 5, 6, 6.1])
    assert read["estimate"][:6].tolist() == [1.0, 1.0, 0.75, 0.5, 0.5, 0.5]
    assert np.isnan(read["estimate"][6])
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
