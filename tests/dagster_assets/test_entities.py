"""Entities in the real graph: mentions of a batch with links, what a rerun does, what the checks see, and that no text gets out."""

from __future__ import annotations

import pytest

from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import DEFAULT_STUDY
from tests.hospital import CANARY, CML, NONE, note

CONCEPTS = """concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,valid_start_date,valid_end_date
134603,Chronic myeloid leukemia,Condition,SNOMED,Clinical Finding,S,92818009,19700101,20991231
1304107,imatinib,Drug,RxNorm,Ingredient,S,282388,19700101,20991231
1308216,lisinopril,Drug,RxNorm,Ingredient,S,29046,19700101,20991231
437663,Pyrexia,Condition,SNOMED,Clinical Finding,S,386661006,19700101,20991231
"""
SYNONYMS = "concept_id,concept_synonym_name,language_concept_id\n437663,fever,4180186\n"


@pytest.fixture
def named(hospital, monkeypatch, tmp_path):
    """The hospital with names of concepts; every note is in scope, the gazetteer reads them."""
    study = tmp_path / "study.yaml"
    text = DEFAULT_STUDY.read_text(encoding="utf-8").replace("label_scope: latest", "label_scope: all")
    study.write_text(f"{text}\nentities: {{extractor: gazetteer}}\n", encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    (hospital.omop / "concept.csv").write_text(CONCEPTS, encoding="utf-8")
    (hospital.omop / "concept_synonym.csv").write_text(SYNONYMS, encoding="utf-8")
    return hospital


def metadata(result, key: str) -> dict:
    event = next(e for e in result.get_asset_materialization_events() if e.asset_key.to_user_string() == key)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def test_a_batch_gets_mentions_once(named, execute, instance) -> None:
    named.land("b1", note(1, 1, CML), note(2, 2, NONE), note(3, 3, "  \n "))
    execute("materialize_note_batch", "b1")
    execute("find_notes_in_scope")
    first = execute("extract_note_batch", "b1")
    lake = Lake(named.data / "lake")

    rows = lake.read("entities/mentions", "b1").to_pylist()
    told = {(row["note_id"], row["text"]): row for row in rows}
    assert told[1, "Gleevec"]["concept_id"] == told[1, "imatinib"]["concept_id"] == 1304107
    # the first extraction of a batch knows synonyms already
    assert (told[1, "fever"]["assertion"], told[1, "fever"]["concept_id"]) == ("negated", 437663)
    assert told[1, "leukemia"]["assertion"] in {"family", "negated"}
    assert told[2, "lisinopril"]["entity_key"] == "concept:1308216"
    statuses = {row["note_id"]: row["status"] for row in lake.read("entities/notes", "b1").to_pylist()}
    assert statuses == {1: "extracted", 2: "extracted", 3: "no_text"}
    passed = {check.check_name: check.passed for check in first.get_asset_check_evaluations()}
    assert all(passed.values()), passed
    assert {"every_note_in_scope_is_read", "offsets_stand_in_the_text", "entity_key_holds_no_words"} <= set(passed)
    done = metadata(first, "entities/mentions")
    assert (done["n_computed"], done["extractor"], done["rows_by_type"]["disease"] > 0) == (2, "gazetteer", True)

    again = execute("extract_note_batch", "b1")
    assert (metadata(again, "entities/mentions")["n_computed"], metadata(again, "entities/mentions")["n_cached"]) == (
        0,
        2,
    )

    for run in instance.get_runs():
        assert CANARY not in " ".join(str(entry) for entry in instance.all_logs(run.run_id)), run.job_name
