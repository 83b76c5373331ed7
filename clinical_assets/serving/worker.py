"""The one thread that reads texts: engines are not shared between threads, and more of them would not be faster under the GIL.

Calls for the same tasks that wait at the same time are read together: most of the cost of a short text is the same for one as for many.
"""

from __future__ import annotations

import asyncio
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

__all__ = ["WaitedTooLong", "Worker"]

R = TypeVar("R")
_WEIGHT = 0.2  # of the newest call in the running mean
_MOST_TEXTS, _MOST_CHARS = 64, 300_000  # read together; a call that is larger is read alone

Read = Callable[[Sequence[str], Sequence[Sequence[str]]], Sequence[R]]


class WaitedTooLong(TimeoutError):
    """The call waited longer for the worker than a call may; it was not begun."""


@dataclass
class _Call(Generic[R]):
    tasks: tuple[str, ...]
    texts: Sequence[str]
    done: Future[R] = field(default_factory=Future)
    asked: float = field(default_factory=time.monotonic)


class Worker(Generic[R]):
    """Reads calls in the order in which they come.

    Parameters
    ----------
    read
        Takes tasks and the texts of one or more calls; returns one result per call.
    wait_seconds
        A call that was not begun after this is given up.
    """

    def __init__(self, read: Read[R], wait_seconds: float) -> None:
        self._read, self._wait = read, wait_seconds
        self._pool = ThreadPoolExecutor(1, "worker")
        self._waiting: deque[_Call[R]] = deque()
        self._lock = threading.Lock()
        self._mean = 0.05  # seconds a call

    async def run(self, tasks: Sequence[str], texts: Sequence[str]) -> R:
        """Return what is read of the texts of a call.

        Raises
        ------
        WaitedTooLong
            If it was not begun in time. Whatever reading raises is raised.
        """
        call = _Call[R](tuple(tasks), texts)
        with self._lock:
            self._waiting.append(call)
        self._pool.submit(self._next)  # finds nothing to do if the call is read with others before
        return await asyncio.wrap_future(call.done)

    def seconds_for(self, n_calls: int) -> int:
        """Return how long `n_calls` calls will take, as far as can be told: whole seconds, 1 to 60."""
        return max(1, min(60, math.ceil(n_calls * self._mean)))

    def close(self) -> None:
        """Finish the calls at hand and end the thread."""
        self._pool.shutdown()

    def _next(self) -> None:
        group = self._group()
        if not group:
            return
        begun = time.monotonic()
        try:
            self._answer(group)
        except Exception as error:  # noqa: BLE001 - its caller hears of it
            if len(group) == 1:
                group[0].done.set_exception(error)
            else:
                self._one_by_one(group)
        self._mean += _WEIGHT * ((time.monotonic() - begun) / len(group) - self._mean)

    def _one_by_one(self, group: Sequence[_Call[R]]) -> None:
        """Read calls that failed together alone: one of them must not spoil the others."""
        for call in group:
            try:
                self._answer([call])
            except Exception as error:  # noqa: BLE001 - its caller hears of it
                call.done.set_exception(error)

    def _answer(self, group: Sequence[_Call[R]]) -> None:
        results = self._read(group[0].tasks, [call.texts for call in group])
        if len(results) != len(group):
            raise AssertionError(f"{len(group)} calls, {len(results)} results")
        for call, result in zip(group, results, strict=True):
            call.done.set_result(result)

    def _group(self) -> list[_Call[R]]:
        """Return the call that waits longest, and those behind it that ask the same and fit in."""
        group: list[_Call[R]] = []
        n_texts = n_chars = 0
        now = time.monotonic()
        with self._lock:
            left: deque[_Call[R]] = deque()
            for call in self._waiting:
                size = sum(map(len, call.texts))
                if now - call.asked > self._wait:
                    if call.done.set_running_or_notify_cancel():
                        call.done.set_exception(WaitedTooLong())
                elif not group or (
                    call.tasks == group[0].tasks
                    and n_texts + len(call.texts) <= _MOST_TEXTS
                    and n_chars + size <= _MOST_CHARS
                ):
                    if call.done.set_running_or_notify_cancel():  # from here on nobody can take it back
                        group.append(call)
                        n_texts, n_chars = n_texts + len(call.texts), n_chars + size
                else:
                    left.append(call)
            self._waiting = left
        return group
