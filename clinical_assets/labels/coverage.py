"""Do labels and notes belong together: no label without its note, no note without each field's label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

__all__ = ["Coverage", "coverage_of"]


@dataclass(frozen=True)
class Coverage:
    """Labels of unknown notes or texts, and (note, field) pairs without a label."""

    n_orphan_labels: int
    n_missing_labels: int


def coverage_of(labels: pa.Table, notes: pa.Table, fields: Sequence[str]) -> Coverage:
    """Count what does not match between `labels` (note_id, note_sha256, field) and `notes` (note_id, text_sha256)."""
    known = notes.select(["note_id", "text_sha256"]).rename_columns(["note_id", "note_sha256"])
    keys = ["note_id", "note_sha256"]
    matched = labels.join(known, keys, join_type="left semi")
    pairs = (
        matched.group_by([*keys, "field"])
        .aggregate([])
        .join(pa.table({"field": pa.array(list(fields), pa.string())}), "field", join_type="left semi")
    )
    return Coverage(labels.num_rows - matched.num_rows, notes.num_rows * len(fields) - pairs.num_rows)
