"""Labelling one note batch: read in chunks, ask the ledger, label the rest, replace the partition."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import pyarrow as pa

from clinical_assets.labels.ledger import LabelTally, label_chunks
from clinical_assets.privacy import withhold_messages
from clinical_assets.progress import Progress
from clinical_assets.storage.contracts import LABELS
from clinical_assets.storage.lake import ContractError, Lake, Written

__all__ = ["NOTE_COLUMNS", "LabelRun", "label_batch"]

NOTE_COLUMNS = ["note_id", "person_id", "text", "text_sha256", "status", "batch"]
_CHUNK = 2_000  # notes; bounds memory at some tens of MB for notes of usual length


@dataclass(frozen=True)
class LabelRun:
    """What labelling a batch wrote and did."""

    written: Written
    tally: LabelTally
    seconds: float


def label_batch(
    lake: Lake,
    table: str,
    batch: str,
    identity: Mapping[str, str],
    label: Callable[[pa.Table], pa.Table],
    log: Callable[[str], None],
    *,
    chunk: int = _CHUNK,
) -> LabelRun:
    """Label the notes of `batch` that have no label of this identity yet, and replace the partition of `table`.

    Parameters
    ----------
    identity
        The labeller's constant identity columns.
    label
        Takes notes (columns :data:`NOTE_COLUMNS`) and returns their labels (LABELS contract).
    log
        Takes progress lines.
    chunk
        Notes labelled at a time.
    """
    started = time.monotonic()
    existing = lake.read(table, batch) if lake.has(table, batch) else None
    tally = LabelTally()
    total = lake.read("notes/notes", batch, ["note_id"]).num_rows
    progress = Progress("notes labelled", total, log)

    def counted() -> Iterator[pa.Table]:
        for notes in lake.iter_chunks("notes/notes", batch, rows=chunk, columns=NOTE_COLUMNS):
            yield notes
            progress.add(notes.num_rows)

    with withhold_messages(ContractError, OSError):
        written = lake.write(table, label_chunks(counted(), existing, identity, label, tally), LABELS, batch=batch)
    return LabelRun(written, tally, round(time.monotonic() - started, 3))
