"""The demo hospital: determinism, sizes, referential integrity, plausible dates, the answer key."""

from __future__ import annotations

import datetime as dt
from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from clinical_assets.synthetic import Hospital, HospitalConfig, build_hospital, truth_table
from clinical_assets.synthetic.omop_schema import OMOP
from clinical_assets.synthetic.persons import ARCHETYPES
from clinical_assets.synthetic.truth import RULES

_FACTS = {
    "condition_occurrence": ("condition_concept_id", "condition_start_date"),
    "drug_exposure": ("drug_concept_id", "drug_exposure_start_date"),
    "procedure_occurrence": ("procedure_concept_id", "procedure_date"),
    "measurement": ("measurement_concept_id", "measurement_date"),
    "observation": ("observation_concept_id", "observation_date"),
    "visit_occurrence": ("visit_concept_id", "visit_start_date"),
}


def _everything(hospital: Hospital) -> dict[str, pa.Table]:
    return {**hospital.omop, **hospital.note_batches, **hospital.annotations, **hospital.truth}


def _all_notes(hospital: Hospital) -> pa.Table:
    return pa.concat_tables(hospital.note_batches.values())


def test_same_seed_same_hospital(small: Hospital) -> None:
    again = _everything(build_hospital(HospitalConfig(n_persons=300)))
    for name, table in _everything(small).items():
        assert table.equals(again[name]), name


def test_other_seed_other_hospital(small: Hospital) -> None:
    other = build_hospital(HospitalConfig(seed=7, n_persons=300))
    assert not other.omop["person"].equals(small.omop["person"])
    assert not _all_notes(other).equals(_all_notes(small))


def test_adding_persons_does_not_change_the_others(hospital: Hospital, small: Hospital) -> None:
    known = pc.max(small.omop["person"]["person_id"])
    for name in ("person", "condition_occurrence", "drug_exposure", "measurement", "death"):
        large = hospital.omop[name]
        assert large.filter(pc.less_equal(large["person_id"], known)).equals(small.omop[name]), name
    notes = _all_notes(hospital)
    notes = notes.filter(pc.less_equal(notes["person_id"], known)).sort_by("note_id")
    assert notes.equals(_all_notes(small).sort_by("note_id"))


def test_default_size(hospital: Hospital) -> None:
    assert hospital.omop["person"].num_rows == 1_500
    assert 8_000 <= _all_notes(hospital).num_rows <= 11_000
    assert 5 <= len([table for table in hospital.note_batches.values() if table.num_rows > 100]) <= 10
    kinds = Counter(_all_notes(hospital)["note_source_value"].to_pylist())
    assert set(kinds) == {"Progress Notes", "Discharge Summary", "Consult Note", "Telephone Encounter"}
    assert kinds["Progress Notes"] > 0.7 * sum(kinds.values())


def test_every_archetype_is_present(hospital: Hospital, small: Hospital) -> None:
    for built in (hospital, small):
        assert set(truth_table(built, "persons")["archetype"].to_pylist()) == set(ARCHETYPES)


@pytest.mark.parametrize("name", sorted(OMOP))
def test_full_column_sets_and_no_null_where_required(small: Hospital, name: str) -> None:
    table = small.omop[name]
    assert table.schema.equals(OMOP[name])
    for field in table.schema:
        assert field.nullable or table[field.name].null_count == 0, field.name
    key = table.schema.names[0]
    if not name.startswith("concept_"):
        assert pc.count_distinct(table[key]).as_py() == table.num_rows


def test_referential_integrity(hospital: Hospital) -> None:
    omop = hospital.omop
    persons = omop["person"]["person_id"]
    concepts = omop["concept"]["concept_id"]
    visits = omop["visit_occurrence"]["visit_occurrence_id"]
    for name, table in omop.items():
        if "person_id" in table.schema.names:
            assert pc.all(pc.is_in(table["person_id"], persons)).as_py() in (True, None), name
        for column in table.schema.names:
            values = table[column].drop_null()
            if column.endswith("concept_id") or column.startswith("concept_id"):
                assert pc.all(pc.is_in(values, concepts)).as_py() in (True, None), (name, column)
            if column == "visit_occurrence_id":
                assert pc.all(pc.is_in(values, visits)).as_py() in (True, None), name
    ancestor = omop["concept_ancestor"]
    for column in ("ancestor_concept_id", "descendant_concept_id"):
        assert pc.all(pc.is_in(ancestor[column], concepts)).as_py()
    notes = _all_notes(hospital)
    assert pc.all(pc.is_in(notes["person_id"], persons)).as_py()
    assert pc.all(pc.is_in(notes["visit_occurrence_id"], visits)).as_py()
    assert pc.count_distinct(notes["note_id"]).as_py() == notes.num_rows


def test_facts_lie_in_observation_and_before_death(small: Hospital) -> None:
    periods: dict[int, list[tuple[dt.date, dt.date]]] = {}
    for row in small.omop["observation_period"].to_pylist():
        span = (row["observation_period_start_date"], row["observation_period_end_date"])
        assert span[0] <= span[1] <= small.config.extraction_date
        periods.setdefault(row["person_id"], []).append(span)
    deaths = dict(zip(*(small.omop["death"][name].to_pylist() for name in ("person_id", "death_date")), strict=True))
    births = {row["person_id"]: row["year_of_birth"] for row in small.omop["person"].to_pylist()}
    for name, (_, column) in _FACTS.items():
        table = small.omop[name]
        for person, day in zip(table["person_id"].to_pylist(), table[column].to_pylist(), strict=True):
            assert any(start <= day <= end for start, end in periods[person]), (name, person, day)
            assert day <= deaths.get(person, day)
            assert births[person] <= day.year
    for row in small.omop["drug_exposure"].to_pylist():
        assert row["drug_exposure_start_date"] <= row["drug_exposure_end_date"] <= small.config.extraction_date


def test_local_concepts_are_marked_as_local(small: Hospital) -> None:
    for row in small.omop["concept"].to_pylist():
        local = row["concept_id"] >= 2_000_000_000
        assert local == (row["vocabulary_id"] == "DEMO") or (local and row["vocabulary_id"] in {"LOINC", "SNOMED"}), row


def test_every_rule_has_both_sides(hospital: Hospital) -> None:
    rules = truth_table(hospital)
    assert rules.num_rows == 1_500 * len(RULES)
    sides = Counter(zip(rules["rule"].to_pylist(), rules["holds"].to_pylist(), strict=True))
    for rule in RULES:
        assert sides[rule, True] >= 10, rule
        assert sides[rule, False] >= 10, rule


def test_archetypes_fail_the_rule_that_they_are_made_for(hospital: Hospital) -> None:
    expected = {
        "cml_minor": "adult_at_index",
        "cml_short_lookback": "prior_observation_365d",
        "cml_prior_tki": "no_prior_tki",
        "cml_transplant_before": "no_bmt_before_index",
        "cml_advanced_at_diagnosis": "no_advanced_phase_at_start",
        "cml_late_start": "imatinib_within_180d",
        "cml_other_tki_first": "no_other_tki",
        "cml_text_only": "has_cml_index",
    }
    for row in truth_table(hospital).to_pylist():
        if expected.get(row["archetype"]) == row["rule"]:
            assert row["holds"] is False, row
        if row["archetype"] == "cml_imatinib":
            assert row["holds"] is True, row
    cohort = truth_table(hospital, "cml")
    assert 80 <= pc.sum(cohort["in_cohort"]).as_py() <= 200


def test_no_rule_depends_on_the_index_day_itself(hospital: Hospital) -> None:
    for row in truth_table(hospital, "cml").to_pylist():
        for name in ("first_tki", "first_transplant"):
            assert row[name] != row["index_date"]


def test_lupus_and_placenta_have_both_classes_and_signal(hospital: Hospital) -> None:
    lupus = truth_table(hospital, "lupus").to_pylist()
    status = Counter(row["status"] for row in lupus)
    assert status["case"] >= 30
    assert status["control"] >= 90
    for trait in ("activity", "flavour"):
        means = {
            name: sum(row[trait] for row in lupus if row["status"] == name) / status[name]
            for name in ("case", "control")
        }
        assert means["case"] - means["control"] > 0.35, trait
    recorded = Counter(truth_table(hospital, "placenta")["recorded"].to_pylist())
    assert recorded["Yes"] >= 60
    assert recorded["No"] >= 40
    assert recorded[None] >= 5


@pytest.mark.parametrize("bad", [{"seed": -1}, {"n_persons": 0}, {"extraction_date": dt.date(1999, 1, 1)}])
def test_impossible_configuration_is_refused(bad: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        HospitalConfig(**bad)  # type: ignore[arg-type]


def test_unknown_truth_table_is_named(small: Hospital) -> None:
    with pytest.raises(KeyError, match="nothing"):
        truth_table(small, "nothing")
