"""From texts of calls to replies: prepared once, read by each engine that is asked for, cut up by call again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, cast

from clinical_assets.serving.engines import Engines
from clinical_assets.serving.models import EngineInfo, Task
from clinical_assets.serving.prepare import prepare
from clinical_assets.study.model import IntakeLimits

__all__ = ["Read", "Reader"]


class Read(NamedTuple):
    """What was read of one call. `results`: per task one result per text, with ids by position."""

    text_sha256: list[str]
    engines: Mapping[Task, EngineInfo]
    results: Mapping[Task, list[Any]]


class Reader:
    """Reads texts with engines."""

    def __init__(self, engines: Engines, limits: IntakeLimits) -> None:
        self._engines, self._limits = engines, limits

    def __call__(self, tasks: Sequence[str], calls: Sequence[Sequence[str]]) -> list[Read]:
        """Return what was read, one entry per call."""
        texts = [text for call in calls for text in call]
        prepared = prepare([str(number) for number in range(len(texts))], texts, self._limits)
        engines = {task: self._engines.get(task) for task in cast("Sequence[Task]", tasks)}
        results = {task: engine.answer(prepared).results for task, engine in engines.items()}
        infos = {task: engine.info for task, engine in engines.items()}
        found, first = [], 0
        for call in calls:
            part = slice(first, first + len(call))
            shas = [row["text_sha256"] for row in prepared.rows[part]]
            found.append(Read(shas, infos, {task: each[part] for task, each in results.items()}))
            first += len(call)
        return found

    def digests(self, texts: Sequence[str]) -> list[str]:
        """Return the SHA-256 of each text as it would be read."""
        return [row["text_sha256"] for row in prepare([""] * len(texts), texts, self._limits).rows]
