"""The notes most like a note: cosine of their vectors, in DuckDB, over the files of the lake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import duckdb

from clinical_assets.storage.lake import Lake

__all__ = ["NearNote", "NoSuchVector", "nearest_notes"]

_SQL = """
with vectors as (select * from read_parquet(?, union_by_name = true, hive_partitioning = false) where status = 'embedded'),
asked as (select * from vectors where note_id = ? qualify row_number() over (order by encoder) = 1),
notes as (select note_id, note_date, note_type from read_parquet(?, union_by_name = true, hive_partitioning = false))
select found.note_id, found.person_id, found.batch, notes.note_date, notes.note_type,
    array_cosine_similarity(cast(found.vector as float[{dimension}]), cast(asked.vector as float[{dimension}])) as similarity
from vectors as found
inner join asked on asked.settings_sha = found.settings_sha and asked.note_id <> found.note_id
inner join notes on notes.note_id = found.note_id
where ? or found.person_id <> asked.person_id
order by similarity desc, found.note_id
limit ?
"""


class NoSuchVector(LookupError):
    """There is no vector of the note; the message says why that may be."""


@dataclass(frozen=True)
class NearNote:
    """A note and how like it is, -1 to 1. No text: that stays in the lake."""

    note_id: int
    person_id: int
    batch: str
    note_date: date
    note_type: str | None
    similarity: float


def nearest_notes(lake: Lake, note_id: int, *, n: int = 10, same_person: bool = False) -> list[NearNote]:
    """Return the `n` notes most like a note among those that were embedded the same way, the likest first.

    Parameters
    ----------
    same_person
        Whether notes of the same person count, too; they mostly are the likest.

    Raises
    ------
    NoSuchVector
        If the note has no vector.
    ValueError
        If the lake is an object store: copy embeddings/notes and notes/notes to a folder first.
    """
    if not lake.is_local:
        raise ValueError("notes are looked up in a local lake only; copy embeddings/notes and notes/notes to a folder")
    vectors = lake.files("embeddings/notes")
    with duckdb.connect() as connection:
        connection.execute("set enable_progress_bar = false")
        found = connection.execute(
            "select any_value(dimension) from read_parquet(?, union_by_name = true, hive_partitioning = false) "
            "where note_id = ? and status = 'embedded'",
            [vectors, note_id],
        ).fetchone()
        if found is None or found[0] is None:
            raise NoSuchVector(
                f"note {note_id} has no vector: it is not in scope, has no text, or embeddings/notes of its batch is not materialized"
            )
        rows = connection.execute(
            _SQL.format(dimension=int(found[0])), [vectors, note_id, lake.files("notes/notes"), same_person, n]
        ).fetchall()
    return [NearNote(*row) for row in rows]
