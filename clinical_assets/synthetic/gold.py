"""Annotations of the author: concept labels, entities and reference summaries, keyed by note_id and text digest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import pyarrow as pa

from clinical_assets.synthetic.note_text import FIELDS
from clinical_assets.synthetic.note_writer import Landed

__all__ = ["ANNOTATOR", "annotation_tables", "text_digest"]

ANNOTATOR = "synthetic_author"

LABELS = pa.schema(
    [
        pa.field("note_id", pa.int64(), nullable=False),
        pa.field("text_sha256", pa.string(), nullable=False),
        pa.field("annotator", pa.string(), nullable=False),
        pa.field("field", pa.string(), nullable=False),
        pa.field("value", pa.bool_(), nullable=False),
    ]
)
ENTITIES = pa.schema(
    [
        pa.field("note_id", pa.int64(), nullable=False),
        pa.field("text_sha256", pa.string(), nullable=False),
        pa.field("start", pa.int32(), nullable=False),
        pa.field("end", pa.int32(), nullable=False),
        pa.field("entity_type", pa.string(), nullable=False),
        pa.field("concept_id", pa.int32()),
        pa.field("assertion", pa.string(), nullable=False),
    ]
)
SUMMARIES = pa.schema(
    [
        pa.field("note_id", pa.int64(), nullable=False),
        pa.field("text_sha256", pa.string(), nullable=False),
        pa.field("summary", pa.string(), nullable=False),
    ]
)


def text_digest(text: str) -> str:
    """Return the SHA-256 of a text as UTF-8, in hexadecimal."""
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def annotation_tables(notes: Sequence[Landed]) -> dict[str, pa.Table]:
    """Return concept_labels (a row a note and field), entities (a row a mention), reference_summaries (a row a note).

    Only usable notes have rows; a note about which there is nothing to summarise has no summary.
    """
    usable = [(note, note.gold, text_digest(note.text)) for note in notes if note.gold is not None]
    n = len(FIELDS)
    labels = pa.Table.from_arrays(
        [
            pa.array([note.note_id for note, _, _ in usable for _ in FIELDS], pa.int64()),
            pa.array([digest for _, _, digest in usable for _ in FIELDS], pa.string()),
            pa.array([ANNOTATOR] * (n * len(usable)), pa.string()),
            pa.array(list(FIELDS) * len(usable), pa.string()),
            pa.array([gold.labels[name] for _, gold, _ in usable for name in FIELDS], pa.bool_()),
        ],
        schema=LABELS,
    )
    mentions = [(note.note_id, digest, entity) for note, gold, digest in usable for entity in gold.entities]
    entities = pa.Table.from_arrays(
        [
            pa.array([note_id for note_id, _, _ in mentions], pa.int64()),
            pa.array([digest for _, digest, _ in mentions], pa.string()),
            pa.array([entity.start for _, _, entity in mentions], pa.int32()),
            pa.array([entity.end for _, _, entity in mentions], pa.int32()),
            pa.array([entity.kind for _, _, entity in mentions], pa.string()),
            pa.array([entity.concept_id for _, _, entity in mentions], pa.int32()),
            pa.array([entity.assertion for _, _, entity in mentions], pa.string()),
        ],
        schema=ENTITIES,
    )
    told = [(note.note_id, digest, gold.summary) for note, gold, digest in usable if gold.summary]
    summaries = pa.Table.from_arrays(
        [
            pa.array([row[0] for row in told], pa.int64()),
            pa.array([row[1] for row in told], pa.string()),
            pa.array([row[2] for row in told], pa.string()),
        ],
        schema=SUMMARIES,
    )
    return {"concept_labels": labels, "entities": entities, "reference_summaries": summaries}
