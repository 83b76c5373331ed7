"""`clinical-assets evidence`: sentences with citations for the terminal of the caller. They hold words of notes and go nowhere else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from clinical_assets.entities.applications.evidence import Passage, search
from clinical_assets.settings import Settings
from clinical_assets.storage.contracts import LAKE_TABLES
from clinical_assets.storage.lake import Lake

__all__ = ["evidence_lines"]

_READ = ("notes/notes", "entities/mentions", "entities/corpus_documents")


def evidence_lines(
    settings: Settings, question: str, *, limit: int, persons: Sequence[int], documents: bool
) -> Iterator[str]:
    """Yield the lines of the answer.

    Raises
    ------
    FileNotFoundError
        If there is no lake.
    ValueError
        As `entities.applications.evidence.search`.
    """
    lake = Lake(settings.lake)
    if lake.is_local and not Path(lake.root).is_dir():
        raise FileNotFoundError(
            f"there is no lake at {lake.root}: set CLINICAL_DATA to the folder that holds it, or make run"
        )
    for table in _READ:
        lake.declare(table, LAKE_TABLES[table])
    found = search(lake, question, limit=limit, persons=persons or None, documents=documents)
    for rank, passage in enumerate(found, start=1):
        yield f"{rank}. [{_citation(passage)}] score {passage.score:.2f}{_said(passage)}"
        yield f"   {_printable(passage.text)}"
    if not found:
        yield "nothing found"


def _citation(passage: Passage) -> str:
    where = f"{passage.start}-{passage.end}"
    if passage.source == "note":
        same = f", {passage.n_same} alike" if passage.n_same > 1 else ""
        return f"note {passage.doc_id}:{where}, person {passage.person_id}, {passage.date}{same}"
    return f"{passage.corpus} {passage.doc_id}:{where}"


def _said(passage: Passage) -> str:
    said = [f"{what} {assertion}".strip() for what, assertion in (*passage.entities, *passage.said)]
    return f" ({', '.join(said)})" if said else ""


def _printable(text: str) -> str:
    """One line without control characters: what a note holds must not steer a terminal."""
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
