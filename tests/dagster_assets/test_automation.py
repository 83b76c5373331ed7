"""Automation by driving real ticks over the real definitions: what a new batch reruns, and above all what it does not."""

from __future__ import annotations

import dagster as dg
import pytest

from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import DEFAULT_STUDY
from resources.partitions import NOTE_BATCHES_NAME
from tests.dagster_assets.ticks import evaluate
from tests.hospital import CML, NONE, note

REGEX, SEED = dg.AssetKey(["labels", "regex"]), dg.AssetKey(["labels", "regex_seed"])
COUNTS = dg.AssetKey(["labels", "concept_counts"])


class Harness:
    """Ticks of the automation sensors, and runs of what they ask for, on one ephemeral instance."""

    def __init__(self, defs: dg.Definitions, instance: dg.DagsterInstance, execute) -> None:
        self.defs, self.instance, self.execute, self.cursor = defs, instance, execute, None

    def tick(self) -> dict[str, set[str | None]]:
        """Evaluate once and return asset -> requested partitions (None for an unpartitioned asset)."""
        result = evaluate(self.defs, self.instance, self.cursor)
        self.cursor = result.cursor
        keys = [k for k in self.defs.resolve_asset_graph().get_all_asset_keys() if result.get_num_requested(k)]
        return {key.to_user_string(): set(result.get_requested_partitions(key)) for key in keys}

    def ingest(self, batch: str) -> None:
        self.execute("ingest_note_batch_job", batch)

    def label(self, batch: str) -> None:
        self.execute("label_note_batch", batch)

    def build(self) -> None:
        """Report warehouse, demo models, persons at risk as materialized: how is tested elsewhere, here only that they were asked for."""
        for job in ("build_warehouse_job", "train_demo_models", "evaluate_risk", "build_entity_graph"):
            for key in self.defs.resolve_job_def(job).asset_layer.selected_asset_keys:
                self.instance.report_runless_asset_event(dg.AssetMaterialization(key))

    def build_rest(self) -> None:
        """Report the warehouse as materialized, with the human labels as they stand."""
        for key in self.defs.resolve_job_def("build_warehouse_job").asset_layer.selected_asset_keys:
            if key.path[0] != "annotations":
                self.instance.report_runless_asset_event(dg.AssetMaterialization(key))

    def settle(self, *batches: str) -> None:
        """Bring everything up to date, and let the conditions see that it is."""
        self.instance.add_dynamic_partitions(NOTE_BATCHES_NAME, list(batches))
        for batch in batches:
            self.ingest(batch)
            self.label(batch)
        self.build()
        self.tick()
        for _ in range(2):
            asked = self.tick()
            if any(key.startswith(("omop/", "ops/", "notes/", "labels/concept")) for key in asked):
                self.build()


@pytest.fixture
def harness(defs, instance, execute) -> Harness:
    return Harness(defs, instance, execute)


def test_an_ingested_batch_is_labelled_by_both_labellers_and_nothing_is_asked_before(hospital, harness) -> None:
    hospital.land("b1", note(1, 1, CML))
    harness.instance.add_dynamic_partitions(NOTE_BATCHES_NAME, ["b1"])
    assert "labels/regex" not in harness.tick()
    harness.ingest("b1")
    asked = harness.tick()
    assert asked["labels/regex"] == {"b1"}
    assert asked["labels/regex_seed"] == {"b1"}


def test_batches_that_were_there_before_the_first_tick_are_picked_up(hospital, harness) -> None:
    for batch in ("b1", "b2"):
        hospital.land(batch, note(int(batch[1]), 1, CML))
        harness.ingest(batch)
    assert harness.tick()["labels/regex"] == {"b1", "b2"}


def test_a_new_batch_reruns_that_batch_and_no_other_and_the_warehouse_once(hospital, harness) -> None:
    hospital.land("b1", note(1, 1, CML))
    harness.settle("b1")
    hospital.land("b2", note(2, 2, NONE))
    harness.ingest("b2")
    asked = harness.tick()
    assert asked["labels/regex"] == {"b2"}
    assert asked["labels/regex_seed"] == {"b2"}
    harness.label("b2")
    assert harness.tick().get("labels/concept_counts") == {None}
    harness.build()
    assert harness.tick() == {}
    assert harness.tick() == {}


def test_an_identical_reingest_triggers_nothing(hospital, harness) -> None:
    hospital.land("b1", note(1, 1, CML))
    harness.settle("b1")
    harness.ingest("b1")
    asked = harness.tick()
    assert "labels/regex" not in asked
    assert "labels/regex_seed" not in asked


def test_a_corrected_batch_reruns_only_itself(hospital, harness) -> None:
    hospital.land("b1", note(1, 1, CML))
    hospital.land("b2", note(2, 2, NONE))
    harness.settle("b1", "b2")
    hospital.land("b1", note(1, 1, NONE))
    harness.ingest("b1")
    assert harness.tick()["labels/regex"] == {"b1"}


def test_a_failing_batch_is_retried_once_and_then_left_alone(hospital, harness, monkeypatch) -> None:
    hospital.land("b1", note(1, 1, CML))
    harness.ingest("b1")
    assert harness.tick()["labels/regex"] == {"b1"}

    def broken(*args, **kwargs):
        raise RuntimeError("no space left")

    monkeypatch.setattr(Lake, "write", broken)
    harness.execute("label_note_batch", "b1", raises=False)
    asked = [harness.tick().get("labels/regex", set())]
    for _ in range(3):
        if asked[-1]:
            harness.execute("label_note_batch", "b1", raises=False)
        asked.append(harness.tick().get("labels/regex", set()))
    assert [bool(a) for a in asked].count(True) == 1


def test_a_batch_whose_contract_failed_waits_and_the_others_go_on(hospital, harness) -> None:
    hospital.land("good", note(1, 1, CML))
    hospital.land("bad", note(2, 2, NONE))
    harness.ingest("good")
    harness.ingest("bad")
    key = dg.AssetKey(["notes", "notes"])
    harness.instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=key,
            check_name="every_note_has_a_person",
            passed=False,
            severity=dg.AssetCheckSeverity.ERROR,
            metadata={},
            partition="bad",
        )
    )
    assert harness.tick()["labels/regex"] == {"good"}


def test_a_new_omop_snapshot_refreshes_the_warehouse_and_no_label(hospital, harness) -> None:
    hospital.land("b1", note(1, 1, CML))
    harness.execute("observe_landing")
    harness.settle("b1")
    assert harness.tick() == {}
    hospital.omop.joinpath("person.csv").write_text(
        hospital.omop.joinpath("person.csv").read_text() + "4,8507,1980,,\n"
    )
    harness.execute("observe_landing")
    asked = harness.tick()
    assert asked.get("omop/person") == {None}
    assert "labels/regex" not in asked
    assert "labels/regex_seed" not in asked


def test_an_edited_study_refreshes_what_depends_on_the_parameter_and_no_label(
    hospital, harness, tmp_path, monkeypatch
) -> None:
    hospital.land("b1", note(1, 1, CML))
    study = tmp_path / "study.yaml"
    study.write_text(DEFAULT_STUDY.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    harness.execute("observe_landing")
    harness.settle("b1")
    assert harness.tick() == {}
    study.write_text(study.read_text(encoding="utf-8").replace("minimum_age: 18", "minimum_age: 21"), encoding="utf-8")
    harness.execute("observe_landing")
    asked = harness.tick()
    assert {"ops/study_parameters", "cohort/rule_adult_at_index", "cohort/attrition", "published/attrition"} <= set(
        asked
    )
    assert not {"labels/regex", "labels/regex_labels", "omop/person", "notes/note_index", "cohort/events"} & set(asked)


def test_the_sensor_reports_tables_and_the_study_when_they_change_and_only_then(
    hospital, defs, instance, tmp_path, monkeypatch
) -> None:
    study = tmp_path / "study.yaml"
    study.write_text(DEFAULT_STUDY.read_text(encoding="utf-8"), encoding="utf-8")
    monkeypatch.setenv("CLINICAL_STUDY", str(study))
    monkeypatch.setenv("CLINICAL_SETTLE_SECONDS", "0")
    sensor = defs.resolve_sensor_def("observe_omop_snapshots")

    def look(cursor: str | None) -> tuple[set[str], str]:
        needed = {name: defs.resources[name] for name in ("deployment", "landing")}
        with dg.build_sensor_context(instance=instance, cursor=cursor, resources=needed) as context:
            result = sensor(context)
        return {event.asset_key.path[-1] for event in result.asset_events}, result.cursor

    seen, cursor = look(None)
    assert seen == {"person", "observation_period", "condition_occurrence", "drug_exposure", "study"}
    seen, cursor = look(cursor)
    assert seen == set()
    (hospital.data / "landing" / "prediction").mkdir(exist_ok=True)
    table = hospital.data / "landing" / "prediction" / "trial.csv"
    for content in ("id,outcome\n1,Yes\n", "id,outcome\n1,No\n"):
        table.write_text(content, encoding="utf-8")
        table.with_name(".still_written.csv").write_text(content, encoding="utf-8")
        seen, cursor = look(cursor)
        assert seen == {"prediction"}
    seen, cursor = look(cursor)
    assert seen == set()
    study.write_text(
        study.read_text(encoding="utf-8").replace("era_gap_days: 30", "era_gap_days: 45"), encoding="utf-8"
    )
    seen, cursor = look(cursor)
    assert seen == {"study"}
    # A study that cannot be read is no new study: nothing is reported until it is mended.
    study.write_text("name: [", encoding="utf-8")
    seen, cursor = look(cursor)
    assert seen == set()
