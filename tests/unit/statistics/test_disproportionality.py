"""Disproportionality against hand-computed tables, reference libraries and a brute-force posterior."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_assets.statistics.disproportionality import disproportionality

counts = st.integers(min_value=0, max_value=2_000)


def test_a_table_by_hand() -> None:
    # 10 of 100 reports of the drug name the event, 20 of 900 reports of other drugs do
    found = disproportionality(10, 90, 20, 880)
    assert found.expected[0] == pytest.approx(100 * 30 / 1000)
    assert found.prr[0] == pytest.approx((10 / 100) / (20 / 900))  # 4.5
    width = 1.959964 * math.sqrt(1 / 10 - 1 / 100 + 1 / 20 - 1 / 900)
    assert found.prr_low[0] == pytest.approx(4.5 * math.exp(-width), rel=1e-6)
    assert found.ror[0] == pytest.approx(10 * 880 / (90 * 20))
    width = 1.959964 * math.sqrt(1 / 10 + 1 / 90 + 1 / 20 + 1 / 880)
    assert found.ror_high[0] == pytest.approx(10 * 880 / 1800 * math.exp(width), rel=1e-6)
    assert found.ic[0] == pytest.approx(math.log2(10.5 / 3.5))


@given(counts, counts, counts, counts)
def test_it_agrees_with_reference_libraries(a: int, b: int, c: int, d: int) -> None:
    from scipy.stats import chi2_contingency
    from scipy.stats.contingency import odds_ratio, relative_risk

    found = disproportionality(a, b, c, d)
    if min(a, b, c, d) > 0:
        risk = relative_risk(a, a + b, c, c + d)
        assert found.prr[0] == pytest.approx(risk.relative_risk)
        limits = risk.confidence_interval(0.95)
        assert (found.prr_low[0], found.prr_high[0]) == pytest.approx((limits.low, limits.high))
        odds = odds_ratio([[a, b], [c, d]], kind="sample")
        limits = odds.confidence_interval(0.95)
        assert (found.ror[0], found.ror_low[0], found.ror_high[0]) == pytest.approx(
            (odds.statistic, limits.low, limits.high)
        )
    if min(a + b, c + d, a + c, b + d) > 0:
        expected = chi2_contingency([[a, b], [c, d]], correction=True)
        assert found.chi_square[0] == pytest.approx(expected.statistic, abs=1e-9)
        assert found.p_value[0] == pytest.approx(expected.pvalue, abs=1e-12)
    else:
        assert math.isnan(found.chi_square[0])


def test_limits_of_the_information_component_are_those_of_its_posterior() -> None:
    # brute force: observed ~ Poisson(rate * expected), prior Gamma(1/2, 1/2) on the rate, on a fine grid
    a, b, c, d = 6, 44, 30, 920
    expected = (a + b) * (a + c) / (a + b + c + d)
    rate = np.linspace(1e-6, 40, 2_000_001)
    log = (a - 0.5) * np.log(rate) - rate * (expected + 0.5)
    weight = np.cumsum(np.exp(log - log.max()))
    weight /= weight[-1]
    low, high = (math.log2(rate[np.searchsorted(weight, q)]) for q in (0.025, 0.975))
    found = disproportionality(a, b, c, d)
    assert found.ic_low[0] == pytest.approx(low, abs=1e-3)
    assert found.ic_high[0] == pytest.approx(high, abs=1e-3)


@given(counts, counts, counts, counts)
def test_limits_hold_the_estimate_and_nothing_is_infinite(a: int, b: int, c: int, d: int) -> None:
    found = disproportionality(a, b, c, d)
    for name in ("prr", "ror"):
        low, middle, high = (getattr(found, name + end)[0] for end in ("_low", "", "_high"))
        assert math.isnan(low) or low <= middle <= high
    if a + b + c + d:
        assert found.ic_low[0] <= found.ic[0] + 1e-9 or a == 0
        assert math.isfinite(found.ic_low[0])
        assert math.isfinite(found.ic_high[0])
    assert not any(np.isinf(getattr(found, name)).any() for name in found.__dataclass_fields__)


def test_one_report_is_never_a_signal_of_the_information_component() -> None:
    # the point of shrinkage: 1 observed where next to none is expected is not much
    assert disproportionality(1, 0, 0, 1_000_000).ic_low[0] < 0
    assert disproportionality(5, 0, 0, 1_000_000).ic_low[0] > 0


def test_bad_tables_are_refused() -> None:
    with pytest.raises(ValueError, match="b: expected whole counts"):
        disproportionality(1, -1, 2, 3)
    with pytest.raises(ValueError, match="level is 95"):
        disproportionality(1, 1, 2, 3, level=95)
