"""The review queue as a file for an annotation tool: text goes into that file and nowhere else."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.annotations.tasks import FORMATS, ReviewTask, render, setup_of
from clinical_assets.storage.lake import Lake
from clinical_assets.storage.private_file import write_private
from clinical_assets.study.model import Study

if TYPE_CHECKING:
    import duckdb

__all__ = ["ReviewExport", "export_review", "review_tasks"]

# The notes of the queue, in the order of their first row; all fields of a note that are in the queue are asked at once.
_SQL = """
select queue.note_id, note.text_sha256, note.batch, list(queue.field order by queue.rank) as fields
from labels.review_queue as queue
inner join notes.note_index as note using (note_id)
group by all order by min(queue.rank) limit ?
"""


@dataclass(frozen=True)
class ReviewExport:
    """What was written: the file, what the tool's project is set up with (or None), and counts."""

    path: Path
    setup: Path | None
    n_notes: int
    n_answers: int


def export_review(
    connection: duckdb.DuckDBPyConnection, lake: Lake, study: Study, folder: Path, *, format: str, n: int
) -> ReviewExport:
    """Write the first `n` notes of labels.review_queue with their texts, to be read in a tool.

    Parameters
    ----------
    connection
        To the published warehouse.
    folder
        Made if needed, for its owner only; so are the files (0600). The same queue gives the same file.
    format
        One of `tasks.FORMATS`.
    n
        Notes, at most.

    Raises
    ------
    ValueError
        If the format is not known or `n` is less than 1.
    """
    if format not in FORMATS:
        raise ValueError(f"format {format!r}: expected one of {', '.join(FORMATS)}")
    if n < 1:
        raise ValueError(f"n is {n}; expected at least 1 note")
    tasks = review_tasks(connection, lake, n)
    definitions = {field.name: field.definition for field in study.fields}
    content = render(tasks, format, definitions)
    name = f"review_{hashlib.sha256(content).hexdigest()[:12]}.{FORMATS[format][1]}"
    place = folder / format
    write_private(place / name, content)
    setup = setup_of(format, definitions)
    if setup:
        write_private(place / setup[0], setup[1])
    n_answers = sum(len(task.fields) for task in tasks)
    return ReviewExport(place / name, place / setup[0] if setup else None, len(tasks), n_answers)


def review_tasks(connection: duckdb.DuckDBPyConnection, lake: Lake, n: int) -> list[ReviewTask]:
    """Return the first `n` notes of the queue; a note whose text is no longer in the lake as the queue saw it is left out."""
    queue = connection.execute(_SQL, [n]).fetchall()
    texts: dict[tuple[int, str], str] = {}
    for batch in sorted({row[2] for row in queue}):
        if lake.has("notes/notes", batch):
            texts |= _texts(lake, batch, {row[0] for row in queue if row[2] == batch})
    return [
        ReviewTask(note_id, digest, texts[note_id, digest], tuple(fields))
        for note_id, digest, _, fields in queue
        if (note_id, digest) in texts
    ]


def _texts(lake: Lake, batch: str, notes: Iterable[int]) -> dict[tuple[int, str], str]:
    rows = lake.read("notes/notes", batch, ["note_id", "text_sha256", "text"])
    rows = rows.filter(pc.is_in(rows["note_id"], value_set=pa.array(sorted(notes), pa.int64())))
    return {(row["note_id"], row["text_sha256"]): row["text"] for row in rows.to_pylist()}
