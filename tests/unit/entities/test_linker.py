"""Linking: the same name first, then the nearest that may be the same; types keep to their domain; indexes know their vocabulary."""

from __future__ import annotations

import json
from pathlib import Path

import duckdb
import numpy as np
import pytest

from clinical_assets.entities import linker_index
from clinical_assets.entities.concepts import Vocabulary, comparable, concept_names, normalised
from clinical_assets.entities.link_guards import may_be_same
from clinical_assets.entities.linker import Linker
from clinical_assets.entities.linker_index import IndexMismatch, linker_sha, load_index
from tests.unit.entities.conftest import names_of


def linked(names: Vocabulary, tmp_path: Path, kind: str, text: str, least: float = 0.7) -> tuple[int, float] | None:
    wanted = (kind, normalised(text))
    link = Linker(names, tmp_path, least).link([wanted])[wanted]
    return (link.concept.concept_id, round(link.score, 3)) if link else None


@pytest.mark.parametrize(
    ("kind", "text", "concept_id"),
    [
        ("disease", "Chronic Myeloid  Leukemia", 134603),
        ("disease", "chronic-myeloid leukaemia", 134603),
        ("disease", "chronic myelogenus leukaemia", 134603),
        ("disease", "type-2 diabetes mellitus", 201826),
        ("disease", "type ii diabetes mellitus", 201826),
        ("disease", "type 1 diabetes mellitus", None),
        ("disease", "hyperthyroidism", None),
        ("disease", "acute myeloid leukemia", None),
        ("disease", "imatinib", None),
        ("chemical", "imatinib", 1304107),
        ("chemical", "sprycell", 1358436),
        ("chemical", "Sprycel", 1358436),
        ("chemical", "prednisone", None),
        ("chemical", "chronic myeloid leukemia", None),
        ("disease", "zzqq", None),
        ("disease", "###", None),
        ("disease", "", None),
    ],
)
def test_what_is_linked(tmp_path: Path, kind: str, text: str, concept_id: int | None) -> None:
    found = linked(names_of(), tmp_path, kind, text)
    assert (found and found[0]) == concept_id
    assert found is None or 0.7 <= found[1] <= 1


def test_a_score_is_the_cosine_over_all_n_grams_of_the_mention(tmp_path: Path) -> None:
    from sklearn.feature_extraction.text import TfidfVectorizer

    names, text = names_of({1: "renal failure", 2: "heart failure"}, {}), "renal failures xq"
    vectorizer = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 3))
    held = vectorizer.fit_transform([comparable(row.name) for row in names.names])
    grams = vectorizer.build_analyzer()(comparable(text))
    weights = {gram: vectorizer.idf_[at] for gram, at in vectorizer.vocabulary_.items()}
    mention = {gram: grams.count(gram) * weights.get(gram, max(vectorizer.idf_)) for gram in grams}
    name = {
        g: held[[r.name for r in names.names].index("renal failure"), at] for g, at in vectorizer.vocabulary_.items()
    }
    dot = sum(value * name.get(gram, 0) for gram, value in mention.items())
    expected = dot / np.sqrt(sum(value**2 for value in mention.values()))
    found = linked(names, tmp_path, "disease", text, least=0.1)
    assert found is not None
    assert found == (1, pytest.approx(float(expected), abs=2e-3))
    assert linked(names, tmp_path, "disease", text, least=float(expected) + 0.01) is None


def test_each_distinct_name_is_looked_up_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    linker = Linker(names_of(), tmp_path)
    asked: list[str] = []
    look_up = linker._nearest
    monkeypatch.setattr(
        linker, "_nearest", lambda kind, pairs: (asked.extend(t for _, t in pairs), look_up(kind, pairs))[1]
    )
    for _ in range(3):
        linker.link([("disease", "leukemia chronic"), ("disease", "leukemia chronic"), ("disease", "nausea")])
    assert asked == ["leukemia chronic"]


def test_without_a_vocabulary_nothing_is_linked(tmp_path: Path) -> None:
    linker = Linker(names_of({}, {}), tmp_path)
    assert (linker.sha, linker.link([("disease", "nausea")])) == ("", {("disease", "nausea"): None})


@pytest.mark.parametrize(
    ("mention", "name", "kind", "same"),
    [
        ("type 1 diabetes", "type 2 diabetes", "disease", False),
        ("stage ii cancer", "stage 2 cancer", "disease", True),
        ("hypokalemia", "hyperkalemia", "disease", False),
        ("acute renal failure", "chronic renal failure", "disease", False),
        ("renal failure", "chronic renal failure", "disease", True),
        ("thrombocytopenia", "thrombocytosis", "disease", False),
        ("prednisone", "prednisolone", "chemical", False),
        ("hydroxyzine", "hydralazine", "chemical", False),
        ("imatinib mesylat", "imatinib mesylate", "chemical", True),
        ("imatinb", "imatinib", "chemical", True),
        ("imatiinb", "imatinib", "chemical", True),
        ("glargine insulin", "insulin glargine", "chemical", True),
        ("iron", "zinc", "chemical", False),
    ],
)
def test_look_alikes_are_kept_apart(mention: str, name: str, kind: str, same: bool) -> None:
    assert may_be_same(mention, name, kind) is same
    assert may_be_same(name, mention, kind) is same


# --- the kept index ---------------------------------------------------------------------------------------------------


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> Vocabulary:
    monkeypatch.setattr(linker_index, "_SMALL", 0)
    return names_of()


def test_a_large_index_is_kept_and_read_again(large: Vocabulary, tmp_path: Path) -> None:
    said: list[str] = []
    first = Linker(large, tmp_path, log=said.append)
    wanted = [("disease", "chronic myelogenus leukaemia"), ("chemical", "sprycell")]
    made = first.link(wanted)
    assert len(said) == 2
    assert Linker(large, tmp_path, log=said.append).link(wanted) == made
    assert len(said) == 2  # nothing was made anew
    kept = sorted(path.name for path in (tmp_path / "entity_linker" / first.sha / "disease").iterdir())
    assert kept == ["card.json", "names.nmslib", "names.nmslib.dat", "tfidf.npz"]
    np.load(tmp_path / "entity_linker" / first.sha / "disease" / "tfidf.npz", allow_pickle=False)["ngrams"]


@pytest.mark.parametrize("how", ["another vocabulary", "changed file", "no card", "broken card"])
def test_an_index_that_is_not_of_this_vocabulary_is_made_anew(large: Vocabulary, tmp_path: Path, how: str) -> None:
    said: list[str] = []
    wanted = [("disease", "chronic myelogenus leukaemia")]
    right = Linker(large, tmp_path).link(wanted)
    folder = tmp_path / "entity_linker" / linker_sha(large) / "disease"
    if how == "another vocabulary":
        card = json.loads((folder / "card.json").read_text())
        (folder / "card.json").write_text(json.dumps(card | {"sha": "0" * 64}))
    elif how == "changed file":
        (folder / "names.nmslib").write_bytes(b"not an index")
    elif how == "no card":
        (folder / "card.json").unlink()
    else:
        (folder / "card.json").write_text("[1")
    if how != "no card":
        with pytest.raises(IndexMismatch):
            load_index(folder, linker_sha(large), 5)
    assert Linker(large, tmp_path, log=said.append).link(wanted) == right
    assert any("made anew" in line or "making their index" in line for line in said)


def test_another_vocabulary_has_another_digest() -> None:
    assert linker_sha(names_of()) != linker_sha(names_of({1: "gout"}, {}))
    assert linker_sha(names_of()) == linker_sha(names_of())


# --- names of the warehouse ------------------------------------------------------------------------------------------


def test_names_of_the_warehouse_are_its_standard_conditions_and_ingredients() -> None:
    connection = duckdb.connect()
    connection.execute("create schema omop")
    assert concept_names(connection).sha == ""
    connection.execute(
        """
        create table omop.concept as select * from (values
            (1, 'Acute myeloid leukemia, disease', 'Condition', 'SNOMED', 'Clinical Finding', 'S', 'a', null),
            (2, 'imatinib', 'Drug', 'RxNorm', 'Ingredient', 'S', 'b', ''),
            (3, 'imatinib 400 MG Oral Tablet', 'Drug', 'RxNorm', 'Clinical Drug', 'S', 'c', null),
            (4, 'Gleevec', 'Drug', 'RxNorm', 'Brand Name', null, 'd', null),
            (5, 'Acute monoblastic leukemia', 'Condition', 'ICD10CM', '4-char', null, 'e', null),
            (6, 'Old name', 'Condition', 'SNOMED', 'Clinical Finding', 'S', 'f', 'D'),
            (7, 'Appendectomy', 'Procedure', 'SNOMED', 'Procedure', 'S', 'g', null)
        ) t(concept_id, concept_name, domain_id, vocabulary_id, concept_class_id, standard_concept, concept_code, invalid_reason)
        """
    )
    connection.execute(
        """
        create table omop.concept_relationship as select * from (values
            (4, 2, 'Tradename of', null), (5, 1, 'Maps to', null), (1, 1, 'Maps to', null), (6, 1, 'Is a', null)
        ) t(concept_id_1, concept_id_2, relationship_id, invalid_reason)
        """
    )
    connection.execute(
        """
        create table omop.concept_synonym as select * from (values (1, 'AML', 4180186), (1, 'Leucemia', 4182511), (9, 'x y', 4180186))
        t(concept_id, concept_synonym_name, language_concept_id)
        """
    )
    names = concept_names(connection)
    assert set(names.concepts) == {1, 2}
    assert {(row.entity_type, row.concept_id, row.name, row.rank) for row in names.names} == {
        ("disease", 1, "acute myeloid leukemia, disease", 0),
        ("disease", 1, "acute myeloid leukemia", 1),
        ("disease", 1, "aml", 1),
        ("disease", 1, "acute monoblastic leukemia", 2),
        ("chemical", 2, "imatinib", 0),
        ("chemical", 2, "gleevec", 2),
    }
    assert concept_names(connection).sha == names.sha != ""
