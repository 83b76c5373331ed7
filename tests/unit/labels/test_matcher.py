"""Finding terms: gaps, boundaries, case, overlaps; and folding that keeps offsets."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_assets.labels.folding import fold
from clinical_assets.labels.lexicon import cues_from_lines, default_cues, normalise
from clinical_assets.labels.matcher import Group, TermMatcher, TermSpec
from clinical_assets.study.patterns import PatternError


def found(text: str, *terms: str, cased: bool = False) -> list[str]:
    matcher = TermMatcher([Group("g", [TermSpec(term, cased) for term in terms])])
    return [text[hit.start : hit.end] for hit in matcher.find(text)]


@pytest.mark.parametrize(
    "text",
    [
        "bone marrow transplant",
        "Bone  marrow\ttransplant",
        "bone-marrow transplant",
        "BONE MARROW\n    TRANSPLANT",
        "bone\u2011marrow\u00a0transplant",
    ],
)
def test_a_gap_is_any_run_of_blanks_hyphens_and_one_line_break(text: str) -> None:
    assert found(f"had a {text}.", "bone marrow transplant") == [text]


@pytest.mark.parametrize("text", ["bone marrow\n\ntransplant", "bone. marrow transplant", "bone, marrow transplant", "xbone marrow transplant",
                                  "bone marrow transplants", "bonemarrow transplant"])  # fmt: skip
def test_other_texts_do_not_match(text: str) -> None:
    assert found(text, "bone marrow transplant") == []


def test_a_hyphen_in_a_term_may_be_absent_and_a_comma_must_be_there() -> None:
    assert found("stem-cell stem cell stemcell", "stem-cell") == ["stem-cell", "stem cell", "stemcell"]
    assert found("CML, blast phase; CML blast phase", "CML, blast phase") == ["CML, blast phase"]


def test_the_longest_of_overlapping_matches_wins_within_a_group() -> None:
    assert found("allogeneic stem cell transplant", "stem cell transplant", "allogeneic stem cell transplant") == [
        "allogeneic stem cell transplant"
    ]
    matcher = TermMatcher([Group("a", [TermSpec("blast phase CML")]), Group("b", [TermSpec("CML")])])
    assert [(hit.group, hit.start) for hit in matcher.find("blast phase CML")] == [(0, 0), (1, 12)]


def test_case_matters_only_where_asked() -> None:
    assert found("sct SCT Sct", "SCT", cased=True) == ["SCT"]
    assert found("sct SCT Sct", "SCT") == ["sct", "SCT", "Sct"]


@given(
    st.lists(st.sampled_from(["bone", "marrow", "stem", "cell", " ", "-", "\n", ",", "x", ".", "  "]), max_size=30).map(
        "".join
    )
)
def test_it_equals_a_regex(text: str) -> None:
    gap = r"(?=[\s-]{1,40})(?!\s*\n[ -]*\n)[\s-]+"
    pattern = re.compile(rf"(?<!\w)(?:stem{gap}cell|bone{gap}marrow)(?!\w)")
    expected = [
        match.group() for match in pattern.finditer(text) if match.group().count("\n") <= 1 and len(match.group()) < 45
    ]
    assert found(text, "stem cell", "bone marrow") == expected


@given(st.text())
def test_folding_keeps_every_offset(text: str) -> None:
    assert len(fold(text)) == len(text)
    for char, folded in zip(text, fold(text), strict=True):
        if folded.isascii() and folded.isalpha():
            assert re.fullmatch(folded, char, re.IGNORECASE)


def test_every_ascii_twin_is_folded() -> None:
    every = "".join(chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000)
    for letter in "abcdefghijklmnopqrstuvwxyz":
        twins = set(re.findall(letter, every, re.IGNORECASE))
        assert {char for char in twins if fold(char) != letter} == set()


def test_cues_are_normalised_once_and_without_contradiction() -> None:
    cues = default_cues()
    assert len({(cue.text, cue.category, cue.side) for cue in cues}) == len(cues)
    assert all(cue.text == " ".join(cue.text.split()) for cue in cues)
    assert normalise("S/P allo-BMT, in 2015:  NO") == "s/p allo bmt , in YEAR : no"


def test_a_cue_with_a_bad_reach_is_refused() -> None:
    with pytest.raises(PatternError, match="number of words"):
        list(cues_from_lines("not @far", "negated", "before"))
