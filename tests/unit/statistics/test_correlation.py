"""Rank correlation with limits: every draw of persons gives what scipy gives of the rows that were drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from clinical_assets.statistics.bootstrap import interval, person_weights
from clinical_assets.statistics.correlation import spearman

ITEMS = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 4)), min_size=3, max_size=25)


@settings(max_examples=25, deadline=None)
@given(ITEMS)
def test_limits_are_those_of_scipy_on_the_rows_of_each_draw(items: list[tuple[int, int, int]]) -> None:
    x, y, persons = (np.array(column, dtype=float) for column in zip(*items, strict=True))
    found = spearman(x, y, persons, n_replicates=40, seed=3)
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        assert np.isnan(found).all()
        return
    assert found[0] == pytest.approx(spearmanr(x, y).statistic)
    if np.unique(persons).size < 2:
        assert np.isnan(found[1:]).all()
        return
    weights, index = person_weights(persons, 40, 3)
    draws = [np.repeat(np.arange(x.size), row[index]) for row in weights]
    said = [
        spearmanr(x[rows], y[rows]).statistic if rows.size > 2 and np.ptp(x[rows]) and np.ptp(y[rows]) else np.nan
        for rows in draws
    ]
    assert found[1:] == pytest.approx(interval(said, 0.95), nan_ok=True)
