"""Which side of an evaluation a document is on: as its file's name says, as the file says, else by a hash of its text."""

from __future__ import annotations

import hashlib
import re

__all__ = ["article_keys", "corpus_of", "corpus_of_path", "split_by_hash", "split_of_file"]

_ENDINGS = re.compile(r"(?:\.(?:pubtator|txt|jsonl|json|ndjson|gz))+$", re.IGNORECASE)
_HINTS = {"train": "train", "training": "train", "dev": "dev", "devel": "dev", "develop": "dev", "development": "dev",
          "valid": "dev", "validation": "dev", "test": "test", "testing": "test"}  # fmt: skip
_HINT = re.compile(
    rf"(?<![a-z])[_.-]?({'|'.join(sorted(_HINTS, key=len, reverse=True))})[_\x00-]?(?:set)?(?![a-z])|"
    r"(?<=[A-Za-z])(train|devel|develop|test)set(?![a-z])",
    re.IGNORECASE,
)
_ARTICLE_ID = re.compile(r"\d{5,9}")  # a PubMed id; shorter numbers are anybody's
_SHARES = (("train", 70), ("dev", 15), ("test", 15))


def split_of_file(name: str) -> str | None:
    """Return train, dev or test where the name of a file says so (``CDR_TrainingSet.PubTator.txt``), else None."""
    found = _HINT.search(_words_apart(_ENDINGS.sub("", name)))
    return _HINTS[(found[1] or found[2]).lower()] if found else None


def corpus_of(name: str, folder: str | None) -> str:
    """Return the corpus of a file: the folder it lies in, else its name without its ending and without the split."""
    if folder:
        return folder
    stem = _ENDINGS.sub("", name)
    rest = _HINT.sub("", _words_apart(stem)).replace("\x00", "").strip("_.- ")
    return rest or stem


def corpus_of_path(path: str) -> str:
    """Return the corpus of a file in landing/corpora, named from there (``bc5cdr/CDR_TrainingSet.PubTator.txt``)."""
    folder, _, name = path.rpartition("/")
    return corpus_of(name, folder or None)


def split_by_hash(text: str) -> str:
    """Return the split of a text that nobody assigned: 70 % train, 15 % dev, 15 % test; the same text is always on one side."""
    point = int(_digest(text)[-8:], 16) % 100
    for split, share in _SHARES:
        if point < share:
            return split
        point -= share
    return "test"


def article_keys(doc_id: str, text: str) -> tuple[str, ...]:
    """Return what two copies of one article share, either being enough: a digest of its words, and its PubMed id if it has one."""
    told = (f"text:{_digest(text)}",)
    return (*told, f"pmid:{doc_id}") if _ARTICLE_ID.fullmatch(doc_id) else told


def _digest(text: str) -> str:
    return hashlib.sha256(" ".join(text.lower().split()).encode()).hexdigest()


def _words_apart(stem: str) -> str:
    # CDR_TrainingSet: a capital after a small letter starts a word; the mark goes away again in the corpus's name
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "\x00", stem)
