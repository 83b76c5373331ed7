"""Running a job of the code location in this process, quietly."""

from __future__ import annotations

import contextlib
import io
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from clinical_assets.labels.adapter_choice import FOLLOWS

__all__ = ["Execution"]


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

    def _part(self, job: str, assets: Sequence[Any] | None) -> Any:
        """Return a job, or its part, made once: taking it apart costs a second."""
        key = (job, tuple(assets or ()))
        if key not in self._parts:
            whole = self.defs.resolve_job_def(job)
            self._parts[key] = whole.get_subset(asset_selection=frozenset(assets)) if assets else whole
        return self._parts[key]
