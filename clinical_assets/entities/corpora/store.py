"""The four corpus tables of the lake, read anew only when files landed, and their documents as annotated documents again."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.entities.corpora.annotated import AnnotatedDocument, CorpusError, Mention
from clinical_assets.entities.corpora.landed import Corpora, Placed, corpus_files, read_corpora
from clinical_assets.storage.entity_contracts import (
    CORPUS_DOCUMENTS,
    CORPUS_MENTIONS,
    CORPUS_REJECTS,
    CORPUS_RELATIONS,
)
from clinical_assets.storage.lake import Lake, Written

__all__ = ["CORPUS_TABLES", "RELATION", "KeptCorpora", "corpora_digest", "corpus_rows", "read_placed", "store_corpora"]

RELATION = "chemical_induces_disease"
CORPUS_TABLES = {
    # rejects first, documents last: a document table with the landed digest says that all four are done
    "entities/corpus_rejects": CORPUS_REJECTS,
    "entities/corpus_relations": CORPUS_RELATIONS,
    "entities/corpus_mentions": CORPUS_MENTIONS,
    "entities/corpus_documents": CORPUS_DOCUMENTS,
}
_LAST = "entities/corpus_documents"
_DIGEST = "landed_digest"
_READER = "1"  # of the parsers: what an older version read is read anew


@dataclass(frozen=True)
class KeptCorpora:
    """What the lake holds now, by table, and whether files were read for it."""

    written: dict[str, Written]
    n_files: int
    read_anew: bool


def corpora_digest(folder: Path) -> str:
    """Return the digest of the files' names, sizes and times: enough to tell that nothing landed since."""
    said = "".join(
        f"{p.relative_to(folder).as_posix()}:{(s := p.stat()).st_size}:{s.st_mtime_ns};" for p in corpus_files(folder)
    )
    return hashlib.sha256(f"{_READER};{said}".encode()).hexdigest()


def store_corpora(lake: Lake, folder: Path) -> KeptCorpora:
    """Bring the four tables up to what landed in `folder`."""
    digest = corpora_digest(folder)
    if lake.has(_LAST) and lake.metadata(_LAST).get(_DIGEST) == digest:
        return KeptCorpora({table: lake.written(table) for table in CORPUS_TABLES}, len(corpus_files(folder)), False)
    read = read_corpora(folder)
    rows = corpus_rows(read)
    written = {
        table: lake.write(table, rows[table], schema, metadata={_DIGEST: digest})
        for table, schema in CORPUS_TABLES.items()
    }
    return KeptCorpora(written, read.n_files, True)


def corpus_rows(read: Corpora) -> dict[str, pa.Table]:
    """Return the rows of the four tables."""
    documents = [
        {
            "corpus": one.corpus,
            "doc_id": one.document.doc_id,
            "split": one.split,
            "text": one.document.text,
            "text_sha256": hashlib.sha256(one.document.text.encode("utf-8", "surrogatepass")).hexdigest(),
            "source_file": one.source_file,
            "source_file_sha256": one.source_file_sha256,
        }
        for one in read.documents
    ]
    mentions = [
        {
            "corpus": one.corpus,
            "doc_id": one.document.doc_id,
            "start": m.start,
            "end": m.end,
            "entity_type": m.entity_type,
            "concept_codes": list(m.codes),
        }
        for one in read.documents
        for m in one.document.mentions
    ]
    relations = [
        {
            "corpus": one.corpus,
            "doc_id": one.document.doc_id,
            "relation": RELATION,
            "chemical_code": chemical,
            "disease_code": disease,
        }
        for one in read.documents
        for chemical, disease in one.document.relations
    ]
    rejects = [
        {
            "source_file": one.source_file,
            "line_number": one.reject.line_number,
            "doc_id": one.reject.doc_id,
            "reason": one.reject.reason,
            "detail": one.reject.detail,
        }
        for one in read.rejects
    ]
    rows = (rejects, relations, mentions, documents)
    return {
        table: pa.Table.from_pylist(part, schema=schema)
        for (table, schema), part in zip(CORPUS_TABLES.items(), rows, strict=True)
    }


def read_placed(lake: Lake, splits: tuple[str, ...] | None = None) -> list[Placed]:
    """Return the documents of the lake (of these splits; default all), by corpus and document.

    Raises
    ------
    CorpusError
        If a mention lies outside its document: the tables are not of one reading.
    """
    documents = lake.read_all("entities/corpus_documents")
    if splits is not None:
        documents = documents.filter(pc.is_in(documents.column("split"), pa.array(splits)))
    mentions: dict[tuple[str, str], list[Mention]] = defaultdict(list)
    for row in lake.read_all("entities/corpus_mentions").to_pylist():
        mention = Mention(row["start"], row["end"], row["entity_type"], tuple(row["concept_codes"] or ()))
        mentions[row["corpus"], row["doc_id"]].append(mention)
    relations: dict[tuple[str, str], list[tuple[str, str]]] = defaultdict(list)
    for row in lake.read_all("entities/corpus_relations").to_pylist():
        relations[row["corpus"], row["doc_id"]].append((row["chemical_code"], row["disease_code"]))
    placed = []
    for row in documents.to_pylist():
        key = (row["corpus"], row["doc_id"])
        found = tuple(sorted(mentions[key]))
        if any(m.end > len(row["text"]) for m in found):
            raise CorpusError(
                f"document {row['doc_id']} of {row['corpus']}: a mention lies outside its text; materialize the corpora again"
            )
        document = AnnotatedDocument(row["doc_id"], row["text"], found, tuple(sorted(relations[key])), row["split"])
        placed.append(Placed(row["corpus"], row["split"], document, row["source_file"], row["source_file_sha256"]))
    return placed
