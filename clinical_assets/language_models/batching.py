"""Which rows run together, and what happens when they do not fit."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from typing import TypeVar

__all__ = ["TokenBudget", "is_out_of_memory", "plan_batches"]

Result = TypeVar("Result")
_RECOVER_AFTER = 8  # batches without trouble before the budget doubles again


def plan_batches(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield batches of row numbers, longest rows first, each with (rows x longest row) within `budget` tokens.

    Rows of like length share a batch, so that little is padding. A row longer than the budget runs alone.
    """
    order = sorted(range(len(lengths)), key=lambda i: (-lengths[i], i))
    start = 0
    while start < len(order):
        n = max(1, budget // max(1, lengths[order[start]]))
        yield order[start : start + n]
        start += n


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error says that memory ran out (CUDA, MPS or the CPU's allocator)."""
    if type(error).__name__ == "OutOfMemoryError" or isinstance(error, MemoryError):
        return True
    return isinstance(error, RuntimeError) and ("out of memory" in str(error) or "can't allocate memory" in str(error))


class TokenBudget:
    """Tokens that run at once: halved when memory runs out, doubled again (up to the first value) when all goes well."""

    def __init__(self, tokens: int, log: Callable[[str], None]) -> None:
        self.tokens = self._most = tokens
        self._log, self._good, self.n_halvings = log, 0, 0

    def run(
        self, rows: Sequence[int], lengths: Sequence[int], work: Callable[[list[int]], Result]
    ) -> Iterator[tuple[list[int], Result]]:
        """Yield (row numbers, what `work` returns for them) for all `rows`, in batches planned from `lengths`.

        Raises
        ------
        RuntimeError
            If memory runs out for a single row (the original error).
        """
        waiting = list(rows)
        while waiting:
            batch = [waiting[i] for i in next(plan_batches([lengths[row] for row in waiting], self.tokens))]
            fitted = True
            try:
                result = work(batch)
            except Exception as error:
                if not is_out_of_memory(error) or len(batch) == 1:
                    raise
                fitted = False
            if not fitted:  # outside the handler: the error would keep alive what the failed work had made
                self._halve(len(batch), max(lengths[row] for row in batch))
                continue
            self._recover()
            done = set(batch)
            waiting = [row for row in waiting if row not in done]
            yield batch, result

    def _halve(self, n: int, longest: int) -> None:
        # Half of what ran, which may be less than was allowed.
        self.tokens, self._good = max(1, min(self.tokens, n * longest) // 2), 0
        self.n_halvings += 1
        gc.collect()
        _empty_device_cache()
        self._log(f"memory ran out with {n} texts at once; going on with {self.tokens:,} tokens at once")

    def _recover(self) -> None:
        self._good += 1
        if self._good >= _RECOVER_AFTER and self.tokens < self._most:
            self.tokens, self._good = min(self._most, self.tokens * 2), 0


def _empty_device_cache() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()
