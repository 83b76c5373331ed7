"""Choosing clauses by an integer program: every numeric fact is said, and as much else as the length has room for.

Maximise the weight of the facts that are said, subject to: each required fact is said by a clause that is chosen, a clause brings
the heading that tells what it means, and the lengths of both sum to at most the budget (a budgeted maximum coverage problem with
coverage constraints; Khuller, Moss & Naor 1999). HiGHS solves it by branch and bound; the nodes are limited, so that it always
ends and the same clauses give the same choice. How far the choice may be from the best is known: `Cover.bound`.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import TypeVar

__all__ = ["Cover", "cover"]

Fact = TypeVar("Fact", bound=Hashable)
_NODES = 500
_PER_TOKEN = 1e-5  # of the weight of a fact: of two choices that say as much, the shorter


@dataclass(frozen=True)
class Cover:
    """Chosen clauses, the weight of the facts they say, and the share of the best possible weight that this is known to reach."""

    chosen: frozenset[int]
    value: float
    bound: float


def cover(
    facts: Sequence[AbstractSet[Fact]],
    costs: Sequence[int],
    budget: float,
    *,
    required: AbstractSet[Fact],
    weights: Mapping[Fact, float],
    headings: Sequence[Hashable | None],
    heading_costs: Mapping[Hashable, int],
) -> Cover | None:
    """Return which clauses to keep; None where what is required needs more than the budget, or no choice was found.

    Parameters
    ----------
    facts, costs, headings
        Per clause: the facts it says, its tokens, the heading that has to come with it (None: none).
    budget
        Tokens; infinity for the shortest choice that says what is required.
    required
        Facts of which every one has to be said.
    weights
        Weight of each other fact, > 0. A fact that is in neither counts nothing.
    heading_costs
        Tokens of each heading, paid once.
    """
    import numpy as np
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import csr_matrix

    at: dict[Fact, list[int]] = {}
    for index, said in enumerate(facts):
        for fact in said:
            at.setdefault(fact, []).append(index)
    if any(fact not in at for fact in required):
        return None
    wanted = sorted((fact for fact in at if fact in weights and fact not in required), key=repr)
    heads = {head: len(facts) + len(wanted) + i for i, head in enumerate(dict.fromkeys(h for h in headings if h))}
    n = len(facts) + len(wanted) + len(heads)
    if not n:
        return Cover(frozenset(), 0.0, 1.0)
    length = np.zeros(n)
    length[: len(facts)] = costs
    for head, column in heads.items():
        length[column] = heading_costs[head]
    worth = np.zeros(n)
    worth[len(facts) : len(facts) + len(wanted)] = [weights[fact] for fact in wanted]
    entries: list[tuple[int, int, float]] = []
    low: list[float] = []

    def at_least(bound: float, *columns: tuple[int, float]) -> None:
        entries.extend((len(low), column, value) for column, value in columns)
        low.append(bound)

    if np.isfinite(budget):
        at_least(-budget, *((column, -float(length[column])) for column in range(n) if length[column]))
    for fact in sorted(required, key=repr):
        at_least(1.0, *((index, 1.0) for index in at[fact]))
    for i, fact in enumerate(wanted):
        at_least(0.0, (len(facts) + i, -1.0), *((index, 1.0) for index in at[fact]))
    for index, head in enumerate(headings):
        if head:
            at_least(0.0, (heads[head], 1.0), (index, -1.0))
    rows, columns, values = zip(*entries, strict=True) if entries else ((), (), ())
    whole = np.zeros(n)
    whole[: len(facts)] = 1  # the rest follows from these
    found = milp(
        _PER_TOKEN * length - worth,
        constraints=LinearConstraint(csr_matrix((values, (rows, columns)), shape=(len(low), n)), low, np.inf),
        integrality=whole,
        bounds=Bounds(0, 1),
        # Without presolve: 4 ms a text more, and nothing that HiGHS would print past every log.
        options={"node_limit": _NODES, "mip_rel_gap": 1e-6, "presolve": False},
    )
    if found.x is None:
        return None
    chosen = frozenset(int(i) for i in np.flatnonzero(found.x[: len(facts)] > 0.5))
    said_facts = {fact for index in chosen for fact in facts[index]}
    value = sum(weights[fact] for fact in wanted if fact in said_facts)
    paid = _PER_TOKEN * float(length @ np.round(found.x))
    best = paid - float(found.mip_dual_bound)  # no choice of this length is worth more
    return Cover(chosen, value, 1.0 if value >= best - _PER_TOKEN else value / best)
