"""Running a job of the code location quietly: in this process, or batch by batch in several."""

from __future__ import annotations

import contextlib
import io
import os
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from multiprocessing import get_context
from typing import Any

from clinical_assets.labels.adapter_choice import FOLLOWS

__all__ = ["Execution"]

_MOST_PROCESSES = 4
_WORTH_A_PROCESS = 3  # batches: a process needs some ten seconds of processor time before it starts


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

    def run_batches(self, job: str, batches: Sequence[str]) -> list[str]:
        """Run a job for each batch, several at once where there are processors and batches enough; return what failed.

        The processes share the instance like the runs of the UI do, and each batch is a run of its own.
        """
        n = min(os.cpu_count() or 1, len(batches) // _WORTH_A_PROCESS, _MOST_PROCESSES)
        if n < 2:
            return [batch for batch in batches if not self.run(job, batch)[0]]
        # Spawned, not forked: threads of torch and of Dagster do not survive a fork.
        with ProcessPoolExecutor(n, mp_context=get_context("spawn")) as pool:
            done = pool.map(_run_here, [job] * len(batches), batches)
            return [batch for batch, ok in zip(batches, done, strict=True) if not ok]

    def _part(self, job: str, assets: Sequence[Any] | None) -> Any:
        """Return a job, or its part, made once: taking it apart costs a second."""
        key = (job, tuple(assets or ()))
        if key not in self._parts:
            whole = self.defs.resolve_job_def(job)
            self._parts[key] = whole.get_subset(asset_selection=frozenset(assets)) if assets else whole
        return self._parts[key]


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
