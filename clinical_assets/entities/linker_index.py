"""The index of a vocabulary's names: character 3-grams by TF-IDF, nearest names by nmslib, in scispaCy's classes.

scispaCy's own ``create_tfidf_ann_index`` does not run on Python 3.11, so the index is made here and given to its `CandidateGenerator`.
It is nmslib's inverted index, which is exact: the nearest names, always the same ones. Its graph (HNSW, scispaCy's choice) took
hundreds of times as long to make and ten times as long to ask (benchmarks/RESULTS.md).
It is kept in ``models/entity_linker/<digest of the vocabulary>``: nmslib's own format, n-grams and weights as NumPy arrays
(``allow_pickle=False``), a card with the digests of the files. What does not fit its card is made anew, never used.

Neumann et al., ScispaCy, BioNLP 2019; Boytsov and Naidan, NMSLIB, SISAP 2013.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from clinical_assets.entities.concepts import Vocabulary, comparable
from clinical_assets.storage.locks import hold_lock

__all__ = [
    "FOLDER",
    "INDEX_VERSION",
    "IndexMismatch",
    "candidate_generator",
    "cosine",
    "linker_sha",
    "load_index",
    "open_generators",
]

FOLDER = "entity_linker"
INDEX_VERSION = 1
_SMALL = 20_000  # names that are indexed sooner than a file is read
_WAIT_SECONDS = 3_600.0
_NGRAM = 3
_METHOD, _SPACE = "simple_invindx", "negdotprod_sparse_fast"
_CARD = "card.json"
Log = Callable[[str], None]


class IndexMismatch(ValueError):
    """A kept index is not of this vocabulary, or its files are not those that were written; it must not be used."""


def linker_sha(names: Vocabulary) -> str:
    """Return the digest of the index of these names; empty without any."""
    if not names.sha:
        return ""
    said = json.dumps([INDEX_VERSION, names.sha, _NGRAM, _METHOD, _SPACE], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


def cosine(similarity: float) -> float:
    """Return the cosine of what scispaCy calls a similarity: one less the distance, which here is the negative cosine."""
    return similarity - 1.0


def open_generators(names: Vocabulary, models: Path, log: Log = lambda line: None) -> dict[str, Any]:
    """Return type -> scispaCy `CandidateGenerator` over the names of that type: read where it is kept, else made, and kept if large."""
    sha = linker_sha(names)
    found = {}
    for kind in sorted({row.entity_type for row in names.names}):
        aliases = _aliases(names, kind)
        if not aliases:
            continue
        if len(aliases) <= _SMALL:
            found[kind] = candidate_generator(names, kind, *_made(aliases))
            continue
        folder = models / FOLDER / sha / kind
        with hold_lock(
            folder.parent.parent / f".{sha}.lock", "the index of names is being made", wait_seconds=_WAIT_SECONDS
        ):
            try:
                made = load_index(folder, sha, len(aliases))
            except FileNotFoundError:
                log(f"{len(aliases):,} names of {kind}s: making their index, once for this vocabulary")
                made = _kept(folder, sha, aliases)
            except IndexMismatch as error:
                log(f"{error}; it is made anew from {len(aliases):,} names")
                made = _kept(folder, sha, aliases)
        found[kind] = candidate_generator(names, kind, *made)
    return found


def candidate_generator(names: Vocabulary, kind: str, vectorizer: Any, index: Any) -> Any:
    """Return scispaCy's generator over an index that :func:`open_generators` made."""
    from scispacy.candidate_generation import CandidateGenerator
    from scispacy.linking_utils import Entity, KnowledgeBase

    by_concept: dict[int, list[str]] = {}
    for row in names.names:
        if row.entity_type == kind and comparable(row.name):
            by_concept.setdefault(row.concept_id, []).append(comparable(row.name))
    entities = [
        Entity(concept_id=str(id_), canonical_name=known[0], aliases=sorted(set(known)), types=[kind], definition=None)
        for id_, known in sorted(by_concept.items())
    ]
    return CandidateGenerator(
        ann_index=index,
        tfidf_vectorizer=vectorizer,
        ann_concept_aliases_list=_aliases(names, kind),
        kb=KnowledgeBase(entities),
    )


def load_index(folder: Path, sha: str, n_names: int) -> tuple[Any, Any]:
    """Return (vectorizer, index) that are kept in a folder.

    Raises
    ------
    FileNotFoundError
        If there is none.
    IndexMismatch
        If it is of another vocabulary or version, or a file is not what was written.
    """
    try:
        card = json.loads((folder / _CARD).read_text(encoding="utf-8"))
    except ValueError:
        raise IndexMismatch(f"{folder}: the card of the index cannot be read") from None
    held = str(card.get("sha")) if isinstance(card, dict) else "no card"
    if held != sha or card.get("n_names") != n_names:
        raise IndexMismatch(
            f"{folder}: the index is of another version of the vocabulary (found {held[:12]}, expected {sha[:12]})"
        )
    files = card.get("files")
    if not isinstance(files, dict) or any(not _is_file(folder / str(name), digest) for name, digest in files.items()):
        raise IndexMismatch(f"{folder}: files of the index are missing or changed")
    with np.load(folder / "tfidf.npz", allow_pickle=False) as held:
        vectorizer = _vectorizer([str(gram) for gram in held["ngrams"]], held["idf"])
    index = _empty_index()
    index.loadIndex(str(folder / "names.nmslib"), load_data=True)
    return vectorizer, index


def _aliases(names: Vocabulary, kind: str) -> list[str]:
    # a name without any 3-gram would be an empty vector, on which nmslib crashes: `comparable` leaves at least one sign
    return sorted({text for row in names.names if row.entity_type == kind and (text := comparable(row.name))})


def _made(aliases: Sequence[str]) -> tuple[Any, Any]:
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(_NGRAM, _NGRAM), min_df=1, dtype=np.float32)
    vectors = vectorizer.fit_transform(aliases)
    empty = np.flatnonzero(np.diff(vectors.indptr) == 0)
    if len(empty):
        raise ValueError(f"{len(empty)} names have no character {_NGRAM}-gram; leave them out")
    index = _empty_index()
    index.addDataPointBatch(vectors)
    index.createIndex(print_progress=False)
    return vectorizer, index


def _empty_index() -> Any:
    import nmslib  # type: ignore[import-not-found]

    return nmslib.init(method=_METHOD, space=_SPACE, data_type=nmslib.DataType.SPARSE_VECTOR)


def _vectorizer(ngrams: Sequence[str], idf: Any) -> Any:
    from sklearn.feature_extraction.text import TfidfVectorizer

    made = TfidfVectorizer(
        analyzer="char_wb",
        ngram_range=(_NGRAM, _NGRAM),
        dtype=np.float32,
        vocabulary={gram: at for at, gram in enumerate(ngrams)},
    )
    made.idf_ = idf
    return made


def _kept(folder: Path, sha: str, aliases: Sequence[str]) -> tuple[Any, Any]:
    """Make an index and put it into `folder`, whole or not at all."""
    vectorizer, index = _made(aliases)
    folder.parent.mkdir(parents=True, exist_ok=True)
    temp = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        ngrams = np.array(vectorizer.get_feature_names_out(), dtype=np.str_)
        np.savez_compressed(temp / "tfidf.npz", ngrams=ngrams, idf=vectorizer.idf_.astype(np.float32))
        index.saveIndex(str(temp / "names.nmslib"), save_data=True)
        files = {path.name: _digest(path) for path in sorted(temp.iterdir())}
        card = {"sha": sha, "n_names": len(aliases), "files": files}
        (temp / _CARD).write_text(json.dumps(card, indent=1), encoding="utf-8")
        if folder.exists():
            shutil.rmtree(folder)
        os.replace(temp, folder)
    finally:
        shutil.rmtree(temp, ignore_errors=True)
    return vectorizer, index


def _is_file(path: Path, digest: object) -> bool:
    return path.is_file() and _digest(path) == digest


def _digest(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
