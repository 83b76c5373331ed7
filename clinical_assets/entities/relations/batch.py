"""The relations of one note batch: from its mentions and texts in the lake to its rows in the lake."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.entities.relations.listing import are_listed, listed_judge
from clinical_assets.entities.relations.model import RelationModel
from clinical_assets.entities.relations.note_relations import relation_rows, trained_judge
from clinical_assets.storage.entity_contracts import ENTITY_TABLES
from clinical_assets.storage.lake import Lake, Written

__all__ = ["Related", "relate_batch"]

_TABLE = "entities/relations"
_COLUMNS = [
    "note_id", "note_sha256", "extractor", "model_revision", "adapter_sha", "prompt_sha", "decoding", "person_id", "note_date", "batch",
    "start", "end", "entity_type", "assertion", "entity_key", "concept_id",
    "part", "influences",
]  # fmt: skip


class Related(NamedTuple):
    """What was written of a batch; `n_true` pairs are held to be a relation, `n_undecided` nobody decided on."""

    written: Written
    relation_model: str
    n_notes: int
    n_true: int
    n_undecided: int


def relate_batch(
    lake: Lake, batch: str, trained: tuple[str, RelationModel] | None, *, made_at: datetime, run_id: str
) -> Related:
    """Write the relations of a batch: as a language model listed them where one read the notes, else as the trained model decides.

    Mentions of another version of a note than the one that stands in the batch have none: they are made anew with the mentions.

    Raises
    ------
    FileNotFoundError
        If notes or mentions of the batch are not in the lake.
    """
    mentions = lake.read("entities/mentions", batch, _COLUMNS)
    notes = lake.read("notes/notes", batch, ["note_id", "text", "text_sha256"])
    # only texts that are needed become Python strings
    notes = notes.filter(pc.is_in(notes.column("note_id"), value_set=mentions.column("note_id").combine_chunks()))
    read = {(row["note_id"], row["text_sha256"]): row["text"] for row in notes.to_pylist()}
    rows = [row for row in mentions.to_pylist() if (row["note_id"], row["note_sha256"]) in read]
    texts = {note_id: text for (note_id, _), text in read.items()}
    judge = listed_judge(rows) if are_listed(rows) else trained_judge(trained)
    found = list(relation_rows(rows, texts, judge, made_at=made_at, run_id=run_id))
    schema = ENTITY_TABLES[_TABLE]
    written = lake.write(_TABLE, pa.Table.from_pylist(found, schema), schema, batch=batch)
    values = [row["value"] for row in found]
    return Related(
        written,
        judge(()).name,
        len({row["note_id"] for row in found}),
        values.count(True),
        values.count(None),
    )
