"""What the assertion engine says of sentences of our own, and what must not change it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.labels.assertion import AssertionEngine, Section, SectionIndex
from clinical_assets.labels.compiled import BEST_FIRST
from clinical_assets.labels.sentences import sentence_bounds
from tests.unit.labels.sentences_table import CASES

Label = Callable[..., dict[str, dict[str, Any]]]
ENGINE = AssertionEngine()


@pytest.mark.parametrize(("field", "expected", "note"), CASES)
def test_every_sentence_gets_its_assertion(label: Label, field: str, expected: str, note: str) -> None:
    row = label(note.replace(r"\n", "\n"))[field]
    assert (row["assertion"] or "-") == expected, row["reason"]
    assert row["mentioned"] is (expected != "-")
    assert row["asserted"] is (expected in {"affirmed", "historical"})


def test_the_table_covers_every_assertion_and_field() -> None:
    assert len(CASES) >= 120
    assert {expected for _, expected, _ in CASES} == {*BEST_FIRST, "-"}
    assert len({field for field, _, _ in CASES}) == 9


@pytest.mark.parametrize(("field", "expected", "note"), [case for case in CASES if case[1] != "-"])
@pytest.mark.parametrize("before", ["She denies chest pain. ", "Vitals were taken.\n\n", "No rash was seen. "])
def test_an_unrelated_sentence_before_changes_nothing(
    label: Label, field: str, expected: str, note: str, before: str
) -> None:
    assert label(before + note.replace(r"\n", "\n"))[field]["assertion"] == expected


@pytest.mark.parametrize(("field", "expected", "note"), [case for case in CASES if case[1] != "-"])
def test_an_unrelated_sentence_after_changes_nothing(label: Label, field: str, expected: str, note: str) -> None:
    note = note.replace(r"\n", "\n")
    end = "" if note[-1] in ".?!" else "\n"
    assert label(f"{note}{end} No rash was seen. Denies pain.")[field]["assertion"] == expected


def test_the_best_of_several_mentions_wins_and_is_the_evidence(label: Label) -> None:
    text = "No CML in the family chart. Possible CML. History of CML. Today CML is active."
    row = label(text)["cml_diagnosed"]
    assert row["assertion"] == "affirmed"
    assert row["evidence_start"] == text.index("CML is active")
    row = label("Mother had CML. No CML here. Possible CML.")["cml_diagnosed"]
    assert row["assertion"] == "possible"


def test_value_is_mention_where_a_mention_is_enough(label: Label) -> None:
    rows = label("Never took imatinib. No evidence of AML.")
    assert rows["imatinib_mentioned"]["value"] is True
    assert rows["imatinib_mentioned"]["asserted"] is False
    assert rows["aml_diagnosed"]["value"] is False
    assert rows["aml_diagnosed"]["mentioned"] is True


def test_the_reason_names_rule_and_cue_of_the_lexicon(label: Label) -> None:
    assert label("Denies CML.")["cml_diagnosed"]["reason"] == "pre_negated:denies"
    assert label("CML was ruled out.")["cml_diagnosed"]["reason"] == "post_negated:was ruled out"
    assert label("Zebra CML zebra.")["cml_diagnosed"]["reason"] == "no_cue"


@pytest.mark.parametrize(
    ("section", "expected"),
    [
        ("family_history", "family"),
        ("past_medical_history", "historical"),
        ("oncologic_history", "historical"),
        ("assessment", "affirmed"),
        ("discontinued_medications", "historical"),
    ],
)
def test_a_section_speaks_where_no_cue_does(label: Label, section: str, expected: str) -> None:
    text = "HEADING: CML"
    row = label(text, [(section, 0, 9, len(text))])["cml_diagnosed"]
    assert row["assertion"] == expected
    assert row["reason"] == ("no_cue" if expected == "affirmed" else f"section:{section}")


def test_a_cue_outranks_the_section(label: Label) -> None:
    text = "PMH:\nno CML"
    assert label(text, [("past_medical_history", 0, 5, len(text))])["cml_diagnosed"]["assertion"] == "negated"


def test_a_sentence_does_not_reach_into_the_section_before(label: Label) -> None:
    text = "ROS: denies fever, chills CML"
    at = text.index("CML")
    assert label(text)["cml_diagnosed"]["assertion"] == "negated"
    assert label(text, [("review_of_systems", 0, 5, at), ("assessment", at, at, len(text))])["cml_diagnosed"][
        "assertion"
    ] == "affirmed"  # fmt: skip


def test_sections_are_found_by_position() -> None:
    index = SectionIndex([Section("plan", 20, 25, 40), Section("assessment", 0, 5, 20)])
    assert index.at(19).name == "assessment"  # type: ignore[union-attr]
    assert index.at(20).name == "plan"  # type: ignore[union-attr]
    assert index.at(40) is None


@pytest.mark.parametrize(
    ("text", "word", "expected"),
    [
        ("Dr. Smith saw CML. Next.", "CML", "Dr. Smith saw CML."),
        ("Takes 2.5 mg q.d. for CML. Next.", "CML", "Takes 2.5 mg q.d. for CML."),
        ("First line without end\n- CML here\n- other", "CML", "- CML here"),
        ("No evidence of\nCML in marrow.", "CML", "No evidence of\nCML in marrow."),
        ("Pain gone.\n\nCML stable", "CML", "CML stable"),
        ("Short line\nCML stable", "CML", "CML stable"),
    ],
)
def test_sentence_bounds(text: str, word: str, expected: str) -> None:
    at = text.index(word)
    low, high = sentence_bounds(text, at, at + len(word))
    assert text[low:high].strip() == expected


_WORDS = st.sampled_from(
    ["no", "denies", "CML", "imatinib", "history of", "father", "if", ".", ",", "\n", "\n\n", "but", "ruled out", "?", "\u00e9",
     "chronic", "myeloid", "leukaemia", "-", "  ", ": no", "BMT", "\U0001f600", "2014", "\u0130", "(", ")"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.lists(_WORDS, max_size=40).map(" ".join))
def test_evidence_lies_in_the_text_and_is_the_term(label: Label, text: str) -> None:
    for field, row in label(text).items():
        if row["mentioned"]:
            evidence = text[row["evidence_start"] : row["evidence_end"]]
            assert 0 <= row["evidence_start"] < row["evidence_end"] <= len(text)
            folded = " ".join(evidence.lower().replace("-", " ").split())
            known = {
                "imatinib_mentioned": {"imatinib"},
                "cml_diagnosed": {"cml", "chronic myeloid leukaemia"},
                "bmt_history": {"bmt"},
            }
            assert folded in known[field]
        else:
            assert row["evidence_start"] is row["evidence_end"] is row["assertion"] is None


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200), st.integers(0, 200), st.integers(0, 20))
def test_any_span_of_any_text_is_assessed(text: str, start: int, length: int) -> None:
    start = min(start, len(text))
    end = min(len(text), start + length)
    low, high = sentence_bounds(text, start, end)
    assert 0 <= low <= start <= end
    assert high <= len(text)
    assert ENGINE.assess(text, start, end).category in BEST_FIRST
