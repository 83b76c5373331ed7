"""Notes in scope per batch, as digests: what tells a batch whose notes must be labelled from one that stands."""

from __future__ import annotations

import hashlib

import duckdb

__all__ = ["scope_digests"]


def scope_digests(connection: duckdb.DuckDBPyConnection) -> dict[str, tuple[str, int]]:
    """Return batch -> (digest of its notes in scope and their texts, their number), for every batch of ops.batches.

    A batch without a note in scope has the digest of nothing: its labels are known to be none.
    """
    found = connection.execute(
        """
        select batch.batch, coalesce(string_agg(scope.note_id || ':' || scope.text_sha256, ',' order by scope.note_id), ''),
            count(scope.note_id)
        from ops.batches as batch
        left join notes.labelling_scope as scope using (batch)
        group by batch.batch
        """
    ).fetchall()
    return {batch: (hashlib.sha256(text.encode()).hexdigest(), n) for batch, text, n in found}
