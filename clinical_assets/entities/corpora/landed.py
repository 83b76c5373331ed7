"""The folder landing/corpora: which files are corpora, and all that they say, with what was refused and why. Nothing here writes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.entities.corpora.annotated import AnnotatedDocument, Parsed, Reject
from clinical_assets.entities.corpora.document_lines import parse_document_lines
from clinical_assets.entities.corpora.pubtator import parse_pubtator
from clinical_assets.entities.corpora.splits import article_keys, corpus_of_path, split_by_hash, split_of_file
from clinical_assets.notes.decoding import to_utf8
from clinical_assets.notes.errors import UnreadableBatch
from clinical_assets.notes.guards import ReadLimits, describe_failure, is_ignored, read_guarded, resolve_inside

__all__ = ["BACKGROUND", "LIMITS", "Corpora", "FileReject", "Placed", "corpus_files", "read_corpora"]

LIMITS = ReadLimits(max_file_bytes=512 << 20, max_expanded_bytes=1 << 30, max_ratio=200.0)
MAX_DOCUMENT_CHARS = 1_000_000
BACKGROUND = (
    ".background"  # notes.background.txt: text without annotations, a document a line, from which words are learned
)
_PRIORITY = {"test": 0, "dev": 1, "train": 2}  # an article in two splits stays where it judges, not where it teaches
_MENDS = {
    "not_utf8": "the file is no UTF-8 text; save it as UTF-8 (UTF-16 with a byte order mark is read too)",
    "binary_file": "the file holds zero bytes: it is no text; land the corpus as text",
    "no_documents": "no document was found in the file; expected PubTator (*.txt, *.pubtator) or one JSON object a line (*.jsonl)",
    "unsupported_file": "expected *.txt, *.pubtator or *.jsonl, each optionally .gz, in landing/corpora or one folder below it",
    "duplicate_document": "the corpus has this document already, by its id or by the same text; one is kept",
    "in_two_splits": "another file of the corpus has the same document in another split; it stays where it judges (test, dev, train)",
    "too_long": f"a document has at most {MAX_DOCUMENT_CHARS:,} characters; land it in parts",
}


@dataclass(frozen=True)
class Placed:
    """A document with the corpus, split and file that it belongs to."""

    corpus: str
    split: str
    document: AnnotatedDocument
    source_file: str
    source_file_sha256: str


@dataclass(frozen=True)
class FileReject:
    """What was set aside of one file."""

    source_file: str
    reject: Reject


@dataclass(frozen=True)
class Corpora:
    """All documents by corpus and document, what was set aside, and how many files were read."""

    documents: tuple[Placed, ...]
    rejects: tuple[FileReject, ...]
    n_files: int


def corpus_files(folder: Path) -> list[Path]:
    """Return the files in landing/corpora and in folders directly below it, by name; hidden and companion files are no corpora."""
    if not folder.is_dir():
        return []
    found = [*folder.glob("*"), *folder.glob("*/*")]
    kept = (p for p in found if p.is_file() and not is_ignored(p.name) and not is_ignored(p.parent.name))
    return sorted((p for p in kept if BACKGROUND not in p.name), key=lambda p: p.relative_to(folder).as_posix())


def read_corpora(folder: Path) -> Corpora:
    """Read every corpus file of a folder; a file or document that cannot be used is set aside and stops nothing else."""
    placed: list[Placed] = []
    rejects: list[FileReject] = []
    files = corpus_files(folder)
    for path in files:
        name = path.relative_to(folder).as_posix()
        try:
            resolve_inside(folder, name)
            raw = read_guarded(path, LIMITS).to_pybytes()
            parsed = _parse(name, raw)
        except (UnreadableBatch, OSError, MemoryError) as error:
            failure = describe_failure(error)
            parsed = Parsed(rejects=[Reject(None, None, failure.reason, str(failure))])
            raw = b""
        rejects += [FileReject(name, reject) for reject in parsed.rejects]
        corpus, split = corpus_of_path(name), split_of_file(path.name)
        sha = hashlib.sha256(raw).hexdigest()
        placed += [
            Placed(corpus, one.split or split or split_by_hash(one.text), one, name, sha) for one in parsed.documents
        ]
    kept = list(_settled(placed, rejects))
    return Corpora(
        tuple(sorted(kept, key=lambda p: (p.corpus, p.document.doc_id))),
        tuple(sorted(rejects, key=lambda r: (r.source_file, r.reject.line_number or 0, r.reject.reason))),
        len(files),
    )


def _parse(name: str, raw: bytes) -> Parsed:
    low = name.lower().removesuffix(".gz")
    if not low.endswith((".txt", ".pubtator", ".jsonl", ".ndjson")):
        return _refused("unsupported_file")
    text = _decoded(raw, name)
    if isinstance(text, Parsed):
        return text
    parsed = parse_document_lines(text) if low.endswith((".jsonl", ".ndjson")) else parse_pubtator(text)
    long = [one for one in parsed.documents if len(one.text) > MAX_DOCUMENT_CHARS]
    parsed.rejects += [Reject(one.line_number, one.doc_id, "too_long", _MENDS["too_long"]) for one in long]
    parsed.documents = [one for one in parsed.documents if len(one.text) <= MAX_DOCUMENT_CHARS]
    if not parsed.documents and not parsed.rejects:
        return _refused("no_documents")
    return parsed


def _decoded(raw: bytes, name: str) -> str | Parsed:
    import pyarrow as pa

    content = to_utf8(pa.py_buffer(raw), LIMITS.default_encoding, name).to_pybytes()
    if b"\x00" in content:
        return _refused("binary_file")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        # no guessing: in another encoding every offset after the first wrong character would be another one
        return _refused("not_utf8")


def _refused(reason: str) -> Parsed:
    return Parsed(rejects=[Reject(None, None, reason, _MENDS[reason])])


def _settled(placed: list[Placed], rejects: list[FileReject]) -> Iterator[Placed]:
    """Yield each document of a corpus once; of copies in different splits, the one that judges."""
    seen: dict[tuple[str, str], Placed] = {}
    ordered = sorted(placed, key=lambda p: (_PRIORITY[p.split], p.source_file, p.document.line_number))
    for one in ordered:
        keys = [(one.corpus, f"id:{one.document.doc_id}")]
        keys += [(one.corpus, key) for key in article_keys(one.document.doc_id, one.document.text)]
        before = next((seen[key] for key in keys if key in seen), None)
        if before is None:
            seen.update(dict.fromkeys(keys, one))
            yield one
            continue
        reason = "duplicate_document" if before.split == one.split else "in_two_splits"
        reject = Reject(one.document.line_number, one.document.doc_id, reason, _MENDS[reason])
        rejects.append(FileReject(one.source_file, reject))
