"""Annotated documents of the lake as relations are learnt from and scored on: by corpus and split, with what annotators say."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from clinical_assets.entities.corpora.annotated import AnnotatedDocument
from clinical_assets.entities.corpora.store import read_placed
from clinical_assets.entities.relations.documents import Document, Mention, Pair, read_document
from clinical_assets.storage.lake import Lake

__all__ = ["Annotated", "annotated_documents", "as_document"]


@dataclass(frozen=True)
class Annotated:
    """Documents of one corpus and split, in order of doc_id.

    Attributes
    ----------
    documents
        With the mentions and codes of the annotators.
    gold
        The relations of each.
    sha
        Digest of texts, mentions and relations.
    """

    corpus: str
    split: str
    documents: Sequence[Document]
    gold: Sequence[Collection[Pair]]
    sha: str


def annotated_documents(lake: Lake, splits: Collection[str]) -> list[Annotated]:
    """Return the documents of these splits, of every corpus in which any relation is annotated.

    In a corpus without any, a pair is not known to be none: nobody was asked.

    Raises
    ------
    CorpusError
        If the tables are not of one reading of the corpora.
    """
    placed = read_placed(lake)
    asked = {one.corpus for one in placed if one.document.relations}
    found: dict[tuple[str, str], list[AnnotatedDocument]] = {}
    for one in placed:
        if one.corpus in asked and one.split in splits:
            found.setdefault((one.corpus, one.split), []).append(one.document)
    return [_annotated(*key, found[key]) for key in sorted(found)]


def as_document(one: AnnotatedDocument) -> Document:
    """Return an annotated document as relations see it."""
    mentions = (Mention(m.start, m.end, m.entity_type, m.codes) for m in one.mentions)
    return read_document(one.doc_id, one.text, mentions)


def _annotated(corpus: str, split: str, rows: list[AnnotatedDocument]) -> Annotated:
    ordered = sorted(rows, key=lambda one: one.doc_id)
    sha = hashlib.sha256()
    for one in ordered:
        sha.update(repr((one.doc_id, one.text, one.mentions, one.relations)).encode("utf-8", "surrogatepass"))
    documents, gold = [as_document(one) for one in ordered], [frozenset(one.relations) for one in ordered]
    return Annotated(corpus, split, documents, gold, sha.hexdigest()[:32])
