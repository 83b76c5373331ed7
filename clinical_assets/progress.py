"""Progress of long work for people: done, total, rate and time left, at most once per interval."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["Progress"]


class Progress:
    """Report progress through `log` when at least `every` seconds passed since the last report.

    Parameters
    ----------
    what
        What is counted, e.g. ``"notes labelled"``.
    total
        How many there are.
    log
        Takes one line, e.g. ``context.log.info``.
    done
        How many were done before, by a run that was interrupted.
    """

    def __init__(
        self, what: str, total: int, log: Callable[[str], None], *, every: float = 10.0, done: int = 0
    ) -> None:
        self._what, self._total, self._log, self._every = what, total, log, every
        self._started = self._reported = time.monotonic()
        self._done = self._before = done

    def add(self, n: int, also: str = "") -> None:
        """Count `n` more as done; `also` is what else the line says."""
        self._done += n
        now = time.monotonic()
        if now - self._reported >= self._every:
            self._reported = now
            rate = (self._done - self._before) / (now - self._started)
            left = (self._total - self._done) / rate if rate else float("inf")
            self._log(
                f"{self._done:,} of {self._total:,} {self._what}, {rate:,.{0 if rate >= 10 else 2}f}/s, {left:,.0f} s left"
                f"{also and ', '}{also}; safe to stop, it resumes"
            )
