"""How good relations are on annotated documents: the model beside co-occurrence, with the annotators' mentions and with found ones.

A relation is right if the document has it among the annotated ones, wherever it stands (the rule of the BioCreative V CDR task). With
found entities, keys are the codes that annotators of the training documents gave the same words: what no code is known for is lost,
and counts as missed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from clinical_assets.entities.extraction import Extraction, Extractor
from clinical_assets.entities.relations.corpora import Annotated
from clinical_assets.entities.relations.documents import Document, Mention, Pair, read_document
from clinical_assets.entities.relations.model import RelationModel
from clinical_assets.entities.scoring import counts_of, score_sets

__all__ = ["BASELINES", "CodeBook", "found_documents", "listed_scores", "relation_scores"]


def same_abstract(document: Document) -> set[Pair]:
    """Return every pair of the document."""
    return set(document.pairs())


def same_sentence(document: Document) -> set[Pair]:
    """Return the pairs that one sentence names both of."""
    places = {
        key: {one.sentence for one in ones} for key, ones in (*document.chemicals.items(), *document.diseases.items())
    }
    return {pair for pair in document.pairs() if places[pair[0]] & places[pair[1]]}


BASELINES: Mapping[str, Callable[[Document], set[Pair]]] = {
    "co_occurrence_abstract": same_abstract,
    "co_occurrence_sentence": same_sentence,
}


class CodeBook:
    """Codes that annotators gave to words, to name what an extractor found as they would."""

    def __init__(self, documents: Iterable[Document]) -> None:
        votes: dict[tuple[str, str], dict[tuple[str, ...], int]] = {}
        for document in documents:
            for one in document.mentions:
                of = votes.setdefault((one.mention.entity_type, " ".join(one.words)), {})
                of[one.mention.keys] = of.get(one.mention.keys, 0) + 1
        self._codes = {words: max(sorted(of), key=lambda keys: of[keys]) for words, of in votes.items()}

    def codes(self, entity_type: str, words: Sequence[str]) -> tuple[str, ...]:
        """Return the codes most often given to these folded words; none where they were never seen."""
        return self._codes.get((entity_type, " ".join(words)), ())


def found_documents(documents: Sequence[Document], extractor: Extractor, book: CodeBook) -> list[Document]:
    """Return the documents with the mentions that an extractor finds; those without a known code stand between others only."""
    said = extractor.extract([one.text for one in documents])
    return [_coded(document, extraction, book) for document, extraction in zip(documents, said, strict=True)]


def _coded(document: Document, extraction: Extraction, book: CodeBook) -> Document:
    bare = [Mention(one.start, one.end, one.entity_type, ()) for one in extraction.found]
    placed = read_document(document.doc_id, document.text, bare).mentions
    coded = [one.mention._replace(keys=book.codes(one.mention.entity_type, one.words)) for one in placed]
    return read_document(document.doc_id, document.text, coded)


def listed_scores(annotated: Annotated, lister: Extractor, book: CodeBook) -> Iterator[dict[str, Any]]:
    """Yield rows of the scores' contract of an extractor that lists influences itself, with the entities that it finds.

    A document of which it knows nothing counts as one in which it lists nothing.
    """
    said: list[set[Pair]] = []
    for document, extraction in zip(
        annotated.documents, lister.extract([one.text for one in annotated.documents]), strict=True
    ):
        keys = {one.mention.start: one.mention.keys for one in _coded(document, extraction, book).mentions}
        said.append(
            {
                (chemical, disease)
                for one in extraction.found
                for start in one.influences or ()
                for chemical in keys[one.start]
                for disease in keys[start]
            }
        )
    revision = lister.adapter_sha or lister.model_revision
    yield from _rows(annotated, said, task="relations_found_entities", extractor=lister.name, model_revision=revision)


def relation_scores(
    annotated: Annotated, documents: Sequence[Document], task: str, model: RelationModel | None, model_sha: str
) -> Iterator[dict[str, Any]]:
    """Yield rows of the scores' contract: of the model, if there is one, and of each baseline; micro and mean over documents.

    Parameters
    ----------
    annotated
        The annotated documents: their relations are what is looked for.
    documents
        The same documents with the mentions to be used.
    task
        relations_gold_entities | relations_found_entities.
    """
    if model is not None:
        said = [{pair for pair, p in found.items() if p >= model.threshold} for found in model.probabilities(documents)]
        yield from _rows(annotated, said, task=task, extractor="lightgbm", model_revision=model_sha)
    for name, rule in BASELINES.items():
        said = [rule(document) for document in documents]
        yield from _rows(annotated, said, task=task, extractor=name, model_revision="")


def _rows(annotated: Annotated, said: Sequence[Collection[Pair]], **names: str) -> Iterator[dict[str, Any]]:
    counts = counts_of(annotated.gold, said)
    for average in ("micro", "document"):
        yield {
            "corpus": annotated.corpus,
            "split": annotated.split,
            **names,
            "entity_type": "all",
            "matching": "strict",
            "average": average,
            **asdict(score_sets(counts, average)),
        }
