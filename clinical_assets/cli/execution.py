"""Running a job of the code location quietly: in this process, or batch by batch in this one and others beside it."""

from __future__ import annotations

import contextlib
import io
import os
import threading
import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from typing import Any

from clinical_assets.labels.adapter_choice import FOLLOWS

__all__ = ["Execution", "processes_beside"]

_MOST_PROCESSES = 4  # this one among them
_WORTH_A_PROCESS = 3  # batches each: a process needs some ten seconds of processor time before it starts


@contextlib.contextmanager
def processes_beside() -> Iterator[Executor]:
    """Yield a pool of as many processes as there are other processors, one at least; they start when there is work.

    What one of them has loaded serves all that it is given: models are trained in it, then batches are run in it.
    """
    n = max(1, min(os.cpu_count() or 1, _MOST_PROCESSES) - 1)
    # Spawned, not forked: threads of torch and of Dagster do not survive a fork.
    pool = ProcessPoolExecutor(n, mp_context=get_context("spawn"))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@dataclass(frozen=True)
class Execution:
    """The definitions and the instance that keeps what happens: the same jobs, assets and checks as in the UI."""

    defs: Any
    instance: Any
    _parts: dict[tuple[str, tuple[Any, ...]], Any] = field(default_factory=dict, repr=False)

    def has(self, job: str) -> bool:
        """Tell whether there is such a job."""
        return job in {one.name for one in self.defs.jobs or ()}

    def run(self, job: str, partition: str | None = None, *, assets: Sequence[Any] | None = None) -> tuple[bool, float]:
        """Run a job, or the part of it that makes these assets; return whether it succeeded, and its seconds."""
        started = time.monotonic()
        # Dagster's log of the run is in its instance, for the UI; on the terminal only warnings, and not dbt's 200 lines.
        quiet = {"loggers": {"console": {"config": {"log_level": "WARNING"}}}}
        with contextlib.redirect_stdout(io.StringIO()):
            result = self._part(job, assets).execute_in_process(
                instance=self.instance,
                partition_key=partition,
                run_config=quiet,
                # Like automation: what stands is brought up to date, not made anew by what was promoted since.
                tags={FOLLOWS: "true"},
                raise_on_error=False,
            )
        return result.success, time.monotonic() - started

    def run_batches(self, job: str, batches: Sequence[str], beside: Executor | None = None) -> list[str]:
        """Run a job for each batch, here and, where there are batches enough, in the processes beside; return what failed.

        The processes share the instance like the runs of the UI do, and each batch is a run of its own.
        """
        todo, failed = deque(batches), list[str]()
        n = min((os.cpu_count() or 1) - 1, len(batches) // _WORTH_A_PROCESS - 1, _MOST_PROCESSES - 1)
        threads = (
            []
            if beside is None
            else [threading.Thread(target=_feed, args=(beside, job, todo, failed)) for _ in range(n)]
        )
        with _on_one_processor() if threads else contextlib.nullcontext():
            for thread in threads:
                thread.start()
            for batch in _taken(todo):
                failed += [] if self.run(job, batch)[0] else [batch]
            for thread in threads:
                thread.join()
        return [batch for batch in batches if batch in failed]

    def _part(self, job: str, assets: Sequence[Any] | None) -> Any:
        """Return a job, or its part, made once: taking it apart costs a second."""
        key = (job, tuple(assets or ()))
        if key not in self._parts:
            whole = self.defs.resolve_job_def(job)
            self._parts[key] = whole.get_subset(asset_selection=frozenset(assets)) if assets else whole
        return self._parts[key]


def _taken(todo: deque[str]) -> Iterator[str]:
    """Yield what is left, one by one; several may take."""
    with contextlib.suppress(IndexError):
        while True:
            yield todo.popleft()


def _feed(beside: Executor, job: str, todo: deque[str], failed: list[str]) -> None:
    """Give a process one batch after the other. A process that dies fails its batch, and those that nobody else takes."""
    for batch in _taken(todo):
        try:
            ok = beside.submit(_run_here, job, batch).result()
        except Exception:  # noqa: BLE001 - whatever became of it: the batch is not done
            ok = False
        failed += [] if ok else [batch]


@contextlib.contextmanager
def _on_one_processor() -> Iterator[None]:
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@cache
def _here() -> Execution:
    """The code location, loaded once in a process of the pool, which uses one processor."""
    import dagster as dg
    import torch

    from definitions import build_defs

    torch.set_num_threads(1)
    return Execution(build_defs(), dg.DagsterInstance.get())


def _run_here(job: str, batch: str) -> bool:
    return _here().run(job, batch)[0]
