"""The study's parameters reach dbt under its names, and what is written wrong is refused before anything runs."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clinical_assets.cohort.build import dbt_build_arguments
from clinical_assets.cohort.parameters import dbt_vars
from clinical_assets.study.load import DEFAULT_STUDY, StudyError, load_study, parse_study

PROJECT = Path(__file__).resolve().parents[3] / "dbt_cohort" / "dbt_project.yml"


def test_the_project_declares_the_studys_values_as_defaults() -> None:
    assert yaml.safe_load(PROJECT.read_text(encoding="utf-8"))["vars"] == dbt_vars(load_study())


def test_vars_travel_as_json_and_dates_as_iso() -> None:
    study = load_study().model_copy(
        update={
            "cohort": load_study().cohort.model_copy(update={"data_until": __import__("datetime").date(2024, 5, 1)})
        }
    )
    arguments = dbt_build_arguments(dbt_vars(study))
    assert arguments[0] == "build"
    assert yaml.safe_load(arguments[arguments.index("--vars") + 1])["data_until"] == "2024-05-01"
    assert "--quiet" not in arguments


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("prior_observation_days: 365", "prior_observation_days: -1", r"cohort\.prior_observation_days: .*greater than or equal to 0 .given: -1."),
        ("minimum_age: 18", "minimal_age: 18", r"cohort.minimal_age: unknown key 'minimal_age'.*did you mean 'minimum_age'"),
        ("window: observation", "window: forever", r"latest_note\.window: .*'observation' or 'follow_up'"),
        ("label_scope: latest", "label_scope: newest", r"label_scope: .*'latest', 'cohort' or 'all'"),
        ("small_cell_threshold: 11", "small_cell_threshold: 0", r"publication\.small_cell_threshold"),
        ("evidence_field: bcr_abl1_positive", "evidence_field: ph", r"no field 'ph'; known fields: imatinib_mentioned"),
        ("note_types: [Progress Notes]", "note_types: []", r"latest_note\.note_types"),
    ],
)  # fmt: skip
def test_what_is_written_wrong_is_named(old: str, new: str, message: str) -> None:
    text = DEFAULT_STUDY.read_text(encoding="utf-8")
    assert old in text
    with pytest.raises(StudyError, match=message):
        parse_study(text.replace(old, new))
