"""Rows of relations of notes: every pair of a chemical and a disease that a note names, what a model says of it, and where it stands.

A pair is carried whatever its mentions' assertion: whoever counts takes those of `ASSERTED` mentions only. Where no model was trained the
wording is told and nothing is decided: value is null, never false.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from clinical_assets.entities.relations.documents import Document, Mention, Pair, Placed, gap, read_document
from clinical_assets.entities.relations.model import RelationModel
from clinical_assets.entities.relations.store import relation_model_name
from clinical_assets.entities.relations.wording import Wording, find_wording
from clinical_assets.storage.entity_contracts import ENTITY_IDENTITY

__all__ = ["ASSERTED", "RELATION", "Decision", "Decisions", "Judge", "relation_rows", "trained_judge"]

RELATION = "chemical_induces_disease"
# Of these a person has or had it, or takes or took it; possible, negated, hypothetical and family are no statement of that.
ASSERTED = frozenset({"affirmed", "historical"})
_CARRIED = (*ENTITY_IDENTITY, "person_id", "note_date", "batch")
_CHUNK = 200  # notes whose pairs are decided together
_LOOKED_AT = 200  # pairs of mentions of one pair of keys


@dataclass(frozen=True)
class Decision:
    """What was decided of one pair; None where nothing was."""

    probability: float | None = None
    value: bool | None = None


@dataclass(frozen=True)
class Decisions:
    """What decided the pairs of some notes, and what it says of each note's pairs, in their order. Pairs it does not name are undecided."""

    name: str
    threshold: float | None
    of_documents: Sequence[Mapping[Pair, Decision]]


Judge = Callable[[Sequence[Document]], Decisions]


def trained_judge(trained: tuple[str, RelationModel] | None) -> Judge:
    """Return a judge that asks the trained model (digest and model); where there is none it decides nothing."""

    def judge(documents: Sequence[Document]) -> Decisions:
        if trained is None:
            return Decisions(relation_model_name(None), None, [{} for _ in documents])
        digest, model = trained
        said = [
            {pair: Decision(p, p >= model.threshold) for pair, p in found.items()}
            for found in model.probabilities(documents)
        ]
        return Decisions(relation_model_name(digest), model.threshold, said)

    return judge


def relation_rows(
    mentions: Iterable[Mapping[str, Any]],
    texts: Mapping[int, str],
    judge: Judge,
    *,
    made_at: datetime,
    run_id: str,
) -> Iterator[dict[str, Any]]:
    """Yield rows of the contract RELATIONS, by note and in order of first mention.

    Parameters
    ----------
    mentions
        Rows of entities/mentions of one batch.
    texts
        note_id -> the text that was read. A note whose text is not there has no rows.
    judge
        See `trained_judge` and `listing.listed_judge`.

    Raises
    ------
    ValueError
        If a mention lies outside its text.
    """
    notes: dict[tuple[Any, ...], list[Mapping[str, Any]]] = {}
    for row in mentions:
        notes.setdefault(tuple(row[name] for name in ENTITY_IDENTITY), []).append(row)
    # a note without both has no pair
    pairing = [
        rows
        for rows in notes.values()
        if rows[0]["note_id"] in texts and len({row["entity_type"] for row in rows}) == 2
    ]
    for first in range(0, len(pairing), _CHUNK):
        chunk = pairing[first : first + _CHUNK]
        documents = [_document(rows, texts[rows[0]["note_id"]]) for rows in chunk]
        decided = judge(documents)
        for rows, document, said in zip(chunk, documents, decided.of_documents, strict=True):
            for one in _note_rows(rows, document, decided, said):
                yield {**one, "extracted_at": made_at, "run_id": run_id}


def _document(rows: Sequence[Mapping[str, Any]], text: str) -> Document:
    found = [Mention(row["start"], row["end"], row["entity_type"], (row["entity_key"],)) for row in rows]
    return read_document(str(rows[0]["note_id"]), text, found)


def _note_rows(
    rows: Sequence[Mapping[str, Any]], document: Document, decided: Decisions, said: Mapping[Pair, Decision]
) -> Iterator[dict[str, Any]]:
    carried = {name: rows[0][name] for name in _CARRIED}
    row_of = {(row["start"], row["end"], row["entity_type"]): row for row in rows}
    for pair in document.pairs():
        chemical, disease, shared = _evidence(document, pair, row_of)
        start, end = _span(document, chemical, disease)
        worded = _wording(document, chemical, disease)
        of_chemical, of_disease = row_of[chemical.mention[:3]], row_of[disease.mention[:3]]
        decision = said.get(pair, Decision())
        yield {
            **carried,
            "relation_model": decided.name,
            "relation": RELATION,
            "chemical_key": pair[0],
            "disease_key": pair[1],
            "chemical_concept_id": of_chemical["concept_id"],
            "disease_concept_id": of_disease["concept_id"],
            "probability": decision.probability,
            "threshold": decided.threshold,
            "value": decision.value,
            "n_shared_sentences": shared,
            "wording": worded.wording,
            "cue_start": worded.start,
            "cue_end": worded.end,
            "evidence_start": start,
            "evidence_end": end,
            "chemical_start": chemical.mention.start,
            "chemical_end": chemical.mention.end,
            "disease_start": disease.mention.start,
            "disease_end": disease.mention.end,
            "chemical_assertion": of_chemical["assertion"],
            "disease_assertion": of_disease["assertion"],
            "sentences_apart": abs(chemical.sentence - disease.sentence),
        }


def _evidence(document: Document, pair: Pair, row_of: Mapping[Any, Mapping[str, Any]]) -> tuple[Placed, Placed, int]:
    """Return the two mentions that stand for a pair, and in how many sentences both are named.

    Mentions that are asserted go first, then those of one sentence, then the nearest: "no rash on imatinib ... rash after imatinib" is
    told by its second half.
    """
    chemicals, diseases = document.chemicals[pair[0]], document.diseases[pair[1]]
    shared = len({one.sentence for one in chemicals} & {one.sentence for one in diseases})

    def rank(two: tuple[Placed, Placed]) -> tuple[bool, int, int, int]:
        asserted = all(row_of[one.mention[:3]]["assertion"] in ASSERTED for one in two)
        return not asserted, abs(two[0].sentence - two[1].sentence), gap(*two), two[0].first

    side = int(_LOOKED_AT**0.5) + 1
    chemical, disease = min(((a, b) for a in chemicals[:side] for b in diseases[:side]), key=rank)
    return chemical, disease, shared


def _span(document: Document, chemical: Placed, disease: Placed) -> tuple[int, int]:
    first, last = sorted((chemical.sentence, disease.sentence))
    start, end = document.sentences[first][0], document.sentences[last][1]
    mentions = (chemical.mention, disease.mention)
    return min(start, *(one.start for one in mentions)), max(end, *(one.end for one in mentions))


def _wording(document: Document, chemical: Placed, disease: Placed) -> Wording:
    if chemical.sentence != disease.sentence:
        return Wording("none")
    others = [
        one.mention[:2]
        for one in document.mentions
        if one.sentence == chemical.sentence and one not in (chemical, disease)
    ]
    return find_wording(
        document.text, _span(document, chemical, disease), chemical.mention[:2], disease.mention[:2], others
    )
