"""What answers a task: the engines of the assets, opened when first needed, used by one thread.

An engine takes prepared texts and returns a reply of `models`. Opening and failing to open belong here; each engine is a module.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from clinical_assets.labels.output import canonical_sha256
from clinical_assets.privacy import withhold_messages
from clinical_assets.serving.models import EngineInfo, EngineState, Task
from clinical_assets.serving.prepare import Prepared

__all__ = ["Engine", "EngineUnavailable", "Engines", "engine_info"]

_RETRY_SECONDS = 30.0


class Engine(Protocol):
    """Does one task."""

    info: EngineInfo

    def answer(self, prepared: Prepared) -> Any:
        """Return the reply, one result per text in their order."""


class EngineUnavailable(RuntimeError):
    """The task cannot be done on this deployment as it is. The message says why and how to mend it; never text."""


def engine_info(name: str, identity: Mapping[str, str]) -> EngineInfo:
    """Return who answers; the digest is over name and identity."""
    said = {key: str(value) for key, value in identity.items()}
    return EngineInfo(name=name, digest=canonical_sha256({"name": name, **said}), identity=said)


@dataclass
class _Failure:
    why: str
    until: float


class Engines:
    """Engines by task, each opened once.

    Parameters
    ----------
    opening
        Per task what opens its engine; it may raise :class:`EngineUnavailable`.
    """

    def __init__(
        self, opening: Mapping[Task, Callable[[], Engine]], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._opening = dict(opening)
        self._clock = clock
        self._open: dict[Task, Engine] = {}
        self._failed: dict[Task, _Failure] = {}

    def get(self, task: Task) -> Engine:
        """Return the engine of a task. Only the worker's thread calls this.

        Raises
        ------
        EngineUnavailable
            If it cannot be opened; it is tried again half a minute later.
        StepError
            If opening failed in a way that nobody foresaw; its message is withheld.
        """
        if task in self._open:
            return self._open[task]
        failure = self._failed.get(task)
        if failure is not None and self._clock() < failure.until:
            raise EngineUnavailable(failure.why)
        try:
            with withhold_messages(EngineUnavailable):
                self._open[task] = self._opening[task]()
        except Exception as error:
            self._failed[task] = _Failure(str(error), self._clock() + _RETRY_SECONDS)
            raise
        self._failed.pop(task, None)
        return self._open[task]

    def states(self) -> dict[str, EngineState]:
        """Return how each task stands; opens nothing."""
        found: dict[str, EngineState] = {}
        for task in self._opening:
            engine, failure = self._open.get(task), self._failed.get(task)
            if engine is not None:
                found[task] = EngineState(state="ready", engine=engine.info)
            elif failure is not None:
                found[task] = EngineState(state="unavailable", why=failure.why)
            else:
                found[task] = EngineState(state="not_loaded")
        return found
