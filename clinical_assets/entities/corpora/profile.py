"""The corpus explorer: what the landed corpora consist of, as numbers, and what of them stands on two sides. Holds no text."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import pyarrow as pa

from clinical_assets.entities.corpora.landed import Placed
from clinical_assets.entities.corpora.splits import article_keys
from clinical_assets.storage.entity_contracts import CORPUS_PROFILE, ENTITY_TYPES

__all__ = ["leaking_articles", "profile_rows"]

_TOP = 20  # concepts of each type that are listed
_DUPLICATES = {"duplicate_document", "in_two_splits"}


def profile_rows(placed: Sequence[Placed], rejects: Iterable[tuple[str, str]]) -> pa.Table:
    """Return the rows of entities/corpus_profile.

    Parameters
    ----------
    rejects
        (corpus, reason) of what was set aside.
    """
    by_split: dict[tuple[str, str], list[Placed]] = defaultdict(list)
    for one in placed:
        by_split[one.corpus, one.split].append(one)
    rows = [row for key, documents in sorted(by_split.items()) for row in _split_rows(*key, documents)]
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    for corpus, reason in rejects:
        reasons[corpus][reason] += 1
    shared = leaking_articles(placed)
    for corpus in sorted({one.corpus for one in placed} | set(reasons)):
        of_corpus = reasons[corpus]
        rows.append(_row(corpus, "all", "n_set_aside", of_corpus.total()))
        rows.append(_row(corpus, "all", "n_duplicates", sum(of_corpus[name] for name in _DUPLICATES)))
        rows.append(_row(corpus, "all", "n_shared_articles", sum(corpus in sides for sides in shared.values())))
    return pa.Table.from_pylist(rows, schema=CORPUS_PROFILE)


def leaking_articles(placed: Iterable[Placed]) -> dict[str, set[str]]:
    """Return article -> its corpora, for articles that stand in train on one side and in dev or test on another (of any corpora)."""
    seen: dict[str, list[Placed]] = defaultdict(list)
    for one in placed:
        for key in article_keys(one.document.doc_id, one.document.text):
            seen[key].append(one)
    return {
        key: {one.corpus for one in copies}
        for key, copies in seen.items()
        if {"train"} < {one.split if one.split == "train" else "judged" for one in copies}
    }


def _row(
    corpus: str, split: str, measure: str, value: float, kind: str = "all", code: str | None = None
) -> dict[str, Any]:
    return {
        "corpus": corpus,
        "split": split,
        "measure": measure,
        "entity_type": kind,
        "concept_code": code,
        "value": float(value),
    }


def _split_rows(corpus: str, split: str, documents: Sequence[Placed]) -> Iterator[dict[str, Any]]:
    lengths = [len(p.document.text) for p in documents]
    yield _row(corpus, split, "n_documents", len(documents))
    yield _row(corpus, split, "n_without_mentions", sum(not p.document.mentions for p in documents))
    yield _row(corpus, split, "n_relations", sum(len(p.document.relations) for p in documents))
    yield _row(corpus, split, "n_characters", sum(lengths))
    yield _row(corpus, split, "median_characters", statistics.median(lengths))
    yield _row(corpus, split, "longest_characters", max(lengths))
    for kind in ENTITY_TYPES:
        found = [
            (p.document.text[m.start : m.end], m.codes)
            for p in documents
            for m in p.document.mentions
            if m.entity_type == kind
        ]
        if not found:
            continue
        codes = Counter(code for _, named in found for code in named)
        yield _row(corpus, split, "n_mentions", len(found), kind)
        yield _row(corpus, split, "n_names", len({name.lower() for name, _ in found}), kind)
        yield _row(corpus, split, "n_codes", len(codes), kind)
        yield _row(corpus, split, "share_hyphenated", sum("-" in name for name, _ in found) / len(found), kind)
        yield _row(corpus, split, "share_without_code", sum(not named for _, named in found) / len(found), kind)
        for code, n in sorted(codes.items(), key=lambda item: (-item[1], item[0]))[:_TOP]:
            yield _row(corpus, split, "n_mentions_of_code", n, kind, code)
