"""Training on all landed corpora, and scoring on their documents that were not trained on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from clinical_assets.entities.extraction import Extractor
from clinical_assets.entities.relations.corpora import annotated_documents
from clinical_assets.entities.relations.evaluation import CodeBook, found_documents, listed_scores, relation_scores
from clinical_assets.entities.relations.learning import Parameters, train_relations
from clinical_assets.entities.relations.model import RelationModel
from clinical_assets.entities.spacy_extractor import load_spacy_extractor
from clinical_assets.entities.tagger_store import TaggerError
from clinical_assets.storage.lake import Lake

__all__ = ["found_by", "score_relations", "train_on_corpora"]


def train_on_corpora(
    lake: Lake, parameters: Parameters | None = None, *, log: Callable[[str], None] = lambda _: None
) -> RelationModel:
    """Train on the documents of the split train of every corpus with relations.

    Raises
    ------
    TooFewRelations
        If there are too few documents or relations.
    """
    parts = annotated_documents(lake, {"train"})
    documents = [document for part in parts for document in part.documents]
    gold = [pairs for part in parts for pairs in part.gold]
    card = {"corpora": {part.corpus: part.sha for part in parts}}
    return train_relations(documents, gold, parameters, card=card, log=log)


def found_by(models: Path) -> Extractor | None:
    """Return the trained extractor, whose mentions are scored as found ones; None where none was trained or it cannot be used."""
    try:
        return load_spacy_extractor(models)
    except TaggerError:
        return None


def score_relations(
    lake: Lake, trained: tuple[str, RelationModel], extractor: Extractor | None, lister: Extractor | None = None
) -> list[dict[str, Any]]:
    """Return rows of the scores' contract for the splits dev and test.

    Relations are scored with annotated mentions, and with found ones where there is an extractor; those that a language model lists,
    where the study has one read its notes, beside them.
    """
    digest, model = trained
    book = CodeBook(document for part in annotated_documents(lake, {"train"}) for document in part.documents)
    rows: list[dict[str, Any]] = []
    for part in annotated_documents(lake, {"dev", "test"}):
        rows += relation_scores(part, part.documents, "relations_gold_entities", model, digest)
        if extractor is not None:
            found = found_documents(part.documents, extractor, book)
            rows += relation_scores(part, found, "relations_found_entities", model, digest)
        if lister is not None:
            rows += listed_scores(part, lister, book)
    return rows
