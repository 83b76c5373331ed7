"""The entry points: tables in, tables out, identities, and notes that cannot be read."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
import pytest

from clinical_assets.labels.regex_labels import ENGINE_VERSION, label_identity, label_notes, label_notes_seed
from clinical_assets.storage.contracts import LABEL_IDENTITY, LABELS, SECTIONS
from clinical_assets.study.load import parse_study
from clinical_assets.study.model import Study
from tests.unit.labels.conftest import STAMP, notes_table, sections_table

NO_SECTIONS = SECTIONS.empty_table()
Labeller = Callable[[pa.Table, Study], pa.Table]


def by_regex(notes: pa.Table, study: Study) -> pa.Table:
    return label_notes(notes, NO_SECTIONS, study, **STAMP)


def by_seed(notes: pa.Table, study: Study) -> pa.Table:
    return label_notes_seed(notes, study, **STAMP)


both = pytest.mark.parametrize(("labeller", "label"), [("regex", by_regex), ("regex_seed", by_seed)])


@both
def test_one_row_per_note_and_field_in_the_contract(study: Study, labeller: str, label: Labeller) -> None:
    table = label(notes_table(["CML on imatinib", "nothing", "x", "no AML"]), study)
    assert table.schema.equals(LABELS, check_metadata=True)
    assert table.num_rows == 4 * len(study.fields)
    assert table["note_id"].to_pylist() == [note for note in (1, 2, 3, 4) for _ in study.fields]
    assert table["field"].to_pylist() == [field.name for field in study.fields] * 4
    assert table["probability"].null_count == table.num_rows
    assert set(table["labeller"].to_pylist()) == {labeller}
    table.validate(full=True)
    for name in LABELS.names:
        if not LABELS.field(name).nullable:
            assert table[name].null_count == 0, name


@both
def test_a_note_without_text_gets_no_value(study: Study, labeller: str, label: Labeller) -> None:
    notes = notes_table(["CML", None, "CML"], ["stub", "usable", "scanned_pointer"])
    rows = [row for row in label(notes, study).to_pylist() if row["status"] != "unsupported"]
    assert {row["status"] for row in rows} == {"no_text"}
    assert all(
        row[name] is None
        for row in rows
        for name in ("value", "mentioned", "asserted", "assertion", "evidence_start", "reason")
    )


@both
def test_a_field_that_is_not_mentioned_is_false_not_null(study: Study, labeller: str, label: Labeller) -> None:
    rows = [row for row in label(notes_table(["A quiet day."]), study).to_pylist() if row["status"] == "labelled"]
    assert rows
    assert all(row["value"] is False and row["mentioned"] is False and row["assertion"] is None for row in rows)


@both
def test_no_notes_give_no_rows(study: Study, labeller: str, label: Labeller) -> None:
    table = label(notes_table([]), study)
    assert table.num_rows == 0
    assert table.schema.equals(LABELS)


@both
def test_record_batches_slices_and_chunks_give_the_same(study: Study, labeller: str, label: Labeller) -> None:
    texts = ["CML", "no CML", "AML and BMT", None, "imatinib \u0130", "s/p BMT in 2010"]
    notes = notes_table(texts)
    whole = label(notes, study)
    parts = [label(notes.slice(at, 2), study) for at in range(0, 6, 2)]
    assert pa.concat_tables(parts).equals(whole)
    assert label(notes.to_batches()[0], study).equals(whole)
    assert label(pa.concat_tables([notes.slice(0, 3), notes.slice(3)]), study).equals(whole)


@both
def test_identity_is_what_the_rows_carry(study: Study, labeller: str, label: Labeller) -> None:
    identity = label_identity(study, labeller)
    assert set(identity) == set(LABEL_IDENTITY) - {"note_id", "note_sha256"}
    assert identity["model_revision"] == ENGINE_VERSION
    assert identity["decoding"] == "rules"
    table = label(notes_table(["CML"]), study)
    for name, value in identity.items():
        assert set(table[name].to_pylist()) == {value}


def test_identity_changes_with_the_rules_and_only_with_them(study: Study) -> None:
    def changed(name: str, **update: Any) -> Study:
        return study.model_copy(
            update={
                "fields": [field.model_copy(update=update) if field.name == name else field for field in study.fields]
            }
        )

    def sha(of: Study, labeller: str) -> str:
        return label_identity(of, labeller)["prompt_sha"]

    other_words = changed("cml_diagnosed", definition="Quite another wording of the same.")
    assert sha(other_words, "regex") == sha(study, "regex")
    other_terms = changed("cml_diagnosed", terms=study.field("aml_diagnosed").terms)
    assert sha(other_terms, "regex") != sha(study, "regex")
    assert sha(other_terms, "regex_seed") == sha(study, "regex_seed")
    other_seed = changed("cml_diagnosed", seed=study.field("aml_diagnosed").seed)
    assert sha(other_seed, "regex_seed") != sha(study, "regex_seed")
    with pytest.raises(ValueError, match="regex_seed"):
        label_identity(study, "gpt")


def test_a_missing_column_is_named(study: Study) -> None:
    with pytest.raises(ValueError, match=r"notes lack columns: status"):
        by_regex(notes_table(["x"]).drop_columns(["status"]), study)
    with pytest.raises(ValueError, match=r"sections lack columns: body_end"):
        label_notes(notes_table(["x"]), NO_SECTIONS.drop_columns(["body_end"]), study, **STAMP)


def test_a_time_without_zone_is_refused(study: Study) -> None:
    with pytest.raises(ValueError, match="time zone"):
        label_notes_seed(notes_table(["x"]), study, run_id="r", labelled_at=datetime(2024, 1, 1))
    assert label_notes_seed(
        notes_table(["x"]), study, run_id="r", labelled_at=datetime(2024, 1, 1, tzinfo=UTC)
    ).num_rows


def test_sections_belong_to_their_note_and_text(study: Study) -> None:
    notes = notes_table(["FH: CML", "FH: CML", "zzzzzzz"])
    sections = sections_table([(3, "family_history", 0, 3, 7), (1, "assessment", 0, 3, 7)], notes)
    stale = sections_table([(2, "past_medical_history", 0, 3, 7)], notes).set_column(
        1, "text_sha256", pa.array(["old"])
    )
    labels = label_notes(notes, pa.concat_tables([sections, stale.cast(sections.schema)]), study, **STAMP).to_pylist()
    said = {row["note_id"]: row["assertion"] for row in labels if row["field"] == "cml_diagnosed"}
    assert said[3] is None
    assert said[1] == "affirmed"  # the heading is out of reach of its body
    assert said[2] == "family"  # no section of this text: the words of the sentence speak


_HANG = """
name: slow
schema_version: "1"
fields:
  - name: slow_field
    definition: "A field with a regex that is slow on some texts."
    patterns: ['(?:x{1,200}y?|z)w']
  - name: plain_field
    definition: "A field with ordinary terms only."
    terms: [apple]
"""


def test_a_regex_is_a_field_of_its_own_right(study: Study) -> None:
    small = parse_study(
        "name: s\nschema_version: '1'\nfields:\n  - name: dose\n    definition: a dose of any drug\n"
        "    patterns: ['\\d{1,4} ?mg']\n"
    )
    rows = label_notes(
        notes_table(["No pain. Takes 400 mg daily", "nothing", "no 5 mg"]), NO_SECTIONS, small, **STAMP
    ).to_pylist()
    assert [row["assertion"] for row in rows] == ["affirmed", None, "negated"]
    assert (rows[0]["evidence_start"], rows[0]["evidence_end"]) == (15, 21)


def test_a_regex_that_takes_too_long_fails_its_note_only(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    from clinical_assets.study.patterns import PatternTimeout, SafePattern

    def spans(self: SafePattern, text: str) -> list[tuple[int, int]]:
        if "slow" in text:
            raise PatternTimeout("pattern took too long")
        return []

    monkeypatch.setattr(SafePattern, "spans", spans)
    rows = label_notes(notes_table(["slow apple", "apple"]), NO_SECTIONS, parse_study(_HANG), **STAMP).to_pylist()
    assert [(row["status"], row["value"], row["reason"]) for row in rows[:2]] == [
        ("unsupported", None, "pattern_timeout")
    ] * 2
    assert [(row["status"], row["value"]) for row in rows[2:]] == [("labelled", False), ("labelled", True)]


def test_findings_do_not_depend_on_the_prefilter(study: Study) -> None:
    """A field with a regex turns the prefilter off: labels of the other fields stay the same."""
    texts = ["CML\u00e9", "CHRON\u0130C MYELO\u0130D LEUKEM\u0130A", "\u212aCML", "chronic\n\u00a0myeloid\u2011leukaemia", "stemcell  transplant",
             "CML, blast phase", "Leukemia, chronic myeloid", "(CML)", "CML/AML", "allo-\nSCT", "accelerated phase of CML"]  # fmt: skip
    extra = parse_study(_HANG).fields[0]
    without = study.model_copy(update={"fields": [*study.fields, extra]})
    plain = (
        by_regex(notes_table(texts), study)
        .select(["note_id", "field", "value", "evidence_start", "evidence_end"])
        .to_pylist()
    )
    every = (
        by_regex(notes_table(texts), without)
        .select(["note_id", "field", "value", "evidence_start", "evidence_end"])
        .to_pylist()
    )
    assert plain == [row for row in every if row["field"] != "slow_field"]
    assert any(row["value"] for row in plain if row["note_id"] == 2)
