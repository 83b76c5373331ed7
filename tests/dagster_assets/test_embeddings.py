"""Embeddings in the real graph: chronologies, vectors of persons and notes, what a rerun does, and that no text gets out."""

from __future__ import annotations

import datetime as dt
import json

import dagster as dg
import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

from clinical_assets.cli.main import app
from clinical_assets.embeddings.code_systems import DOMAINS
from clinical_assets.embeddings.code_text import CohortError
from clinical_assets.embeddings.cohort_input import read_cohort
from clinical_assets.embeddings.nearest import NoSuchVector, nearest_notes
from clinical_assets.storage.embedding_contracts import CODE_TEXT, NOTE_VECTORS, PERSON_VECTORS
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import DEFAULT_STUDY
from tests.hospital import CANARY, CML, NONE, note

CONCEPTS = """concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,valid_start_date,valid_end_date
134603,Chronic myeloid leukemia,Condition,SNOMED,Clinical Finding,S,92818009,19700101,20991231
1304107,imatinib,Drug,RxNorm,Ingredient,S,282388,19700101,20991231
31967,Nausea,Condition,SNOMED,Clinical Finding,S,422587007,19700101,20991231
"""
CONDITIONS = """condition_occurrence_id,person_id,condition_concept_id,condition_start_date,condition_source_value
1,1,134603,2015-02-03,
2,1,31967,2015-02-04,
3,1,31967,2015-02-05,
4,1,0,2014-01-01,M32.9
5,1,0,2014-01-02,nowhere
6,2,31967,2014-05-05,
7,3,31967,2014-05-05,
"""
COHORT = pa.schema(
    [("person_id", pa.int64()), ("index_date", pa.date32()), ("role", pa.string()), ("reason", pa.string())]
)


@pytest.fixture
def coded(hospital, monkeypatch, tmp_path):
    """The hospital with names of concepts, codes of the source, a cohort of which person 3 is removed; every note is in scope."""
    study = tmp_path / "study.yaml"
    study.write_text(
        DEFAULT_STUDY.read_text(encoding="utf-8").replace("label_scope: latest", "label_scope: all"), encoding="utf-8"
    )
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    (hospital.omop / "concept.csv").write_text(CONCEPTS, encoding="utf-8")
    (hospital.omop / "condition_occurrence.csv").write_text(CONDITIONS, encoding="utf-8")
    terms = hospital.data / "landing" / "terminology"
    terms.mkdir()
    (terms / "terms.csv").write_text(
        "code_system,code,code_description\nICD-10-CM,M32.9,Systemic lupus\nICD-10-CM,M32.9,Systemic lupus\nKLINGON,1,x\n",
        encoding="utf-8",
    )
    index = dt.date(2015, 2, 5)
    rows = [
        {"person_id": p, "index_date": index, "role": role, "reason": "x"}
        for p, role in ((1, "case"), (2, "control"), (3, "removed"))
    ]
    Lake(hospital.data / "lake").write("risk/cohort", pa.Table.from_pylist(rows, schema=COHORT), COHORT)
    return hospital


def metadata(result, key: str) -> dict:
    event = next(e for e in result.get_asset_materialization_events() if e.asset_key.to_user_string() == key)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def checks(result) -> dict[str, bool]:
    return {f"{c.asset_key.path[-1]}:{c.check_name}": c.passed for c in result.get_asset_check_evaluations()}


def versions(result) -> list[str]:
    return sorted(e.materialization.tags["dagster/data_version"] for e in result.get_asset_materialization_events())


def test_persons_and_notes_get_vectors(coded, execute, defs, instance, monkeypatch) -> None:
    coded.land("b1", note(1, 1, CML), note(2, 2, NONE), note(3, 3, "  \n "), note(4, 2, CML, "2020-06-01"))
    execute("materialize_note_batch", "b1")
    # of the warehouse what is needed here
    needed = {dg.AssetKey(["omop", d.table.split(".")[1]]) for d in DOMAINS} | {dg.AssetKey(["omop", "concept"])}
    needed |= defs.resolve_job_def("find_notes_in_scope").asset_layer.selected_asset_keys
    defs.resolve_job_def("build_warehouse_job").execute_in_process(instance=instance, asset_selection=sorted(needed))
    first = execute("embed_persons")
    lake = Lake(coded.data / "lake")

    texts = lake.read("embeddings/code_text")
    assert texts.schema.equals(CODE_TEXT, check_metadata=False)
    told = {(row["person_id"], row["domain"]): row for row in texts.to_pylist()}
    assert set(told) == {
        (1, "condition"),
        (2, "condition"),
    }  # the drug of person 1 is after the index; person 3 is removed
    one = told[1, "condition"]
    assert one["text"] == (
        "[2014-01-01] - Systemic lupus | [2015-02-03] - Chronic myeloid leukemia | [2015-02-04] - Nausea"
    )
    assert (one["n_records"], one["n_lines"], one["n_unmapped"]) == (4, 3, 1)
    assert one["last_date"] < one["index_date"]

    rows = lake.read("embeddings/person_vectors")
    assert rows.schema.equals(PERSON_VECTORS, check_metadata=False)
    vectors = {(row["person_id"], row["domain"]): np.array(row["vector"]) for row in rows.to_pylist()}
    assert set(vectors) == set(told)
    assert set(rows.column("encoder").to_pylist()) == {"hashed_tfidf_svd"}
    assert {len(v) for v in vectors.values()} == {128}
    np.testing.assert_allclose([np.linalg.norm(v) for v in vectors.values()], 1, atol=1e-5)
    assert checks(first) == {
        "code_text:no_text_tells_of_the_index_date_or_later": True,
        "code_text:codes_have_names": True,  # exactly a fifth has none
        "person_vectors:vectors_have_one_dimension_and_no_nan": True,
    }
    assert (
        metadata(first, "embeddings/terminology")["n_rejected"],
        metadata(first, "embeddings/terminology")["read_anew"],
    ) == (1, True)
    assert metadata(first, "embeddings/code_text")["share_unmapped"] == pytest.approx(1 / 5)
    assert metadata(first, "embeddings/person_vectors")["n_computed"] == 2

    again = execute("embed_persons")
    assert versions(again) == versions(first)
    assert metadata(again, "embeddings/person_vectors")["n_computed"] == 0
    assert metadata(again, "embeddings/terminology")["read_anew"] is False

    done = execute("embed_note_batch", "b1")
    held = lake.read("embeddings/notes", "b1")
    assert held.schema.equals(NOTE_VECTORS, check_metadata=False)
    scope = {row["note_id"]: row for row in held.to_pylist()}
    statuses = {note_id: row["status"] for note_id, row in scope.items()}
    assert statuses == {1: "embedded", 2: "embedded", 3: "no_text", 4: "embedded"}
    assert all((row["vector"] is None) == (row["status"] != "embedded") for row in scope.values())
    assert all(checks(done).values()), checks(done)
    assert set(checks(done)) == {"notes:vectors_have_one_dimension_and_no_nan", "notes:every_note_has_a_vector"}

    # the same text of another person is the nearest note
    near = nearest_notes(lake, 1)
    assert (near[0].note_id, near[0].person_id) == (4, 2)
    assert near[0].similarity == pytest.approx(1, abs=1e-5)
    assert all(found.person_id != 1 for found in near)
    with pytest.raises(NoSuchVector, match="note 99 has no vector"):
        nearest_notes(lake, 99)
    monkeypatch.setenv("CLINICAL_DATA", str(coded.data))
    shown = CliRunner().invoke(app, ["nearest-notes", "1", "--format", "json"])
    assert json.loads(shown.stdout)[0]["note_id"] == 4
    assert CliRunner().invoke(app, ["nearest-notes", "99"]).exit_code == 1

    for run in instance.get_runs():
        said = " ".join(str(entry) for entry in instance.all_logs(run.run_id))
        assert CANARY not in said, run.job_name
        assert "Nausea" not in said, run.job_name


def test_nobody_indexed_yet_is_no_failure(tmp_path) -> None:
    lake = Lake(tmp_path)
    assert read_cohort(lake).num_rows == 0
    days = {"person_id": 1, "index_date": dt.date(2015, 2, 5)}
    rows = [days | {"role": "removed", "reason": reason} for reason in ("follow_up", "age")]
    lake.write("risk/cohort", pa.Table.from_pylist(rows, schema=COHORT), COHORT)
    assert read_cohort(lake).num_rows == 1  # whose outcome is not known yet gets a score
    lake.write("risk/cohort", pa.table({"person_id": [1]}), pa.schema([("person_id", pa.int64())]))
    with pytest.raises(CohortError, match="lacks index_date, role, reason; found person_id"):
        read_cohort(lake)
