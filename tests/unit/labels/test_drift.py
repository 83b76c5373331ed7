"""A rate has changed only if that is neither chance nor trifle."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_assets.labels.drift import rate_changes


def test_a_change_that_is_large_and_no_chance_is_told_with_its_numbers() -> None:
    (change,) = rate_changes({"a": (60, 100), "b": (30, 100)}, {"a": (200, 1_000), "b": (300, 1_000)})
    assert (change.field, change.rate, change.trailing_rate, change.n, change.n_trailing) == ("a", 0.6, 0.2, 100, 1_000)
    assert 0 < change.p < 1e-10


def test_a_fall_is_a_change_as_well_as_a_rise() -> None:
    assert [c.field for c in rate_changes({"a": (5, 100)}, {"a": (500, 1_000)})] == ["a"]


@pytest.mark.parametrize(
    ("now", "before", "why"),
    [
        ((3, 5), (200, 1_000), "large, but five notes may be chance"),
        ((5_600, 10_000), (50_000, 100_000), "sure, but small"),
        ((50, 100), (500, 1_000), "the same"),
        ((0, 0), (500, 1_000), "nothing with a value now"),
        ((50, 100), (0, 0), "nothing before"),
    ],
)
def test_neither_chance_nor_a_trifle_is_a_change(now: tuple[int, int], before: tuple[int, int], why: str) -> None:
    assert rate_changes({"a": now}, {"a": before}) == [], why


def test_level_and_size_are_both_needed() -> None:
    now, before = {"a": (5_600, 10_000)}, {"a": (50_000, 100_000)}
    assert rate_changes(now, before, smallest_change=0.05)
    assert not rate_changes(now, before, smallest_change=0.061)
    few = ({"a": (3, 5)}, {"a": (200, 1_000)})
    assert rate_changes(*few, level=0.2)
    assert not rate_changes(*few, level=0.01)


def test_the_more_fields_are_tested_the_surer_one_must_be() -> None:
    alone = {"f0": (13, 20)}, {"f0": (250, 1_000)}
    (change,) = rate_changes(*alone, level=0.01)
    others = {f"f{k}": (5, 20) for k in range(1, 60)}, {f"f{k}": (250, 1_000) for k in range(1, 60)}
    n = 1 + len(others[0])
    assert change.p < 0.01 < change.p * n
    assert rate_changes(alone[0] | others[0], alone[1] | others[1], level=0.01) == []
    (with_others,) = rate_changes(alone[0] | others[0], alone[1] | others[1], level=change.p * n * 1.001)
    assert with_others.p == pytest.approx(change.p * n), "Holm: the smallest p counts as often as there are tests"


def test_fields_of_only_one_side_are_not_compared() -> None:
    assert rate_changes({"new": (90, 100)}, {"old": (1, 100)}) == []
    assert rate_changes({}, {}) == []


counts = st.integers(0, 300).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))


@given(st.dictionaries(st.sampled_from("abcd"), counts), st.dictionaries(st.sampled_from("abcd"), counts))
def test_whatever_is_told_is_significant_and_large(now, before) -> None:
    for change in rate_changes(now, before):
        assert change.p < 0.01
        assert abs(change.rate - change.trailing_rate) >= 0.1
        assert change.rate == now[change.field][0] / now[change.field][1]
