"""The seed-compatible labeller equals the seed's rule, faults included, on ordinary and on adversarial text."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.labels.regex_labels import label_notes_seed
from clinical_assets.labels.seed_rules import SeedMatcher
from clinical_assets.study.model import Study
from tests.unit.labels.conftest import STAMP, notes_table
from tests.unit.labels.seed_reference import CUES, apply, reference

Label = Callable[[str], dict[str, dict[str, Any]]]

# letters that some way of folding or of finding words takes for others, next to words that matter
_ODD = [
    "\u017f",
    "\u212a",
    "\u0131",
    "\u0130",
    "\u00e9",
    "\u0660",
    "\u00b2",
    "\u0301",
    "_",
    "\u200b",
    "\u00df",
    "\u01c5",
    "\ufb06",
]
_PIECES = [
    "cml", "CML", "aml", "chronic myeloid leukemia", "Chronic Myelogenous Leukemia", "acute myeloid leukemia", "blast", "crisis",
    "phase", "blast crisis", "blast-phase", "blastphase", "acute phase", "acutephase", "bone marrow transplant",
    "hematopoietic stem cell transplant", "stem cell transplant", "transplant", "sct", "bmt", "hsct", "imatinib", "IMATINIB", "gleevec",
    "sti571", "STI571", "dasatinib", "sprycel", "tasigna", "no", "No", "denies", "without", "not on", "never received", "negative for",
    "no history of", "casino", "know", "x" * 47, "x" * 23, " " * 10, "9",
]  # fmt: skip
_TEXT = st.lists(
    st.one_of(
        st.sampled_from(_PIECES), st.sampled_from(_ODD), st.sampled_from([" ", " ", " ", "-", ".", "\n", "  ", ","])
    ),
    max_size=60,
).map("".join)
# the same words with single letters replaced by their odd twins
_TWINS = {"s": "\u017f", "k": "\u212a", "i": "\u0131", "I": "\u0130"}


@st.composite
def _twisted(draw: st.DrawFn) -> str:
    text = draw(_TEXT)
    where = draw(st.sets(st.integers(0, max(len(text) - 1, 0)), max_size=12))
    return "".join(_TWINS.get(char, char) if at in where else char for at, char in enumerate(text))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.one_of(_TEXT, _twisted(), st.text(max_size=80)), min_size=1, max_size=12))
def test_it_equals_the_regex_on_adversarial_text(study: Study, texts: list[str]) -> None:
    texts = [text.encode("utf-8", "ignore").decode() for text in texts]  # Arrow holds no lone surrogates
    patterns = reference(study)
    for row in label_notes_seed(notes_table(texts), study, **STAMP).to_pylist():
        if row["field"] not in patterns:
            continue
        text = texts[row["note_id"] - 1]
        expected = apply(patterns[row["field"]], text)
        evidence = None if row["evidence_start"] is None else (row["evidence_start"], row["evidence_end"])
        assert (row["value"], row["mentioned"], evidence) == expected, (row["field"], text)


@settings(max_examples=100, deadline=None)
@given(_twisted(), st.sets(st.integers(0, 200), max_size=30))
def test_notes_are_read_one_by_one_wherever_the_text_is_cut(study: Study, text: str, cuts: set[int]) -> None:
    """All notes of a chunk are scanned as one buffer: what begins in one note and ends in the next is no match."""
    edges = [0, *sorted(cut for cut in cuts if cut < len(text)), len(text)]
    texts = [text[left:right] for left, right in pairwise(edges)]
    patterns = reference(study)
    for row in label_notes_seed(notes_table(texts), study, **STAMP).to_pylist():
        if row["field"] in patterns:
            expected = apply(patterns[row["field"]], texts[row["note_id"] - 1])
            assert (row["value"], row["mentioned"]) == expected[:2], (row["field"], texts)


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.lists(st.text("ab -", min_size=1, max_size=5).filter(str.strip), min_size=1, max_size=4),
        min_size=1,
        max_size=3,
    ),
    st.text("abAB -\u0131", max_size=60),
)
def test_it_equals_the_regex_for_any_terms(terms: list[list[str]], text: str) -> None:
    found = SeedMatcher(terms).find(text)
    for index, field_terms in enumerate(terms):
        pattern = re.compile(rf"\b(?:{'|'.join(map(re.escape, field_terms))})\b", re.IGNORECASE)
        match = pattern.search(text)
        assert (index in found) == (match is not None)
        if match is not None:
            assert found[index][:2] == apply(pattern, text).evidence


@pytest.mark.parametrize(
    ("text", "field", "value"),
    [
        ("Continue imatinib.", "imatinib_mentioned", True),
        ("No fever. Continue imatinib.", "imatinib_mentioned", False),  # the cue of another sentence
        ("CML was ruled out.", "cml_diagnosed", True),  # nothing after the match counts
        ("chronic  myeloid leukemia", "cml_diagnosed", False),  # two blanks
        ("CML in blast crisis", "blast_phase_cml", False),
        ("blast crisis CML", "blast_phase_cml", True),
        ("bone marrow transplantation", "bmt_history", False),
        ("casino " + "x" * 45 + " CML", "cml_diagnosed", True),
        ("casi" + "no " + "x" * 46 + " CML", "cml_diagnosed", False),  # the window cuts the word to "no"
    ],
)
def test_the_faults_of_the_rule_are_kept(label_seed: Label, text: str, field: str, value: bool) -> None:
    assert label_seed(text)[field]["value"] is value


def test_a_field_without_seed_terms_is_unsupported(label_seed: Label) -> None:
    row = label_seed("CML in remission")["cml_in_regression"]
    assert (row["status"], row["value"], row["mentioned"]) == ("unsupported", None, None)


def test_a_term_with_other_letters_is_refused() -> None:
    with pytest.raises(ValueError, match="ASCII"):
        SeedMatcher([["leuc\u00e9mie"]])


def test_the_reference_knows_the_cues() -> None:
    assert CUES.search("NO HISTORY OF")
