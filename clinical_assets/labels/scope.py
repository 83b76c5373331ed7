"""Which notes models are asked about: read from the published warehouse, never computed twice."""

from __future__ import annotations

import contextlib
from typing import Any, Protocol

__all__ = ["Reader", "notes_in_scope"]


class Reader(Protocol):
    """Opens the published warehouse for reading (dagster_duckdb.DuckDBResource does)."""

    def get_connection(self) -> contextlib.AbstractContextManager[Any]:
        """Open a connection."""


def notes_in_scope(reader: Reader, batch: str | None = None) -> set[int]:
    """Return the note_ids of a batch, or of all, that stand in notes.labelling_scope."""
    with reader.get_connection() as connection:
        found = connection.execute(
            "select note_id from notes.labelling_scope where ? is null or batch = ?", [batch, batch]
        ).fetchall()
    return {row[0] for row in found}
