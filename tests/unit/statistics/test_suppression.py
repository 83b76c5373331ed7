"""What is shown never gives a small count away: audited apart from the code that decides."""

from __future__ import annotations

import itertools

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
    cells, sums, n = {}, [], start
    for i, wanted in enumerate(drops):
        drop = min(wanted, n)
        cells |= {f"before{i}": n, f"dropped{i}": drop, f"after{i}": n - drop}
        sums.append(Sum(f"before{i}", (f"dropped{i}", f"after{i}")))
        if i:
            sums.append(Sum(f"before{i}", (f"after{i - 1}",)))
        n -= drop
    return cells, sums


def nested(whole, part):
    """A population, a subgroup, and what the reader gets by subtracting them (never shown)."""
    part = [min(a, b) for a, b in zip(whole, part, strict=True)]
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


def audit(cells, sums, withheld, k):
    small = [cell for cell, n in cells.items() if 0 < n < k]
    assert set(small) <= withheld
    for cell in small:
        assert greatest(cells, sums, withheld, cell) >= k - 1e-6, cell
    assert exposed(cells, sums, withheld, k=k) == []


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
    cells, sums = attrition(start, drops)
    audit(cells, sums, suppress(cells, sums, k=k), k)


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 5).flatmap(
        lambda n: st.tuples(st.lists(few, min_size=n, max_size=n), st.lists(few, min_size=n, max_size=n))
    ),
    st.integers(2, 12),
)
def test_what_a_subgroup_leaves_over_is_protected_too(groups, k) -> None:
    cells, sums, hidden = nested(*groups)
    withheld = suppress(cells, sums, k=k, hidden=hidden)
    assert hidden <= withheld
    audit(cells, sums, withheld, k)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 4), min_size=2, max_size=2), min_size=2, max_size=2))
def test_by_trying_every_table_that_fits(rows) -> None:
    # k = 3: for each small cell some table of whole numbers that fits what is shown holds 3 or more there.
    cells, sums = two_way(rows)
    withheld = suppress(cells, sums, k=3)
    fits = []
    for values in itertools.product(range(17), repeat=4):
        tried, _ = two_way([values[:2], values[2:]])
        if all(tried[cell] == n for cell, n in cells.items() if cell not in withheld):
            fits.append(tried)
    for cell, n in cells.items():
        if 0 < n < 3:
            seen = {fit[cell] for fit in fits}
            assert max(seen) >= 3, (cell, sorted(seen))


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


def test_the_choice_does_not_depend_on_the_order_of_cells() -> None:
    cells, sums = two_way([[3, 20, 31], [14, 25, 9], [40, 12, 13]])
    backwards = dict(reversed(cells.items()))
    assert suppress(cells, sums) == suppress(backwards, sums)


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
        ({"a": 1}, [Sum("a", ("b",))], 11, "'a' names unknown cells: b"),
        ({"a": 3, "b": 1, "c": 1}, [Sum("a", ("b", "c"))], 11, "'a' is 3, but its 2 parts add up to 2"),
    ],
)
def test_what_cannot_hang_together_is_refused(cells, sums, k, message) -> None:
    with pytest.raises(ValueError, match=message):
        suppress(cells, sums, k=k)
