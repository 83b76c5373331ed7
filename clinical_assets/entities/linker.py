"""Linking a normalised mention to a standard concept: the same name first, else the nearest by spelling that no guard refuses.

A disease is linked to conditions only, a chemical to drugs only.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, NamedTuple

from clinical_assets.entities.concepts import Concept, Vocabulary, comparable
from clinical_assets.entities.link_guards import may_be_same
from clinical_assets.entities.linker_index import cosine, linker_sha, open_generators

__all__ = ["LINKER_VERSION", "Link", "Linker"]

LINKER_VERSION = 1  # raise it whenever the same mention and vocabulary could be linked otherwise
_NEIGHBOURS = 20
_MOST_CACHED = 500_000
Wanted = tuple[str, str]  # type, normalised mention


class Link(NamedTuple):
    """The concept of a mention, and the cosine similarity of its best name."""

    concept: Concept
    score: float


class Linker:
    """Links mentions; what was asked before is remembered, so that a batch asks for each distinct name once.

    Parameters
    ----------
    names
        Concepts and names; without any, nothing is linked.
    models
        Where indexes of large vocabularies are kept.
    least
        Cosine similarity below which there is no link.

    Attributes
    ----------
    sha
        Digest of the index; empty without a vocabulary.
    """

    def __init__(
        self, names: Vocabulary, models: Path, least: float = 0.7, log: Callable[[str], None] = lambda line: None
    ) -> None:
        self.sha = linker_sha(names)
        self._names, self._models, self._least, self._log = names, models, least, log
        self._generators: dict[str, Any] | None = None
        self._known: dict[Wanted, Link | None] = {}
        best: dict[Wanted, tuple[int, int]] = {}
        for row in names.names:
            key = (row.entity_type, comparable(row.name))
            # of several concepts of one name, the one whose own name it is; then the smallest id, always the same
            best[key] = min(best.get(key, (9, 0)), (row.rank, row.concept_id))
        self._exact = {key: concept_id for key, (_, concept_id) in best.items()}

    def link(self, wanted: Iterable[Wanted]) -> dict[Wanted, Link | None]:
        """Return the link, or None, of every (type, normalised mention)."""
        asked = list(dict.fromkeys(wanted))
        if not self.sha:
            return dict.fromkeys(asked)
        if len(self._known) > _MOST_CACHED:
            self._known.clear()
        new = [one for one in asked if one not in self._known]
        by_type: dict[str, list[tuple[Wanted, str]]] = {}
        for one in new:
            text = comparable(one[1])
            same = self._exact.get((one[0], text))
            self._known[one] = Link(self._names.concepts[same], 1.0) if same is not None else None
            if same is None and text:
                by_type.setdefault(one[0], []).append((one, text))
        for kind, pairs in by_type.items():
            self._known |= self._nearest(kind, pairs)
        return {one: self._known[one] for one in asked}

    def _nearest(self, kind: str, pairs: list[tuple[Wanted, str]]) -> dict[Wanted, Link | None]:
        if self._generators is None:
            self._generators = open_generators(self._names, self._models, self._log)
        generator = self._generators.get(kind)
        if generator is None:
            return {one: None for one, _ in pairs}
        neighbours = min(_NEIGHBOURS, len(generator.ann_concept_aliases_list))
        found: dict[Wanted, Link | None] = {}
        known_share = _KnownShare(generator.vectorizer)
        for (one, text), candidates in zip(pairs, generator([text for _, text in pairs], neighbours), strict=True):
            share = known_share(text)
            near = [
                (-cosine(similarity) * share, int(candidate.concept_id))
                for candidate in candidates
                for alias, similarity in zip(candidate.aliases, candidate.similarities, strict=True)
                if cosine(similarity) * share >= self._least and may_be_same(text, alias, kind)
            ]
            minus, concept_id = min(near, default=(0.0, 0))
            found[one] = Link(self._names.concepts[concept_id], min(1.0, -minus)) if near else None
        return found


class _KnownShare:
    """By what a cosine has to be multiplied where a mention has n-grams that no name has.

    TF-IDF passes them over, so that `imatinib xyz` would be `imatinib`, in a small vocabulary almost anything something. Here each
    weighs as an n-gram that one name has.
    """

    def __init__(self, vectorizer: Any) -> None:
        self._grams, self._vocabulary = vectorizer.build_analyzer(), vectorizer.vocabulary_
        self._idf = vectorizer.idf_
        self._rarest = float(max(self._idf, default=1.0))

    def __call__(self, text: str) -> float:
        known = unknown = 0.0
        for gram, n in Counter(self._grams(text)).items():
            at = self._vocabulary.get(gram)
            if at is None:
                unknown += (n * self._rarest) ** 2
            else:
                known += (n * float(self._idf[at])) ** 2
        return math.sqrt(known / (known + unknown)) if known else 0.0
