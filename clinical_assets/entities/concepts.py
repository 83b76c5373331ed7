"""Names of diseases and chemicals: of the user's OMOP vocabulary, of the study, of the short general lists.

What is read from the warehouse, and how a name is written to be compared, belongs here; who looks for names does not.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, NamedTuple

from clinical_assets.labels.folding import fold
from clinical_assets.study.model import Study
from clinical_assets.study.patterns import expand_term
from clinical_assets.summaries.words import DISEASES, DRUGS, read_list

__all__ = [
    "Concept",
    "ConceptName",
    "Vocabulary",
    "comparable",
    "concept_names",
    "general_names",
    "normalised",
    "study_names",
]

# standard concepts that people name: no clinical drug ("imatinib 400 MG Oral Tablet") stands in a note as it is called
_CLASSES = ("Ingredient", "Precise Ingredient", "Multiple Ingredients", "CVX")
_LISTS = {"chemical": DRUGS, "disease": DISEASES}
_KINDS = {"chemical": "drug", "disease": "disease"}  # the study's word for a type
# "Myelodysplastic syndrome (clinical)", "Acute myeloid leukemia, disease": nobody writes the last part
_TAIL = re.compile(r"(?: \([^()]*\)|, (?:disease|disorder|nos|unspecified))\s*$", re.IGNORECASE)
_SIGNS = re.compile(r"[^\w+]+|_+")
_BLANKS = re.compile(r"\s+")


class Concept(NamedTuple):
    """A standard concept: what a mention is linked to."""

    concept_id: int
    name: str
    vocabulary_id: str
    code: str


class ConceptName(NamedTuple):
    """A name of a concept. `rank`: 0 its own, 1 a synonym, 2 that of a source concept or brand that maps to it."""

    entity_type: str
    concept_id: int
    name: str
    rank: int


@dataclass(frozen=True)
class Vocabulary:
    """The concepts of a vocabulary and their names.

    Attributes
    ----------
    sha
        Digest of all of it; empty without any concept.
    """

    concepts: dict[int, Concept]
    names: tuple[ConceptName, ...]
    sha: str = field(init=False)

    def __post_init__(self) -> None:
        digest = hashlib.sha256()
        for row in (*sorted(self.concepts.values()), *sorted(self.names)):
            digest.update(json.dumps(row).encode() + b"\n")
        object.__setattr__(self, "sha", digest.hexdigest() if self.concepts else "")


def normalised(text: str) -> str:
    """Return a name folded, with single blanks."""
    return _BLANKS.sub(" ", fold(text)).strip()


def comparable(text: str) -> str:
    """Return a name without signs between its words, so that `type-2 diabetes` is `type 2 diabetes`; may be empty."""
    return _SIGNS.sub(" ", normalised(text)).strip()


@lru_cache(maxsize=1)
def general_names() -> dict[str, dict[str, str]]:
    """Return type -> name -> normal form of the lists that are shipped, folded."""
    return {
        kind: {normalised(name): normalised(normal) for name, normal in read_list(text).items()}
        for kind, text in _LISTS.items()
    }


def study_names(study: Study) -> dict[str, dict[str, bool]]:
    """Return type -> name -> is it compared with its case, of the fields that the study calls drugs or diseases.

    Terms under conditions (`requires`, `unless`) are left out: they need the whole note, and are for the labellers.
    """
    found: dict[str, dict[str, bool]] = {kind: {} for kind in _KINDS}
    fields = {str(kind): names for kind, names in study.summaries.entities.items()}
    for kind, of_study in _KINDS.items():
        for name in fields.get(of_study, []):
            for term in study.field(name).terms:
                if term.requires is None and term.unless is None:
                    for literal in expand_term(term.text):
                        found[kind][literal if term.case_sensitive else fold(literal)] = term.case_sensitive
    return found


def concept_names(connection: Any) -> Vocabulary:
    """Return the names of standard conditions and ingredients in the warehouse; none where no vocabulary landed.

    Their own names, synonyms (omop.concept_synonym, in English), names of source concepts that map to them (ICD, MeSH, NDC), brands
    of ingredients.
    """
    there = {
        row[0]
        for row in connection.execute(
            "select table_name from information_schema.tables where table_schema = 'omop'"
        ).fetchall()
    }
    if "concept" not in there:
        return Vocabulary({}, ())
    connection.execute(_STANDARD)
    rows = connection.execute("select * from entity_concepts order by 1").fetchall()
    concepts = {row[0]: Concept(row[0], row[1], row[2] or "", row[3] or "") for row in rows}
    types = {row[0]: row[4] for row in rows}
    found = [(id_, concept.name, 0) for id_, concept in concepts.items()]
    found += [(id_, short, 1) for id_, c in concepts.items() if (short := _TAIL.sub("", c.name)) != c.name]
    if "concept_synonym" in there:
        found += [(*row, 1) for row in connection.execute(_SYNONYMS).fetchall()]
    if "concept_relationship" in there:
        found += [(*row, 2) for row in connection.execute(_MAPPED).fetchall()]
    return Vocabulary(concepts, tuple(_distinct((types[id_], id_, name, rank) for id_, name, rank in found)))


def _distinct(rows: Iterable[tuple[str, int, str, int]]) -> list[ConceptName]:
    best: dict[tuple[str, int, str], int] = {}
    for kind, concept_id, name, rank in rows:
        key = (kind, concept_id, normalised(name))
        if comparable(name):
            best[key] = min(rank, best.get(key, rank))
    return sorted(ConceptName(*key, rank) for key, rank in best.items())


_STANDARD = f"""
create or replace temp table entity_concepts as
select
    concept_id, concept_name, vocabulary_id, concept_code,
    case domain_id when 'Condition' then 'disease' else 'chemical' end as entity_type
from omop.concept
where standard_concept = 'S' and coalesce(trim(invalid_reason), '') = '' and length(trim(concept_name)) > 1 and concept_id > 0
    and (domain_id = 'Condition' or (domain_id = 'Drug' and coalesce(concept_class_id, 'Ingredient') in {_CLASSES}))
"""
# 4180186 is English; a table without languages is taken for English.
_SYNONYMS = """
select synonyms.concept_id, synonyms.concept_synonym_name
from omop.concept_synonym as synonyms inner join entity_concepts using (concept_id)
where coalesce(synonyms.language_concept_id, 4180186) in (0, 4180186) and length(trim(synonyms.concept_synonym_name)) > 1
"""
_MAPPED = """
select related.concept_id_2, source.concept_name
from omop.concept_relationship as related
inner join omop.concept as source on source.concept_id = related.concept_id_1
inner join entity_concepts as standard on standard.concept_id = related.concept_id_2
where related.relationship_id in ('Maps to', 'Tradename of') and related.concept_id_1 <> related.concept_id_2
    and coalesce(trim(related.invalid_reason), '') = '' and length(trim(source.concept_name)) > 1
    and coalesce(source.concept_class_id, '') not in ('11-digit NDC', '9-digit NDC')
"""
