"""Vocabulary tables of the demo hospital: concept, concept_ancestor, concept_relationship, concept_synonym, vocabulary, cdm_source.

Every concept that a fact uses has a row, every concept is its own ancestor at distance 0 (as in OMOP), and the
hierarchies that concept sets need are there: CML over its phases and skin infiltration, ingredients over clinical
drugs, marrow and stem cell transplantation over their kinds.
"""

from __future__ import annotations

import pyarrow as pa

from clinical_assets.synthetic.code_families import FAMILY_CONCEPTS
from clinical_assets.synthetic.concepts import CONCEPTS, Concept, cid
from clinical_assets.synthetic.config import HospitalConfig
from clinical_assets.synthetic.lexicon import LEXICON
from clinical_assets.synthetic.omop_schema import OMOP, assemble

__all__ = ["ANCESTORS", "descendants", "vocabulary_tables"]

_FIRST = 719_163  # 1970-01-01
_LAST = 767_009  # 2100-12-31
_ENGLISH = 4_180_186

# child -> parent, by concept key
_PARENTS = {
    "cml": "leukemia", "aml": "leukemia", "ph_all": "all", "all": "leukemia", "cmml": "leukemia", "cll": "leukemia",
    "cml_skin": "cml", "cml_accelerated": "cml", "cml_blast": "cml", "lupus_nephritis": "sle",
    "imatinib_100": "imatinib", "imatinib_400": "imatinib", "dasatinib_100": "dasatinib",
    "nilotinib_150": "nilotinib", "bosutinib_500": "bosutinib", "ponatinib_45": "ponatinib",
    "asciminib_40": "asciminib", "hydroxyurea_500": "hydroxyurea", "metformin_500": "metformin",
    "lisinopril_10": "lisinopril", "amlodipine_5": "amlodipine", "atorvastatin_80": "atorvastatin",
    "prednisone_5": "prednisone", "aspirin_81": "aspirin", "ibuprofen_200": "ibuprofen",
    "acetaminophen_325": "acetaminophen", "levothyroxine_75": "levothyroxine", "loratadine_10": "loratadine",
    "amoxicillin_500": "amoxicillin", "ferrous_325": "ferrous", "hydroxychloroquine_200": "hydroxychloroquine",
    "oxytocin_inj": "oxytocin", "sertraline_50": "sertraline", "albuterol_inh": "albuterol",
    "warfarin_5": "warfarin", "methotrexate_25": "methotrexate", "sunitinib_50": "sunitinib",
    "hsct_autologous": "hsct", "hpc_allogeneic": "hsct", "hpc_autologous": "hsct",
}  # fmt: skip


def _ancestors() -> tuple[tuple[int, int, int], ...]:
    """Return (ancestor, descendant, levels) for the closure of ``_PARENTS``, each concept being its own ancestor."""
    rows = []
    for key, concept in CONCEPTS.items():
        level, current = 0, key
        rows.append((concept.concept_id, concept.concept_id, 0))
        while current in _PARENTS:
            current = _PARENTS[current]
            level += 1
            rows.append((cid(current), concept.concept_id, level))
    rows += [(concept.concept_id, concept.concept_id, 0) for concept in FAMILY_CONCEPTS]
    return tuple(sorted(rows))


def _synonyms() -> list[tuple[int, str]]:
    """Return (concept_id, another name), sorted: how notes spell out a disease, as SNOMED's synonyms do.

    Abbreviations are left out, and so is what stands for two concepts.
    """
    names: dict[str, set[int]] = {}
    for term in LEXICON.values():
        if term.kind == "DISEASE" and term.concept_id:
            for surface in term.surfaces:
                if len(surface) > 3 and surface[1:] == surface[1:].lower():
                    names.setdefault(surface.lower(), set()).add(term.concept_id)
    own = {concept.concept_id: concept.name.lower() for concept in CONCEPTS.values()}
    single = {(min(ids), name) for name, ids in names.items() if len(ids) == 1}
    return sorted((id_, name) for id_, name in single if own.get(id_) != name)


ANCESTORS: tuple[tuple[int, int, int], ...] = _ancestors()


def descendants(*keys: str) -> frozenset[int]:
    """Return the concept ids under the given keys, the keys' own ids included."""
    roots = {cid(key) for key in keys}
    return frozenset(child for parent, child, _ in ANCESTORS if parent in roots)


def vocabulary_tables(config: HospitalConfig) -> dict[str, pa.Table]:
    """Return the vocabulary tables and cdm_source; one row a concept, pair or vocabulary."""
    nothing = Concept(0, "No matching concept", "Metadata", "None", "Undefined", None, "No matching concept")
    english = Concept(
        _ENGLISH, "English language", "Observation", "SNOMED", "Qualifier Value", None, "297487008"
    )  # no part of the hierarchies here
    concepts = sorted([nothing, english, *CONCEPTS.values(), *FAMILY_CONCEPTS], key=lambda row: row.concept_id)
    n = len(concepts)
    concept = assemble(
        OMOP["concept"],
        {
            "concept_id": [row.concept_id for row in concepts],
            "concept_name": [row.name for row in concepts],
            "domain_id": [row.domain for row in concepts],
            "vocabulary_id": [row.vocabulary for row in concepts],
            "concept_class_id": [row.concept_class for row in concepts],
            "standard_concept": [row.standard for row in concepts],
            "concept_code": [row.code for row in concepts],
            "valid_start_date": [_FIRST] * n,
            "valid_end_date": [_LAST] * n,
        },
        n,
    )
    m = len(ANCESTORS)
    ancestor = assemble(
        OMOP["concept_ancestor"],
        {
            "ancestor_concept_id": [row[0] for row in ANCESTORS],
            "descendant_concept_id": [row[1] for row in ANCESTORS],
            "min_levels_of_separation": [row[2] for row in ANCESTORS],
            "max_levels_of_separation": [row[2] for row in ANCESTORS],
        },
        m,
    )
    pairs = sorted(
        [(cid(child), cid(parent), "Is a") for child, parent in _PARENTS.items()]
        + [(cid(parent), cid(child), "Subsumes") for child, parent in _PARENTS.items()]
        + [(row.concept_id, row.concept_id, "Maps to") for row in concepts if row.standard == "S"]
    )
    relationship = assemble(
        OMOP["concept_relationship"],
        {
            "concept_id_1": [row[0] for row in pairs],
            "concept_id_2": [row[1] for row in pairs],
            "relationship_id": [row[2] for row in pairs],
            "valid_start_date": [_FIRST] * len(pairs),
            "valid_end_date": [_LAST] * len(pairs),
        },
        len(pairs),
    )
    others = _synonyms()
    synonym = assemble(
        OMOP["concept_synonym"],
        {
            "concept_id": [id_ for id_, _ in others],
            "concept_synonym_name": [name for _, name in others],
            "language_concept_id": [_ENGLISH] * len(others),
        },
        len(others),
    )
    names = sorted({row.vocabulary for row in concepts})
    vocabulary = assemble(
        OMOP["vocabulary"],
        {
            "vocabulary_id": names,
            "vocabulary_name": [f"{name} (extract for the synthetic demo hospital)" for name in names],
            "vocabulary_version": ["demo 1"] * len(names),
            "vocabulary_concept_id": [0] * len(names),
        },
        len(names),
    )
    source = assemble(
        OMOP["cdm_source"],
        {
            "cdm_source_name": ["SYNTHETIC demo hospital"],
            "cdm_source_abbreviation": ["DEMO"],
            "cdm_holder": ["clinical-assets"],
            "source_description": ["Synthetic persons and notes made from a seed; no real person is described."],
            "source_release_date": [config.last_day],
            "cdm_release_date": [config.last_day],
            "cdm_version": ["5.4"],
            "cdm_version_concept_id": [0],
            "vocabulary_version": ["demo 1"],
        },
        1,
    )
    return {
        "concept": concept,
        "concept_ancestor": ancestor,
        "concept_relationship": relationship,
        "concept_synonym": synonym,
        "vocabulary": vocabulary,
        "cdm_source": source,
    }
