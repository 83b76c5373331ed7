"""Greedy selection against all subsets: never over the budget, never below its guarantee, and the bound holds."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.summaries.submodular import Objective, choose


@st.composite
def problems(draw):
    n = draw(st.integers(1, 7))
    facts = [frozenset(draw(st.sets(st.integers(0, 5), max_size=4))) for _ in range(n)]
    costs = [draw(st.integers(1, 9)) for _ in range(n)]
    weights = [draw(st.floats(0.1, 3)) for _ in range(6)]
    values = draw(st.lists(st.floats(0, 1), min_size=n * n, max_size=n * n))
    matrix = np.array(values).reshape(n, n)
    matrix = (matrix + matrix.T) / 2
    np.fill_diagonal(matrix, 1.0)
    return facts, costs, weights, matrix, draw(st.integers(1, 30))


def value(facts, weights, matrix, subset) -> float:
    objective, total = Objective(facts, weights, matrix), 0.0
    for i in subset:
        total += objective.gain(i)
        objective.add(i)
    return total


@settings(max_examples=150, deadline=None)
@given(problems())
def test_within_budget_and_bound(problem) -> None:
    facts, costs, weights, matrix, budget = problem
    choice = choose(Objective(facts, weights, matrix), costs, budget)
    assert sum(costs[i] for i in choice.chosen) <= budget
    assert abs(value(facts, weights, matrix, choice.chosen) - choice.value) < 1e-9
    best = max(
        value(facts, weights, matrix, subset)
        for size in range(len(facts) + 1)
        for subset in combinations(range(len(facts)), size)
        if sum(costs[i] for i in subset) <= budget
    )
    assert choice.value >= (1 - np.exp(-0.5)) * best - 1e-9
    assert choice.value >= choice.bound * best - 1e-9  # what is said of the data is true of it
    assert 0 <= choice.bound <= 1


def test_everything_fits() -> None:
    choice = choose(Objective([frozenset({0}), frozenset({1})], [1, 1], np.eye(2)), [3, 4], 10)
    assert choice.chosen == (0, 1)
    assert abs(choice.value - 1) < 1e-9
    assert abs(choice.bound - 1) < 1e-9


def test_nothing_fits() -> None:
    assert choose(Objective([frozenset({0})], [1], np.eye(1)), [3], 2).chosen == ()
