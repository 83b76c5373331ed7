"""Batches cover every row once, within the budget, and shrink when memory runs out."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from clinical_assets.language_models.batching import TokenBudget, is_out_of_memory, plan_batches

LENGTHS = st.lists(st.integers(1, 500), max_size=60)


@given(lengths=LENGTHS, budget=st.integers(1, 3000))
def test_a_plan_covers_every_row_once_longest_first_within_the_budget(lengths: list[int], budget: int) -> None:
    batches = list(plan_batches(lengths, budget))
    flat = [row for batch in batches for row in batch]
    assert sorted(flat) == list(range(len(lengths)))
    assert [lengths[row] for row in flat] == sorted(lengths, reverse=True)
    for batch, following in zip(batches, [*batches[1:], None], strict=False):
        longest = max(lengths[row] for row in batch)
        assert len(batch) == 1 or longest * len(batch) <= budget
        # No batch is smaller than need be.
        assert following is None or longest * (len(batch) + 1) > budget


def test_rows_of_no_tokens_are_planned() -> None:
    assert list(plan_batches([0, 0, 0], 2)) == [[0, 1], [2]]


class Machine:
    """Does work of at most so many tokens at once, and remembers."""

    def __init__(self, lengths: list[int], most: int, error: type[BaseException] = torch.OutOfMemoryError) -> None:
        self.lengths, self.most, self.error = lengths, most, error
        self.tried: list[int] = []

    def work(self, batch: list[int]) -> list[int]:
        self.tried.append(len(batch) * max(self.lengths[row] for row in batch))
        if self.tried[-1] > self.most:
            raise self.error("out of memory")
        return [row * 10 for row in batch]


@given(lengths=LENGTHS, budget=st.integers(1, 3000), most=st.integers(500, 4000))
def test_every_result_comes_once_however_little_fits(lengths: list[int], budget: int, most: int) -> None:
    machine, lines = Machine(lengths, most), []
    rows = list(range(0, len(lengths), 2))
    token_budget = TokenBudget(budget, lines.append)
    done = list(token_budget.run(rows, lengths, machine.work))
    assert sorted(row for batch, _ in done for row in batch) == rows
    assert all(result == [row * 10 for row in batch] for batch, result in done)
    assert len(lines) == token_budget.n_halvings == sum(size > most for size in machine.tried)
    # A batch that was too large is at once tried at half its size, or less.
    for size, following in zip(machine.tried, machine.tried[1:], strict=False):
        assert size <= most or following <= max(size // 2, 500)


def test_the_budget_is_halved_and_recovers() -> None:
    lengths, lines = [10] * 200, []
    machine = Machine(lengths, 100)
    budget = TokenBudget(320, lines.append)
    steps = budget.run(range(200), lengths, machine.work)
    next(steps)
    assert machine.tried == [320, 160, 80]
    assert (budget.tokens, budget.n_halvings) == (80, 2)
    assert lines == [
        "memory ran out with 32 texts at once; going on with 160 tokens at once",
        "memory ran out with 16 texts at once; going on with 80 tokens at once",
    ]
    machine.most = 10_000
    assert sum(len(batch) for batch, _ in steps) == 192
    assert machine.tried[3:] == [80] * 7 + [160] * 8 + [80]  # 192 rows: 8 a batch, then 16, then the 8 that are left


def test_the_budget_never_grows_beyond_its_first_value() -> None:
    machine = Machine([10] * 400, 10_000)
    budget = TokenBudget(40, lambda line: None)
    list(budget.run(range(400), [10] * 400, machine.work))
    assert set(machine.tried) == {40}


def test_half_of_what_ran_is_tried_next_not_half_of_what_was_allowed() -> None:
    machine = Machine([100, 100, 100, 100], 250)
    list(TokenBudget(100_000, lambda line: None).run(range(4), [100] * 4, machine.work))
    assert machine.tried == [400, 200, 200]


def test_what_failed_work_had_made_is_gone_before_the_next_try() -> None:
    class Tensor:
        pass

    alive: list[weakref.ref[Tensor]] = []
    at_log: list[bool] = []

    def work(batch: list[int]) -> int:
        mine = Tensor()
        alive.append(weakref.ref(mine))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return len(batch)

    gc.disable()
    try:
        budget = TokenBudget(2, lambda line: at_log.append(alive[-1]() is not None))
        assert [result for _, result in budget.run(range(2), [1, 1], work)] == [1, 1]
    finally:
        gc.enable()
    assert at_log == [False]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_a_single_row_that_does_not_fit_is_an_error(error: type[BaseException]) -> None:
    machine = Machine([5, 200, 5], 100, error)
    with pytest.raises(error, match="out of memory"):
        list(TokenBudget(600, lambda line: None).run(range(3), [5, 200, 5], machine.work))
    assert machine.tried[-1] == 200


def test_other_errors_pass_at_once() -> None:
    def work(batch: list[int]) -> Any:
        raise RuntimeError("shapes do not match")

    budget = TokenBudget(100, lambda line: None)
    with pytest.raises(RuntimeError, match="shapes do not match"):
        list(budget.run(range(3), [1, 1, 1], work))
    assert budget.n_halvings == 0


def test_what_counts_as_out_of_memory() -> None:
    for error in (
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        MemoryError(),
        RuntimeError("MPS backend out of memory"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:127] DefaultCPUAllocator: can't allocate memory: you tried"),
    ):
        assert is_out_of_memory(error)
    assert not is_out_of_memory(ValueError("out of memory"))
    assert not is_out_of_memory(RuntimeError("device-side assert"))
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)
