"""What `clinical-assets run` takes for done: labels made by the rules as they are now."""

from __future__ import annotations

import dagster as dg
import pytest

from clinical_assets.cli import run
from clinical_assets.cli.run import _is_labelled
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study
from resources.partitions import NOTE_BATCHES_NAME
from tests.dbt_cohort.conftest import take_in
from tests.hospital import CML, Hospital, note


def test_labels_of_other_rules_are_not_done(hospital: Hospital) -> None:
    hospital.land("b1", note(1, 1, CML))
    study = load_study()
    take_in(hospital.data, study)
    lake = Lake(hospital.data / "lake")
    assert _is_labelled(lake, "regex", "b1", study)
    assert _is_labelled(lake, "regex_seed", "b1", study)
    assert not _is_labelled(lake, "regex", "b2", study)
    # Another definition is for language models; a term less is another rule.
    reworded = [field.model_copy(update={"definition": "Quite another definition."}) for field in study.fields]
    assert _is_labelled(lake, "regex", "b1", study.model_copy(update={"fields": reworded}))
    fewer = [study.fields[0].model_copy(update={"terms": study.fields[0].terms[1:]}), *study.fields[1:]]
    assert not _is_labelled(lake, "regex", "b1", study.model_copy(update={"fields": fewer}))
    assert _is_labelled(lake, "regex_seed", "b1", study.model_copy(update={"fields": fewer}))


def test_batches_of_the_lake_are_known_to_new_records_of_dagster(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.land("b1", note(1, 1, CML))
    take_in(hospital.data, load_study())
    home = hospital.data.parent / "home"
    home.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    monkeypatch.setenv("CLINICAL_DATA", str(hospital.data))
    ran: list[str] = []

    def known(*_: object) -> list[str]:
        with dg.DagsterInstance.get() as instance:
            assert instance.get_dynamic_partitions(NOTE_BATCHES_NAME) == ["b1"]
        ran.append("batches")
        return []

    for step in ("prepare_models", "train_entities", "predict_quickly", "build_graph"):
        monkeypatch.setattr(run, step, lambda *_: [])
    monkeypatch.setattr(run, "process_notes", known)
    monkeypatch.setattr(run, "train_meanwhile", lambda *_: None)
    monkeypatch.setattr(run.Execution, "run", lambda *_, **__: (True, 0.0))
    run.materialize_everything(say=lambda _: None)
    assert ran == ["batches"]
