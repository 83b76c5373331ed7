"""The one thread that reads texts: engines are not shared between threads, and more of them would not be faster under the GIL."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

__all__ = ["WaitedTooLong", "Worker"]

T = TypeVar("T")
_WEIGHT = 0.2  # of the newest call in the running mean


class WaitedTooLong(TimeoutError):
    """The call waited longer for the worker than a call may; it was not begun."""


class Worker:
    """Runs one job after the other.

    Parameters
    ----------
    wait_seconds
        A job that was not begun after this is given up.
    """

    def __init__(self, wait_seconds: float) -> None:
        self._wait = wait_seconds
        self._pool = ThreadPoolExecutor(1, "worker")
        self._mean = 0.05  # seconds a job

    async def run(self, job: Callable[[], T]) -> T:
        """Return what the job returns.

        Raises
        ------
        WaitedTooLong
            If it was not begun in time. Whatever the job raises is raised.
        """
        asked = time.monotonic()

        def work() -> T:
            begun = time.monotonic()
            if begun - asked > self._wait:
                raise WaitedTooLong
            try:
                return job()
            finally:
                self._mean += _WEIGHT * (time.monotonic() - begun - self._mean)

        return await asyncio.get_running_loop().run_in_executor(self._pool, work)

    def seconds_for(self, n_calls: int) -> int:
        """Return how long `n_calls` calls will take, as far as can be told: whole seconds, 1 to 60."""
        return max(1, min(60, math.ceil(n_calls * self._mean)))

    def close(self) -> None:
        """Finish the job at hand and end the thread."""
        self._pool.shutdown(cancel_futures=True)
