"""What the checks of the embeddings ask of tables, in numbers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

__all__ = [
    "MOST_UNMAPPED",
    "NoteCover",
    "VectorFaults",
    "n_on_or_after_index",
    "note_cover",
    "share_unmapped",
    "vector_faults",
]

MOST_UNMAPPED = 0.2  # share of records without a name, above which the texts say too little of a person


@dataclass(frozen=True)
class VectorFaults:
    """How many vectors there are, of another length than their row says, and with what is no number in them."""

    n_vectors: int
    n_wrong_dimension: int
    n_not_finite: int
    n_dimensions: int  # most different lengths that one settings_sha has


def vector_faults(rows: pa.Table) -> VectorFaults:
    """Look at the vectors of a table with settings_sha, dimension, vector."""
    rows = rows.filter(pc.is_valid(rows.column("vector")))
    lengths = pc.list_value_length(rows.column("vector")).to_numpy()
    values = pc.list_flatten(rows.column("vector")).to_numpy()
    owners = np.repeat(np.arange(rows.num_rows), lengths)
    bad = np.unique(owners[~np.isfinite(values)]).size if values.size else 0
    pairs = set(zip(rows.column("settings_sha").to_pylist(), lengths.tolist(), strict=True))
    of = [settings for settings, _ in pairs]
    return VectorFaults(
        rows.num_rows,
        int((lengths != rows.column("dimension").to_numpy()).sum()),
        int(bad),
        max((of.count(settings) for settings in of), default=0),
    )


@dataclass(frozen=True)
class NoteCover:
    """Notes in scope, those without a row, rows of another version of the text or of another encoder than the study's."""

    n_notes: int
    n_missing: int
    n_stale: int


def note_cover(rows: pa.Table, notes: pa.Table, scope: Collection[int], settings_sha: str) -> NoteCover:
    """Hold the vectors of a batch against its notes (note_id, text_sha256)."""
    current = dict(zip(notes.column("note_id").to_pylist(), notes.column("text_sha256").to_pylist(), strict=True))
    wanted = {note_id for note_id in current if note_id in scope}
    held = dict(
        zip(
            rows.column("note_id").to_pylist(),
            zip(rows.column("text_sha256").to_pylist(), rows.column("settings_sha").to_pylist(), strict=True),
            strict=True,
        )
    )
    stale = sum(held[note_id] != (current[note_id], settings_sha) for note_id in wanted & set(held))
    return NoteCover(len(wanted), len(wanted - set(held)), stale + len(set(held) - wanted))


def n_on_or_after_index(rows: pa.Table) -> int:
    """Count chronologies that hold anything on or after their index date."""
    return int(pc.sum(pc.greater_equal(rows.column("last_date"), rows.column("index_date"))).as_py() or 0)


def share_unmapped(rows: pa.Table) -> float | None:
    """Return the share of records whose code has no name; None without records."""
    total = pc.sum(rows.column("n_records")).as_py()
    return pc.sum(rows.column("n_unmapped")).as_py() / total if total else None
