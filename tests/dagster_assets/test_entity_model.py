"""The job that trains the entity model, on a small corpus: what lands is read, trained on, judged and described."""

from __future__ import annotations

import pytest

from clinical_assets.entities.spacy_extractor import load_spacy_extractor
from clinical_assets.entities.tagger_store import TaggerError
from clinical_assets.storage.lake import Lake
from clinical_assets.synthetic.entity_corpus import write_corpus


def test_a_landed_corpus_becomes_a_model_with_scores(hospital, execute, monkeypatch) -> None:
    from clinical_assets.synthetic import entity_corpus

    monkeypatch.setattr(entity_corpus, "_SIZES", {"train": (10, 30), "dev": (4, 8)})
    models = hospital.data / "models"
    with pytest.raises(TaggerError, match="train_entity_model"):
        load_spacy_extractor(models)
    write_corpus(hospital.data / "landing")
    (hospital.data / "landing" / "corpora" / "bad.txt").write_bytes(b"\x00")
    result = execute("train_entity_model")
    lake = Lake(hospital.data / "lake")
    assert lake.n_rows("entities/corpus_documents") == 52
    assert lake.read("entities/corpus_rejects").column("reason").to_pylist() == ["binary_file"]
    model = load_spacy_extractor(models)
    text = "She developed edema while taking imatinib for chronic myeloid leukemia."
    (found,) = model.extract([text])
    said = {(text[f.start : f.end], f.entity_type) for f in found.found}
    assert ("imatinib", "chemical") in said
    assert ("chronic myeloid leukemia", "disease") in said
    scores = lake.read("entities/extraction_scores", "mentions").to_pylist()
    strict = {
        (row["extractor"], row["entity_type"]): row
        for row in scores
        if (row["matching"], row["average"]) == ("strict", "micro")
    }
    assert strict["spacy", "all"]["n_documents"] == strict["gazetteer", "all"]["n_documents"] == 12
    assert strict["spacy", "all"]["f1_low"] < strict["spacy", "all"]["f1"] < strict["spacy", "all"]["f1_high"]
    assert {row["model_revision"] for row in scores if row["extractor"] == "spacy"} == {model.model_revision}
    errors = lake.read("entities/extraction_errors", "mentions")
    assert {"spacy", "gazetteer"} >= set(errors.column("extractor").to_pylist())
    profile = lake.read("entities/corpus_profile").to_pylist()
    assert any(row["measure"] == "n_documents" and row["value"] == 40 for row in profile)
    checks = {e.check_name: e.passed for e in result.get_asset_check_evaluations()}
    assert checks["every_mention_stands_in_its_document"]
    assert checks["no_article_is_in_train_and_judged_elsewhere"]
    # the same corpus again trains nothing
    (again,) = [
        e
        for e in execute("train_entity_model").get_asset_materialization_events()
        if e.asset_key.path[-1] == "ner_model"
    ]
    assert again.materialization.metadata["told"].value["n_trained"] == 0
