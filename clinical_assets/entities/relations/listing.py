"""Relations that a language model listed together with the mentions: from the column `influences` of entities/mentions to a judge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from clinical_assets.entities.relations.documents import Document, Pair
from clinical_assets.entities.relations.note_relations import Decision, Decisions, Judge

__all__ = ["are_listed", "listed_judge"]

_Rows = Sequence[Mapping[str, Any]]


def are_listed(mentions: _Rows) -> bool:
    """Return whether who extracted these mentions was asked for influences too."""
    return any(row["influences"] is not None for row in mentions)


def listed_judge(mentions: _Rows) -> Judge:
    """Return a judge that holds for true what was listed, and for false the other pairs that stand in one part of a note.

    Pairs whose mentions never stand in the same part were not asked about: they are undecided.

    Parameters
    ----------
    mentions
        Rows of entities/mentions of one batch and one language model.
    """
    of_note: dict[str, list[Mapping[str, Any]]] = {}
    for row in mentions:
        of_note.setdefault(str(row["note_id"]), []).append(row)
    who = mentions[0]
    name = f"{who['extractor']}@{who['adapter_sha'] or who['model_revision']}"

    def judge(documents: Sequence[Document]) -> Decisions:
        return Decisions(name, None, [_decided(of_note.get(one.doc_id, ())) for one in documents])

    return judge


def _decided(rows: _Rows) -> dict[Pair, Decision]:
    diseases = {row["start"]: row["entity_key"] for row in rows if row["entity_type"] == "disease"}
    in_part: dict[int, set[str]] = {}
    for row in rows:
        if row["entity_type"] == "disease":
            in_part.setdefault(row["part"], set()).add(row["entity_key"])
    values: dict[Pair, bool] = {}
    for row in rows:
        if row["influences"] is None:
            continue
        listed = {diseases[start] for start in row["influences"]}
        for disease in in_part.get(row["part"], ()):
            pair = row["entity_key"], disease
            values[pair] = values.get(pair, False) or disease in listed
    return {pair: Decision(None, value) for pair, value in values.items()}
