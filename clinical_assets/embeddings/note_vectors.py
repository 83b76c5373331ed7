"""Vectors of the notes in scope of one batch, for search."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.embeddings.encoder_choice import Encoder
from clinical_assets.embeddings.person_vectors import vector_column
from clinical_assets.embeddings.vector_cache import encode_texts
from clinical_assets.storage.embedding_contracts import NOTE_VECTORS
from clinical_assets.storage.lake import Lake

__all__ = ["NoteRun", "note_vectors"]

_COLUMNS = ["note_id", "person_id", "batch", "text", "text_sha256", "status"]
# What is read: text of other languages may be searched too, but blank notes and stubs say nothing.
_READ = ("usable", "not_english")


@dataclass(frozen=True)
class NoteRun:
    """The rows (contract NOTE_VECTORS) and how many distinct texts were encoded now."""

    rows: pa.Table
    n_computed: int


def note_vectors(
    lake: Lake,
    batch: str,
    scope: Collection[int],
    encoder: Encoder,
    instruction: str,
    *,
    made_at: datetime,
    log: Callable[[str], None] = lambda line: None,
) -> NoteRun:
    """Return one row a note in scope, with its vector unless there is nothing to read.

    Raises
    ------
    FileNotFoundError
        If the batch is not in the lake.
    ModelError, ServerError
        If the encoder cannot be used.
    """
    notes = lake.read("notes/notes", batch, _COLUMNS)
    wanted = pc.is_in(notes.column("note_id"), value_set=pa.array(sorted(scope), pa.int64()))
    notes = notes.filter(wanted).sort_by("note_id")
    readable = np.array([status in _READ for status in notes.column("status").to_pylist()], dtype=bool)
    texts = notes.filter(pa.array(readable)).column("text").to_pylist()
    done = encode_texts(lake, encoder, texts, instruction, made_at=made_at, log=log)
    vectors = np.zeros((notes.num_rows, encoder.dimension), np.float32)
    vectors[readable] = done.vectors
    known = np.abs(vectors).sum(axis=1) > 0
    n = notes.num_rows
    statuses = np.where(readable, np.where(known, "embedded", "nothing_known"), "no_text")
    held = vector_column(vectors).to_pylist() if not readable.all() else vector_column(vectors)
    if not readable.all():
        held = pa.array(
            [row if told else None for row, told in zip(held, readable, strict=True)], pa.list_(pa.float32())
        )
    columns = {
        **{name: notes.column(name) for name in ("note_id", "person_id", "batch", "text_sha256")},
        "encoder": pa.array([encoder.name] * n, pa.string()),
        "revision": pa.array([encoder.revision] * n, pa.string()),
        "settings_sha": pa.array([encoder.sha(instruction)] * n, pa.string()),
        "status": pa.array(statuses.tolist(), pa.string()),
        "dimension": pa.array([encoder.dimension if told else None for told in readable], pa.int32()),
        "vector": held,
    }
    return NoteRun(pa.table(columns).cast(NOTE_VECTORS), done.n_computed)
