"""Between the event loop and the audit: rows that wait together become durable together (group commit)."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from clinical_assets.serving.audit import AuditLog

__all__ = ["AuditWriter"]


class AuditWriter:
    """Writes rows in a thread of its own, one fsync for all that came meanwhile."""

    def __init__(self, log: AuditLog) -> None:
        self._log = log
        self._pool = ThreadPoolExecutor(1, "audit")
        self._waiting: list[tuple[Mapping[str, Any], asyncio.Future[None]]] = []
        self._task: asyncio.Task[None] | None = None

    async def write(self, row: Mapping[str, Any]) -> None:
        """Return when the row is on the disk.

        Raises
        ------
        AuditError
            If it could not be written.
        """
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((row, done))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work())
        # A caller who hangs up cancels neither the row nor those of others.
        await asyncio.shield(done)

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting, []
            try:
                await asyncio.get_running_loop().run_in_executor(
                    self._pool, self._log.append, [row for row, _ in batch]
                )
            except Exception as error:  # noqa: BLE001 - whoever waits has to hear of it
                for _, done in batch:
                    done.set_exception(error)
            else:
                for _, done in batch:
                    done.set_result(None)

    async def close(self) -> None:
        """Write what waits and end the thread."""
        if self._task is not None:
            await self._task
        self._pool.shutdown()
