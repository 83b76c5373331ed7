"""What is shown never gives a small count away: audited apart from the code that decides."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

from clinical_assets.statistics.suppression import Sum, bounds, exposed, suppress


def one_way(counts):
    cells = {f"c{i}": n for i, n in enumerate(counts)}
    return {**cells, "total": sum(counts)}, [Sum("total", tuple(cells))]


def two_way(rows):
    cells = {f"r{i}c{j}": n for i, row in enumerate(rows) for j, n in enumerate(row)}
    width = len(rows[0])
    for i in range(len(rows)):
        cells[f"r{i}"] = sum(rows[i])
    for j in range(width):
        cells[f"k{j}"] = sum(row[j] for row in rows)
    cells["total"] = sum(map(sum, rows))
    sums = [Sum(f"r{i}", tuple(f"r{i}c{j}" for j in range(width))) for i in range(len(rows))]
    sums += [Sum(f"k{j}", tuple(f"r{i}c{j}" for i in range(len(rows)))) for j in range(width)]
    sums += [Sum("total", tuple(f"r{i}" for i in range(len(rows)))), Sum("total", tuple(f"k{j}" for j in range(width)))]
    return cells, sums


def attrition(start, drops):
    """Steps of a chain: what a step finds is what the one before it left."""
    cells, sums, n = {}, [], start
    for i, drop in enumerate(drops):
        cells |= {f"before{i}": n, f"dropped{i}": drop, f"after{i}": n - drop}
        sums.append(Sum(f"before{i}", (f"dropped{i}", f"after{i}")))
        if i:
            sums.append(Sum(f"before{i}", (f"after{i - 1}",)))
        n = n - drop
    return cells, sums


def possible(start, drops):
    """The drops, cut to what is left."""
    kept = []
    for drop in drops:
        kept.append(min(drop, start - sum(kept)))
    return kept


def nested(whole, part):
    """A population, a subgroup, and what the reader gets by subtracting them (never shown)."""
    cells, sums, hidden = {}, [], set()
    for name, values in (("whole", whole), ("part", part)):
        keys = tuple(f"{name}{i}" for i in range(len(values)))
        cells |= dict(zip(keys, values, strict=True)) | {f"{name} total": sum(values)}
        sums.append(Sum(f"{name} total", keys))
    for key in [*(str(i) for i in range(len(whole))), " total"]:
        cells[f"rest{key}"] = cells[f"whole{key}"] - cells[f"part{key}"]
        sums.append(Sum(f"whole{key}", (f"part{key}", f"rest{key}")))
        hidden.add(f"rest{key}")
    return cells, sums, hidden


def greatest(cells, sums, withheld, cell):
    """The reader's upper bound, by a linear program written apart from the module's: shown cells are fixed variables."""
    names = sorted(cells)
    place = {name: i for i, name in enumerate(names)}
    matrix = np.zeros((len(sums), len(names)))
    for row, item in enumerate(sums):
        matrix[row, place[item.total]] += 1
        for part in item.parts:
            matrix[row, place[part]] -= 1
    limits = [(0, None) if name in withheld else (cells[name], cells[name]) for name in names]
    cost = np.zeros(len(names))
    cost[place[cell]] = -1
    result = linprog(cost, A_eq=matrix, b_eq=np.zeros(len(sums)), bounds=limits)
    return np.inf if result.status == 3 else -result.fun


def audit(cells, sums, withheld, k, hidden=frozenset()):
    small = {cell for cell, n in cells.items() if 0 < n < k}
    assert small <= withheld
    for cell in small:
        assert greatest(cells, sums, withheld, cell) >= k - 1e-6, cell
    assert exposed(cells, sums, withheld, k=k) == []
    # And no more than that: no zero is withheld, and without any one of the others a small cell would be exposed.
    for cell in withheld - small - hidden:
        assert cells[cell] > 0
        assert any(greatest(cells, sums, withheld - {cell}, other) < k - 1e-6 for other in small), cell


def audit_by_trial(build, values, k, hidden=frozenset(), up_to=16):
    """Work out every table of whole numbers up to `up_to`, and compare those that show what is shown."""
    cells, sums = build(values)
    withheld = suppress(cells, sums, k=k, hidden=hidden)
    grid = np.indices((up_to + 1,) * len(values)).reshape(len(values), -1)
    tried, _ = build(list(grid))
    fits = np.ones(grid.shape[1], dtype=bool)
    for cell, n in cells.items():
        fits &= (tried[cell] >= 0) if cell in withheld else (tried[cell] == n)
    assert fits.any()
    for cell, n in cells.items():
        if 0 < n < k:
            seen = set(tried[cell][fits].tolist())
            assert max(seen) >= k, (cell, sorted(seen))
            assert len(seen) > 1


few = st.integers(0, 30)


@settings(max_examples=60, deadline=None)
@given(st.lists(few, min_size=1, max_size=6), st.integers(1, 12))
def test_one_way_tables(counts, k) -> None:
    cells, sums = one_way(counts)
    audit(cells, sums, suppress(cells, sums, k=k), k)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda width: st.lists(st.lists(few, min_size=width, max_size=width), min_size=2, max_size=4)
    ),
    st.integers(2, 12),
)
def test_two_way_tables(rows, k) -> None:
    cells, sums = two_way(rows)
    audit(cells, sums, suppress(cells, sums, k=k), k)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 200), st.lists(st.integers(0, 40), min_size=1, max_size=7), st.integers(2, 12))
def test_attrition_chains(start, drops, k) -> None:
    cells, sums = attrition(start, possible(start, drops))
    audit(cells, sums, suppress(cells, sums, k=k), k)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(st.lists(few, min_size=n, max_size=n), st.lists(few, min_size=n, max_size=n))
    ),
    st.integers(2, 12),
)
def test_what_a_subgroup_leaves_over_is_protected_too(groups, k) -> None:
    whole, part = groups
    cells, sums, hidden = nested(whole, [min(a, b) for a, b in zip(whole, part, strict=True)])
    withheld = suppress(cells, sums, k=k, hidden=hidden)
    assert hidden <= withheld
    audit(cells, sums, withheld, k, hidden)


tiny = st.lists(st.integers(0, 4), min_size=4, max_size=4)


@settings(max_examples=60, deadline=None)
@given(tiny, st.integers(2, 4))
def test_one_way_tables_by_trial(values, k) -> None:
    audit_by_trial(one_way, values, k)


@settings(max_examples=60, deadline=None)
@given(tiny, st.integers(2, 4))
def test_two_way_tables_by_trial(values, k) -> None:
    audit_by_trial(lambda tried: two_way([tried[:2], tried[2:]]), values, k)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 12), st.lists(st.integers(0, 4), min_size=3, max_size=3), st.integers(2, 4))
def test_attrition_chains_by_trial(start, drops, k) -> None:
    audit_by_trial(lambda tried: attrition(tried[0], tried[1:]), [start, *possible(start, drops)], k)


@settings(max_examples=60, deadline=None)
@given(tiny, st.integers(2, 4))
def test_subgroups_by_trial(values, k) -> None:
    values[2:] = [min(a, b) for a, b in zip(values[:2], values[2:], strict=True)]
    hidden = nested(values[:2], values[2:])[2]
    audit_by_trial(lambda tried: nested(tried[:2], tried[2:])[:2], values, k, hidden)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.lists(st.sampled_from([0, 11, 12, 40]), min_size=3, max_size=3), min_size=2, max_size=4))
def test_nothing_is_withheld_where_nothing_is_small(rows) -> None:
    cells, sums = two_way(rows)
    assert suppress(cells, sums) == frozenset()


def test_the_next_smallest_cell_of_the_margin_may_not_be_enough() -> None:
    # 4 + 5 = 9: with both gone their sum still proves that each is below 11, so a third cell goes.
    cells, sums = one_way([4, 5, 40, 50])
    assert suppress(cells, sums) == {"c0", "c1", "c2"}
    assert exposed(cells, sums, {"c0", "c1"}) == ["c0", "c1"]


def test_nothing_is_withheld_without_need_and_zeros_stay() -> None:
    cells, sums = one_way([0, 0, 20, 30])
    assert suppress(cells, sums) == frozenset()
    cells, sums = one_way([0, 3, 20, 30])
    assert suppress(cells, sums) == {"c1", "c2"}
    assert suppress({"alone": 3, "other": 50}, []) == {"alone"}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(few, min_size=3, max_size=3), min_size=2, max_size=4), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order_of_cells_or_sums(rows, random) -> None:
    cells, sums = two_way(rows)
    other_cells = list(cells.items())
    other_sums = list(sums)
    random.shuffle(other_cells)
    random.shuffle(other_sums)
    assert suppress(cells, sums) == suppress(dict(other_cells), other_sums)


def test_bounds_say_what_a_reader_can_work_out() -> None:
    cells, sums = one_way([4, 16, 30])
    assert bounds(cells, sums, {"c0"}, ["c0", "c1"]) == {"c0": (4.0, 4.0), "c1": (16, 16)}
    assert bounds(cells, sums, {"c0", "c1"}, ["c0"]) == {"c0": (0.0, 20.0)}
    assert bounds(cells, sums, {"c0", "c1", "total"}, ["c0"])["c0"][1] == np.inf


@pytest.mark.parametrize(
    ("cells", "sums", "k", "message"),
    [
        ({"a": 1}, [], 0, "k is 0"),
        ({"a": -1}, [], 11, "not negative; see a"),
        ({"a": 1.5}, [], 11, "whole and not negative; see a"),
        ({"a": 1}, [Sum("a", ("b",))], 11, "'a' names unknown cells: b"),
        ({"a": 3, "b": 1, "c": 1}, [Sum("a", ("b", "c"))], 11, "'a' is 3, but its 2 parts add up to 2"),
    ],
)
def test_what_cannot_hang_together_is_refused(cells, sums, k, message) -> None:
    with pytest.raises(ValueError, match=message):
        suppress(cells, sums, k=k)
    with pytest.raises(ValueError, match=message):
        exposed(cells, sums, set(), k=k)


def test_bounds_of_unknown_cells_are_refused() -> None:
    with pytest.raises(ValueError, match="unknown cells: b"):
        bounds({"a": 3}, [], {"a"}, ["a", "b"])
