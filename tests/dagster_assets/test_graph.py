"""The whole graph on a tiny hospital: what is in the lake, the warehouse and the metadata, and what a rerun does."""

from __future__ import annotations

import shutil
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from clinical_assets.storage.lake import Lake
from tests.dagster_assets.builds import build
from tests.hospital import CML, NONE, Hospital, note


def query(hospital, sql: str):
    with duckdb.connect(str(hospital.data / "warehouse" / "clinical.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def metadata(result, key: str) -> dict:
    event = next(e for e in result.get_asset_materialization_events() if e.asset_key.to_user_string() == key)
    return {name: value.value for name, value in event.materialization.metadata.items()}


def checks(result) -> dict[str, bool]:
    return {f"{c.asset_key.to_user_string()}:{c.check_name}": c.passed for c in result.get_asset_check_evaluations()}


@pytest.fixture(scope="module")
def built_once(tmp_path_factory) -> Path:
    """A data folder whose warehouse was built, on an empty lake: half a minute, so once for all who only need one to stand."""
    from definitions import build_defs
    from resources.deployment import DeploymentResource

    data = Hospital(tmp_path_factory.mktemp("built") / "data").data
    with dg.DagsterInstance.ephemeral() as instance:
        defs = build_defs(deployment=DeploymentResource(data=str(data)))
        defs.resolve_job_def("build_warehouse_job").execute_in_process(instance=instance)
    return data


@pytest.fixture
def built(hospital, built_once) -> Hospital:
    """A hospital with a copy of that warehouse."""
    for folder in ("lake", "warehouse"):
        shutil.copytree(built_once / folder, hospital.data / folder, dirs_exist_ok=True)
    return hospital


def test_a_batch_becomes_notes_labels_and_tables(hospital, execute) -> None:
    hospital.land("b1", note(1, 1, CML), note(2, 2, NONE), note(3, 99, NONE), note(4, 3, "  "))
    result = execute("materialize_note_batch", "b1")
    lake = Lake(hospital.data / "lake")
    assert lake.read("notes/notes", "b1").select(["note_id", "person_id", "status"]).to_pylist() == [
        {"note_id": 1, "person_id": 1, "status": "usable"},
        {"note_id": 2, "person_id": 2, "status": "usable"},
        {"note_id": 4, "person_id": 3, "status": "blank"},
    ]
    assert lake.read("notes/rejects", "b1").select(["row_number", "reason", "note_id"]).to_pylist() == [
        {"row_number": 3, "reason": "orphan_person", "note_id": 3}
    ]
    shown = metadata(result, "notes/notes")
    assert (
        shown["n_landed"],
        shown["n_rejected"],
        shown["dagster/partition_row_count"],
        shown["n_usable"],
        shown["n_blank"],
    ) == (4, 1, 3, 2, 1)
    shown = metadata(result, "labels/regex")
    assert (shown["n_computed"], shown["n_cached"], shown["dagster/partition_row_count"]) == (3, 0, 27)
    by_check = checks(result)
    assert not [name for name in by_check if name.endswith("no_partition_left_failed")]  # a standing check: daily
    assert by_check["notes/rejects:no_rows_were_rejected"] is False
    assert {name for name, passed in by_check.items() if not passed} <= {
        "notes/rejects:no_rows_were_rejected", "notes/notes:median_note_length_is_usual", "notes/notes:most_notes_are_usable",
    }  # fmt: skip

    built = execute("build_warehouse_job")
    assert query(
        hospital, "select batch, n_landed, n_stored, n_rejected, n_usable, n_notes_labelled from ops.batches"
    ) == [("b1", 4, 3, 1, 2, 3)]
    assert query(hospital, "select reason, count(*) from ops.rejects group by all") == [("orphan_person", 1)]
    assert query(
        hospital,
        "select field, value, status from labels.regex_labels where labeller = 'regex' and note_id = 1 and field in ('cml_diagnosed', 'aml_diagnosed', 'imatinib_mentioned') order by 1",
    ) == [
        ("aml_diagnosed", False, "labelled"),
        ("cml_diagnosed", True, "labelled"),
        ("imatinib_mentioned", True, "labelled"),
    ]
    assert query(
        hospital, "select distinct value, status from labels.regex_labels where note_id = 4 and labeller = 'regex'"
    ) == [(None, "no_text")]
    assert query(
        hospital,
        "select n_true, n_false, n_without_value from labels.concept_counts where labeller = 'regex' and field = 'cml_diagnosed'",
    ) == [(1, 1, 1)]
    shown = metadata(built, "labels/concept_counts")
    assert shown["dagster/row_count"] == 18
    assert "n_true" in shown["dagster/column_lineage"].deps_by_column
    assert [column.name for column in shown["dagster/column_schema"].columns][:2] == ["labeller", "field"]
    assert {name.rpartition(":")[2] for name, passed in checks(built).items() if not passed} <= {
        "no_declared_concept_is_unresolved_concept_set_items_", "every_concept_set_reaches_its_table_concept_set_members_",
    }  # fmt: skip
    # Without vocabulary tables the declared concepts are used: person 1 has a CML code and an ingredient-level exposure.
    assert query(hospital, "select person_id, evidence_tier, follow_up_end_reason from cohort.cml_imatinib") == [
        (1, "none", "end of observation")
    ]
    assert query(hospital, "select distinct status from cohort.concept_set_items") == [("no_vocabulary",)]
    # One person is fewer than may be shown: nothing of the cohort is.
    assert query(hospital, "select count(n) from published.demographics where n > 0") == [(0,)]
    figures = metadata(built, "report/figures")
    assert figures["n_figures"] >= 6
    assert figures["attrition"].startswith("![attrition](data:image/png;base64,")
    assert (hospital.data / "report" / "figures" / "overall_survival.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


def test_every_table_and_column_of_the_warehouse_is_explained(built) -> None:
    hospital = built
    assert (
        query(
            hospital,
            "select schema_name || '.' || table_name from duckdb_tables() where comment is null or comment = ''",
        )
        == []
    )
    assert (
        query(
            hospital,
            "select schema_name || '.' || table_name || '.' || column_name from duckdb_columns() where not internal and (comment is null or comment = '')",
        )
        == []
    )
    assert query(hospital, "select count(*) from duckdb_views() where not internal") == [(0,)]
    assert (
        query(
            hospital,
            "select distinct schema_name from duckdb_columns() where column_name in ('text', 'raw_text', 'note_text')",
        )
        == []
    )
    assert query(hospital, "select count(*) from omop.person") == [(3,)]


def test_materializing_again_runs_no_labeller_and_changes_nothing(hospital, execute) -> None:
    hospital.land("b1", note(1, 1, CML), note(2, 2, NONE))
    first, second = execute("materialize_note_batch", "b1"), execute("materialize_note_batch", "b1")
    shown = metadata(second, "labels/regex")
    assert (shown["n_computed"], shown["n_cached"]) == (0, 2)

    def versions(result) -> dict[str, str]:
        return {
            e.asset_key.to_user_string(): e.materialization.tags["dagster/data_version"]
            for e in result.get_asset_materialization_events()
        }

    assert versions(first) == versions(second)
    assert len(versions(first)) == 7


def test_a_corrected_note_is_the_only_one_labelled_again(hospital, execute) -> None:
    hospital.land("b1", note(1, 1, CML), note(2, 2, NONE))
    execute("materialize_note_batch", "b1")
    hospital.land("b1", note(1, 1, NONE), note(2, 2, NONE))
    shown = metadata(execute("materialize_note_batch", "b1"), "labels/regex")
    assert (shown["n_computed"], shown["n_cached"]) == (1, 1)


def test_a_note_that_lands_again_in_a_later_batch_counts_once(hospital, execute, defs, instance) -> None:
    hospital.land("2024-01", note(1, 1, CML), note(2, 2, NONE))
    hospital.land("2024-02", note(1, 1, NONE))
    for batch in ("2024-01", "2024-02"):
        execute("materialize_note_batch", batch)
    build(defs, instance, "notes/note_index", "labels/regex_labels")
    assert query(hospital, "select note_id, batch, n_versions from notes.note_index order by 1") == [
        (1, "2024-02", 2),
        (2, "2024-01", 1),
    ]
    assert query(
        hospital,
        "select note_id, value from labels.regex_labels where labeller = 'regex' and field = 'cml_diagnosed' order by 1",
    ) == [(1, False), (2, False)]


def test_an_unreadable_batch_fails_in_words_and_leaves_the_others(hospital, execute, instance) -> None:
    hospital.land("good", note(1, 1, CML))
    (hospital.notes / "bad.parquet").write_bytes(b"PAR1 this is no parquet file")
    execute("materialize_note_batch", "good")
    result = execute("materialize_note_batch", "bad", raises=False)
    assert not result.success
    failure = next(e for e in result.all_events if e.event_type_value == "STEP_FAILURE")
    assert "corrupt_file" in failure.event_specific_data.error.message
    assert "bad.parquet" in failure.event_specific_data.error.message
    assert Lake(hospital.data / "lake").batches("notes/notes") == ["good"]
    standing = execute("check_data_quality")
    by_check = checks(standing)
    assert by_check["notes/notes:no_partition_left_failed"] is False
    failed = next(c for c in standing.get_asset_check_evaluations() if not c.passed)
    assert failed.metadata["failed"].value == ["bad"]


def test_a_missing_omop_table_stops_the_build_before_dbt_and_the_old_warehouse_stands(built, execute) -> None:
    hospital = built
    (hospital.omop / "drug_exposure.csv").unlink()
    with pytest.raises(Exception, match="required OMOP tables are missing: drug_exposure"):
        execute("build_warehouse_job")
    assert query(hospital, "select count(*) from omop.drug_exposure") == [(1,)]


def test_a_failing_dbt_test_leaves_the_old_warehouse_and_shows_the_failed_check(built, defs, instance) -> None:
    hospital = built
    person = hospital.omop / "person.csv"
    person.write_text(person.read_text() + "1,8507,1999,,\n", encoding="utf-8")
    result = build(defs, instance, "omop/person", raises=False)
    assert not result.success
    assert any("row_key_stg_omop__person_person_id" in name and not passed for name, passed in checks(result).items())
    assert query(hospital, "select count(*) from omop.person") == [(3,)]


def test_a_study_with_a_mistake_is_refused_before_any_work(hospital, instance, tmp_path) -> None:
    from definitions import build_defs
    from resources.deployment import DeploymentResource
    from resources.partitions import NOTE_BATCHES_NAME

    study = tmp_path / "study.yaml"
    study.write_text("name: x\nschema_version: '1'\nfieldz: []\n", encoding="utf-8")
    defs = build_defs(deployment=DeploymentResource(data=str(hospital.data), study=str(study)))
    hospital.land("b1", note(1, 1, CML))
    instance.add_dynamic_partitions(NOTE_BATCHES_NAME, ["b1"])
    with pytest.raises(Exception, match=r"study\.yaml(.|\n)*fieldz"):
        defs.resolve_job_def("materialize_note_batch").execute_in_process(instance=instance, partition_key="b1")
    assert Lake(hospital.data / "lake").batches("notes/notes") == []


def test_the_warehouse_reader_is_read_only(built, defs) -> None:
    with defs.resources["warehouse"].reader().get_connection() as connection:
        assert connection.execute("select count(*) from omop.person").fetchone() == (3,)
        with pytest.raises(duckdb.Error, match="read-only"):
            connection.execute("create table x as select 1")


def test_dbt_builds_an_empty_hospital(tmp_path, instance) -> None:
    from definitions import build_defs
    from resources.deployment import DeploymentResource

    defs = build_defs(deployment=DeploymentResource(data=str(tmp_path / "empty")))
    assert defs.resolve_job_def("build_warehouse_job").execute_in_process(instance=instance).success
    assert isinstance(defs, dg.Definitions)
