"""Annotated documents of the lake as relations are learnt from and scored on: by corpus and split, with what annotators say."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from clinical_assets.entities.relations.documents import Document, Mention, Pair, read_document
from clinical_assets.storage.entity_contracts import ENTITY_TYPES
from clinical_assets.storage.lake import Lake

__all__ = ["CORPUS_TABLES", "Annotated", "annotated_documents"]

CORPUS_TABLES = ("entities/corpus_documents", "entities/corpus_mentions", "entities/corpus_relations")


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

    In a corpus without any, a pair is not known to be none: it was never asked.

    Raises
    ------
    ValueError
        If a mention lies outside its document: the tables are of different reads of the corpus.
    """
    texts, mentions, relations = (lake.read_all(table).to_pylist() for table in CORPUS_TABLES)
    asked = {row["corpus"] for row in relations}
    of_mentions = _by_document(mentions)
    of_relations = _by_document(relations)
    found: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in texts:
        if row["corpus"] in asked and row["split"] in splits:
            found.setdefault((row["corpus"], row["split"]), []).append(row)
    return [_annotated(*key, found[key], of_mentions, of_relations) for key in sorted(found)]


_Rows = dict[tuple[str, str], list[dict[str, Any]]]


def _annotated(corpus: str, split: str, rows: list[dict[str, Any]], mentions: _Rows, relations: _Rows) -> Annotated:
    documents, gold, sha = [], [], hashlib.sha256()
    for row in sorted(rows, key=lambda one: str(one["doc_id"])):
        key = (corpus, row["doc_id"])
        said = sorted(_mentions(mentions.get(key, ())))
        pairs = sorted({(one["chemical_code"], one["disease_code"]) for one in relations.get(key, ())})
        documents.append(read_document(row["doc_id"], row["text"], said))
        gold.append(frozenset(pairs))
        sha.update(repr((row["doc_id"], row["text_sha256"], said, pairs)).encode())
    return Annotated(corpus, split, documents, gold, sha.hexdigest()[:32])


def _mentions(rows: Iterable[dict[str, Any]]) -> Iterator[Mention]:
    for row in rows:
        if row["entity_type"] in ENTITY_TYPES:
            yield Mention(row["start"], row["end"], row["entity_type"], tuple(row["concept_codes"] or ()))


def _by_document(rows: Iterable[dict[str, Any]]) -> _Rows:
    out: _Rows = {}
    for row in rows:
        out.setdefault((row["corpus"], row["doc_id"]), []).append(row)
    return out
