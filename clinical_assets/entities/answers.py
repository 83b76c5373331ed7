"""What an extractor said of the notes of one batch, kept in tables: what stands is never asked again.

A note's status and its mentions are two tables. An answer counts only if both agree on how many mentions there are, so that a
run that was killed between two writes leaves nothing half believed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.entities.extraction import Extraction, Found
from clinical_assets.labels.output import canonical_sha256
from clinical_assets.storage.entity_contracts import ENTITY_NOTES
from clinical_assets.storage.lake import Lake

__all__ = ["IDENTITY", "SHELF", "SPANS", "TABLES", "Answers", "identity_digest"]

_FORMAT = 2  # raise it whenever an answer is kept in another way
IDENTITY = "identity"  # in a partition's metadata: digest of who extracted, the same for all of its rows

TABLES = ("entities/notes", "entities/mentions")
SHELF = ("entities_put_by/notes", "entities_put_by/spans")
# What a note's text alone decides, or what may be other tomorrow, is decided anew every time.
_STANDS = ("extracted", "parse_error", "truncated")

# What is put by of a mention: all else of its row is found anew without a model.
SPANS = pa.schema(
    [
        pa.field("note_id", pa.int64(), nullable=False),
        pa.field("note_sha256", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("entity_type", pa.string(), nullable=False),
        pa.field("confidence", pa.float32()),
        pa.field("part", pa.int32()),
        pa.field("influences", pa.list_(pa.int32())),
    ]
)


def identity_digest(identity: Mapping[str, str]) -> str:
    """Return the digest of an extractor's identity."""
    return canonical_sha256([_FORMAT, dict(identity)])


@dataclass
class Answers:
    """Per note its row of ENTITY_NOTES; and the spans of all, by note.

    Attributes
    ----------
    notes
        note_id -> row.
    """

    notes: dict[int, dict[str, Any]] = field(default_factory=dict)
    _spans: dict[int, tuple[Found, ...]] = field(default_factory=dict)
    _kept: dict[int, tuple[pa.Table, int, int]] = field(default_factory=dict)

    def add(self, row: dict[str, Any], extraction: Extraction) -> None:
        """Take an answer in; `row` has the columns of ENTITY_NOTES but those that the extraction tells."""
        told = extraction.status == "extracted"
        self.notes[row["note_id"]] = {
            **row,
            "status": extraction.status,
            "n_mentions": len(extraction.found) if told else None,
            "n_dropped": extraction.n_dropped,
            "n_input_tokens": extraction.n_input_tokens,
            "n_output_tokens": extraction.n_output_tokens,
            "seconds": row.get("seconds"),
        }
        self._spans[row["note_id"]] = extraction.found if told else ()

    def read(
        self, lake: Lake, tables: Sequence[str], batch: str, texts: Mapping[int, str], identity: Mapping[str, str]
    ) -> None:
        """Take in what stands of a pair of tables (notes, mentions).

        Parameters
        ----------
        texts
            note_id -> SHA-256 of its present text, of the notes that are asked for.
        """
        digest = identity_digest(identity)
        if not all(lake.has(table, batch) and lake.metadata(table, batch).get(IDENTITY) == digest for table in tables):
            return
        spans = lake.read(tables[1], batch, SPANS.names)
        now = pa.array(texts.values(), pa.string())
        at = pc.index_in(spans["note_id"], value_set=pa.array(texts.keys(), pa.int64()))
        spans = spans.filter(pc.fill_null(pc.equal(now.take(at.combine_chunks()), spans["note_sha256"]), False))
        spans = spans.sort_by([("note_id", "ascending"), ("start", "ascending")]).combine_chunks()
        ids = spans["note_id"].to_numpy()
        for row in lake.read(tables[0], batch).to_pylist():
            note_id = row["note_id"]
            if row["status"] not in _STANDS or texts.get(note_id) != row["note_sha256"]:
                continue
            low, high = int(np.searchsorted(ids, note_id)), int(np.searchsorted(ids, note_id, "right"))
            if high - low == (row["n_mentions"] or 0):
                self.notes[note_id], self._kept[note_id] = row, (spans, low, high)

    def found(self, note_id: int) -> tuple[Found, ...]:
        """Return what was found in a note."""
        if note_id in self._spans or note_id not in self._kept:
            return self._spans.get(note_id, ())
        spans, low, high = self._kept[note_id]
        rows = spans.slice(low, high - low).select(list(Found._fields)).to_pylist()
        return tuple(
            Found(**{**row, "influences": None if row["influences"] is None else tuple(row["influences"])})
            for row in rows
        )

    def notes_table(self) -> pa.Table:
        """Return the rows of ENTITY_NOTES, by note_id."""
        return pa.Table.from_pylist([self.notes[note_id] for note_id in sorted(self.notes)], schema=ENTITY_NOTES)

    def spans_table(self) -> pa.Table:
        """Return all spans, by note_id."""
        rows = [
            (note_id, row["note_sha256"], *one)
            for note_id, row in sorted(self.notes.items())
            for one in self.found(note_id)
        ]
        columns = list(zip(*rows, strict=True)) or [()] * len(SPANS)
        return pa.table(
            [pa.array(values, field.type) for values, field in zip(columns, SPANS, strict=True)], schema=SPANS
        )
