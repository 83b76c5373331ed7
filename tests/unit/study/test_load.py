"""Every fault of a study file is named with its place, what is allowed, and how to mend it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from clinical_assets.study.load import DEFAULT_STUDY, StudyError, load_study, parse_study
from clinical_assets.study.model import FieldRule, IntakeLimits, NoteMapping, Study

SEED_ORDER = [
    "imatinib_mentioned", "related_drugs_mentioned", "cml_diagnosed", "cml_in_regression", "aml_diagnosed", "blast_phase_cml",
    "bmt_history", "acute_phase_cml",
]  # fmt: skip


def small(**changes: Any) -> dict[str, Any]:
    field = {"name": "one", "definition": "A definition in words.", "terms": ["apple"]}
    return {"name": "tiny", "schema_version": "1", "fields": [field]} | changes


def problems(data: Any) -> str:
    with pytest.raises(StudyError) as caught:
        parse_study(data if isinstance(data, str) else yaml.safe_dump(data), source="my.yaml")
    assert "my.yaml" in str(caught.value)
    return "\n".join(caught.value.problems)


def test_the_shipped_study_has_the_fields_of_the_seed_in_order() -> None:
    study = load_study()
    assert [field.name for field in study.fields if field.ask_models] == SEED_ORDER
    assert [field.name for field in study.fields if field.seed is None] == ["cml_in_regression", "bcr_abl1_positive"]
    assert [field.name for field in study.fields if field.mention_is_enough] == SEED_ORDER[:2]
    assert study.notes == NoteMapping()
    assert study.limits == IntakeLimits()


def test_a_study_may_leave_out_all_that_has_a_default() -> None:
    study = parse_study(yaml.safe_dump(small()))
    assert study.field("one").terms[0].text == "apple"
    assert study.limits.max_note_chars == 5_000_000
    with pytest.raises(KeyError, match="one"):
        study.field("two")


def field_with(**changes: Any) -> dict[str, Any]:
    return small(fields=[{"name": "one", "definition": "A definition in words.", "terms": ["apple"]} | changes])


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (small(nots={}), ["nots", "unknown key 'nots'", "allowed keys: name, schema_version", "did you mean 'notes'"]),
        (small(limits={"max_note_chras": 1}), ["limits.max_note_chras", "allowed keys: max_file_bytes", "did you mean 'max_note_chars'"]),
        (small(limits={"future_days_allowed": -1}), ["limits.future_days_allowed", "greater than or equal to 0", "-1"]),
        (small(limits={"max_ratio": "many"}), ["limits.max_ratio", "valid number", "many"]),
        (small(notes={"text": []}), ["notes.text", "at least 1"]),
        (small(notes={"note_text": ["x"]}), ["notes.note_text", "unknown key", "allowed keys: note_id"]),
        (small(fields=[]), ["fields", "at least 1"]),
        (field_with(term=["x"]), ["fields[0] ('one').term", "unknown key 'term'", "allowed keys: name, definition", "did you mean 'terms'"]),
        (field_with(terms=[{"text": "x", "when": 1}]), ["fields[0] ('one').terms[0].when", "allowed keys: text, case_sensitive, requires, unless"]),
        (field_with(terms=[{"text": "x", "requires": {"any": []}}]), ["terms[0].requires.any", "allowed keys: any_of, fields, within"]),
        (field_with(terms=[{"text": "x", "requires": {"any_of": ["y"], "within": "page"}}]), ["requires.within", "'note' or 'sentence'"]),
        (field_with(terms=[{"text": "x", "requires": {"within": "note"}}]), ["terms[0].requires", "any_of or one field name"]),
        (field_with(terms=["(a|b"]), ["fields[0] ('one').terms[0].text", "never closed"]),
        (field_with(terms=["a+"]), ["terms[0].text", "no finite list", "use patterns"]),
        (field_with(terms=["a?"]), ["terms[0].text", "can be empty"]),
        (field_with(terms=[]), ["fields[0] ('one')", "terms or patterns"]),
        (field_with(patterns=["(a+)+$"]), ["fields[0] ('one').patterns[0]", "repeat inside a repeat", "exponential", "remove one"]),
        (field_with(patterns=["("]), ["patterns[0]", "does not compile"]),
        (field_with(patterns=["x" * 501]), ["patterns[0]", "501 characters", "500"]),
        (field_with(sections={"family": ["family"]}), ["sections.family[0]", "unknown section 'family'", "family_history"]),
        (field_with(cues={"denied": {}}), ["cues.denied", "allowed keys: negated, possible"]),
        (field_with(cues={"negated": {"before": ["not @x"]}}), ["cues.negated.before[0]", "number of words"]),
        (field_with(name="One Two"), ["fields[0]", "name", "pattern"]),
        (field_with(definition="short"), ["fields[0] ('one').definition", "at least 10"]),
        (field_with(requires_context={"fields": ["two"]}), ["'one' refers to unknown fields: two", "known fields: one"]),
        (small(fields=small()["fields"] + small()["fields"]), ["duplicate field names: one"]),
        (small(name=None), ["name", "valid string"]),
        ({"name": "x"}, ["schema_version: required", "fields: required"]),
        ("just text", ["a text", "expected a mapping with the keys: name"]),
        ("", ["nothing", "name, schema_version"]),
        ("name: a\nname: b\n", ["line 2", "duplicate key 'name'", "line 1"]),
        ("fields:\n  - {name: a, name: b}\n", ["line 2", "duplicate key 'name'"]),
        ("name: [unclosed", ["line"]),
        ("1: x\n", ["key 1 is not text"]),
        ("a: &x [1]\nb: *x\n", ["anchors and aliases"]),
        ("!!python/object/apply:os.system ['true']", ["could not determine a constructor"]),
    ],
)  # fmt: skip
def test_every_error_names_its_place_and_what_is_allowed(data: Any, expected: list[str]) -> None:
    said = problems(data)
    for words in expected:
        assert words in said


def test_all_problems_are_told_at_once() -> None:
    said = problems(small(nots={}, limits={"max_ratio": 0}))
    assert "nots" in said
    assert "limits.max_ratio" in said


def test_a_file_that_is_not_there_or_not_text_is_named(tmp_path: Path) -> None:
    missing = tmp_path / "none.yaml"
    with pytest.raises(StudyError, match=r"none\.yaml[\s\S]*no such file"):
        load_study(missing)
    latin = tmp_path / "latin.yaml"
    latin.write_bytes("name: \xe9t\xe9".encode("latin-1"))
    with pytest.raises(StudyError, match=r"latin\.yaml[\s\S]*not UTF-8 at byte 6"):
        load_study(latin)
    with pytest.raises(StudyError, match="cannot be read"):
        load_study(tmp_path)
    big = tmp_path / "big.yaml"
    big.write_bytes(b"#" * 1_000_001)
    with pytest.raises(StudyError, match="larger than"):
        load_study(big)


def test_models_refuse_change_and_unknown_keys() -> None:
    study = load_study(DEFAULT_STUDY)
    with pytest.raises(ValueError, match="frozen"):
        study.name = "other"  # type: ignore[misc]
    assert Study.model_config["extra"] == FieldRule.model_config["extra"] == "forbid"


def test_deep_nesting_is_an_error_like_any_other() -> None:
    assert problems("a: " + "[" * 1_500)
