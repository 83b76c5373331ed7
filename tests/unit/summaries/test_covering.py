"""The integer program against all choices: what is required is said, the budget holds, nothing better exists."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.summaries.covering import cover


@st.composite
def problems(draw):
    n = draw(st.integers(0, 6))
    facts = [frozenset(draw(st.sets(st.integers(0, 5), max_size=4))) for _ in range(n)]
    costs = [draw(st.integers(1, 9)) for _ in range(n)]
    heads = [draw(st.sampled_from([None, "h", "k"])) for _ in range(n)]
    return facts, costs, heads, draw(st.integers(0, 30)), frozenset(draw(st.sets(st.integers(0, 1))))


def said(facts, subset) -> set[int]:
    return {fact for i in subset for fact in facts[i]}


@settings(max_examples=100, deadline=None)
@given(problems())
def test_nothing_better_is_possible(problem) -> None:
    facts, costs, heads, budget, required = problem
    weights = {2: 1.0, 3: 0.5, 4: 2.0}
    heading_costs = {"h": 2, "k": 5}

    def length(subset) -> int:
        return sum(costs[i] for i in subset) + sum(heading_costs[h] for h in {heads[i] for i in subset} - {None})

    possible = [
        subset
        for size in range(len(facts) + 1)
        for subset in combinations(range(len(facts)), size)
        if length(subset) <= budget and required <= said(facts, subset)
    ]
    found = cover(facts, costs, budget, required=required, weights=weights, headings=heads, heading_costs=heading_costs)
    if not possible:
        assert found is None
        return
    best = max(sum(weights.get(fact, 0) for fact in said(facts, subset)) for subset in possible)
    assert tuple(sorted(found.chosen)) in possible
    assert abs(found.value - sum(weights.get(fact, 0) for fact in said(facts, found.chosen))) < 1e-9
    assert abs(found.value - best) < 1e-3  # a shorter choice may cost a thousandth of a fact
    assert 0.99 <= found.bound <= 1


def test_without_a_budget_it_is_the_shortest_that_says_what_is_required() -> None:
    facts, none = [frozenset("ab"), frozenset("a"), frozenset("b"), frozenset("x")], [None] * 4
    found = cover(
        facts, [9, 3, 3, 1], float("inf"), required=frozenset("ab"), weights={}, headings=none, heading_costs={}
    )
    assert found.chosen == {1, 2}
    lacking = cover(facts, [1] * 4, 99, required=frozenset("z"), weights={}, headings=none, heading_costs={})
    assert lacking is None
