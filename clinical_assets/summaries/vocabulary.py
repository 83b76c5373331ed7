"""The names of drugs, diseases and procedures that the extractor looks for: the study's, the user's OMOP vocabulary, a short list."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from clinical_assets.labels.folding import fold
from clinical_assets.study.model import Study
from clinical_assets.study.patterns import expand_term
from clinical_assets.summaries.recognizer import recognizer_name
from clinical_assets.summaries.words import DISEASES, DRUGS, PROCEDURES, read_list

__all__ = ["ENTITY_KINDS", "Vocabulary", "concept_names", "vocabulary_of"]

ENTITY_KINDS = ("disease", "drug", "procedure")
_DOMAINS = {"Condition": "disease", "Drug": "drug", "Procedure": "procedure"}
_LISTS = {"disease": DISEASES, "drug": DRUGS, "procedure": PROCEDURES}
_MOST_NAMES = 50_000  # of the user's vocabulary; more make the automaton slow to build
_LONGEST, _MOST_HYPHENS = 60, 2


@dataclass(frozen=True)
class Vocabulary:
    """Per kind: name, folded -> normal form.

    Attributes
    ----------
    recognizer
        Model that finds entities besides, with its version (`recognizer.recognizer_name`).
    sha
        Digest of all names and the model: a summary made with others is another summary.
    """

    names: Mapping[str, Mapping[str, str]]
    recognizer: str | None = None
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        known: dict[str, Any] = {kind: dict(sorted(names.items())) for kind, names in self.names.items()}
        said = json.dumps(known | ({"recognizer": self.recognizer} if self.recognizer else {}), sort_keys=True)
        object.__setattr__(self, "sha", hashlib.sha256(said.encode()).hexdigest())


def vocabulary_of(study: Study, concepts: Iterable[tuple[str, str]] = ()) -> Vocabulary:
    """Return the names to look for. Where two sources know a name, the study goes before the list, the list before concepts.

    Parameters
    ----------
    concepts
        (kind, name) of the user's vocabulary, as :func:`concept_names` returns them.

    Raises
    ------
    ModuleNotFoundError
        If the study asks for scispaCy's model and it is not installed.
    """
    names: dict[str, dict[str, str]] = {kind: {} for kind in ENTITY_KINDS}
    general = {kind: read_list(text) for kind, text in _LISTS.items()}
    for kind, fields in study.summaries.entities.items():
        for name in fields:
            # Conditions on ambiguous terms ask for the whole note; such terms are left to the labellers.
            for term in study.field(name).terms:
                if term.requires is None and term.unless is None:
                    for literal in expand_term(term.text):
                        known = fold(literal)
                        # a field of drugs is about several: each is known by its name
                        names[kind].setdefault(known, general[kind].get(known, known) if kind == "drug" else name)
    for listed, known_names in general.items():
        for known, normal in known_names.items():
            # what a field of the study calls by one of its terms has the field's name, whatever list it is in
            names[listed].setdefault(fold(known), names[listed].get(fold(normal), normal))
    for of, given in concepts:
        known = fold(given.split("(")[0].strip())
        if _usable(known):
            names[of].setdefault(known, known)
    return Vocabulary(names, recognizer_name(study.summaries.extractor))


def _usable(name: str) -> bool:
    return (
        4 <= len(name) <= _LONGEST
        and name.count("-") <= _MOST_HYPHENS
        and not any(char.isdigit() for char in name)
        and any(char.isalpha() for char in name)
        and name.split(",", maxsplit=1)[0] == name
    )


def concept_names(connection: Any) -> list[tuple[str, str]]:
    """Return (kind, name) of the diseases, ingredients and procedures in ``omop.concept`` of the warehouse; [] if it is not there.

    Names with figures or commas (clinical drugs, inverted names) are left out: no note says them so.
    """
    there = connection.execute(
        "select count(*) from information_schema.tables where table_schema = 'omop' and table_name = 'concept'"
    ).fetchone()
    if not there or not there[0]:
        return []
    rows = connection.execute(
        """
        select distinct domain_id, lower(concept_name) from omop.concept
        where domain_id in ('Condition', 'Drug', 'Procedure') and length(concept_name) between 4 and ?
            and not regexp_matches(concept_name, '[0-9,]')
        order by 1, 2 limit ?
        """,
        [_LONGEST + 40, _MOST_NAMES],
    ).fetchall()
    return [(_DOMAINS[domain], name) for domain, name in rows]
