"""The extractor that knows names only: what it finds is in the vocabulary, the study or the short general lists. The baseline.

All names are looked for at once (Aho and Corasick, 1975); of names that overlap the one that starts first counts, then the longest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence

from clinical_assets.entities.concepts import ConceptName, general_names, study_names
from clinical_assets.entities.extraction import Extraction, Found
from clinical_assets.labels.folding import fold, is_word
from clinical_assets.study.model import Study

__all__ = ["GAZETTEER", "GazetteerExtractor", "gazetteer_names", "names_revision"]

GAZETTEER = "gazetteer"
_VERSION = 1
_LEAST, _MOST = 4, 80  # characters of a name of the vocabulary; shorter ones are abbreviations of many things
# type -> name -> is it compared with its case
NamesByType = Mapping[str, Mapping[str, bool]]


def gazetteer_names(study: Study, concepts: Iterable[ConceptName] = ()) -> dict[str, dict[str, bool]]:
    """Return type -> name -> is it compared with its case: the study's terms, the general lists, the names of concepts."""
    found = {kind: dict(names) for kind, names in study_names(study).items()}
    for kind, names in general_names().items():
        for name in names:
            found[kind].setdefault(name, False)
    for concept in concepts:
        if _LEAST <= len(concept.name) <= _MOST and sum(map(str.isalpha, concept.name)) >= _LEAST:
            found[concept.entity_type].setdefault(concept.name, False)
    return found


def names_revision(names: NamesByType) -> str:
    """Return the digest of the names: another set of names is another extractor."""
    said = json.dumps([_VERSION, {kind: dict(known) for kind, known in names.items()}], sort_keys=True)
    return hashlib.sha256(said.encode()).hexdigest()


class GazetteerExtractor:
    """Finds names; see `extraction.Extractor`.

    A name counts where no letter or digit stands right before or after it: so do names that begin or end in a sign
    ("(-)-nicotine", "Ph+"), where a word boundary would never match.

    Parameters
    ----------
    names
        Type -> name -> is it compared with its case; names without case are folded.
    """

    name = GAZETTEER
    adapter_sha = ""
    prompt_sha = ""
    decoding = "matcher"
    whole_texts = True

    def __init__(self, names: NamesByType) -> None:
        import ahocorasick_rs

        self.model_revision = names_revision(names)
        patterns: dict[str, list[tuple[str, str | None]]] = {}
        for kind in sorted(names):
            for name, with_case in names[kind].items():
                if name.strip():
                    patterns.setdefault(fold(name), []).append((kind, name if with_case else None))
        self._readings = list(patterns.values())
        self._automaton = ahocorasick_rs.AhoCorasick(
            list(patterns), store_patterns=False, implementation=ahocorasick_rs.Implementation.ContiguousNFA
        )

    def extract(self, texts: Sequence[str]) -> Iterator[Extraction]:
        """Yield what is found in each text; linear in its length."""
        for text in texts:
            yield Extraction(tuple(self._find(text)))

    def _find(self, text: str) -> Iterator[Found]:
        hits = []
        for index, start, end in self._automaton.find_matches_as_indexes(fold(text), overlapping=True):
            if (start and is_word(text[start - 1])) or (end < len(text) and is_word(text[end])):
                continue
            kind = self._kind(index, text[start:end])
            if kind is not None:
                hits.append((start, -end, kind))
        edge = 0
        for start, minus_end, kind in sorted(hits):
            if start >= edge:
                edge = -minus_end
                yield Found(start, edge, kind)

    def _kind(self, index: int, words: str) -> str | None:
        return next((kind for kind, exact in self._readings[index] if exact is None or exact == words), None)
