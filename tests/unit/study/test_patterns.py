"""Terms expand to finite lists; regexes that could hang are refused, and stopped if they take too long all the same."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.study import patterns
from clinical_assets.study.patterns import (
    PatternError,
    PatternTimeout,
    SafePattern,
    check_pattern,
    compile_pattern,
    expand_term,
)


@pytest.mark.parametrize(
    ("term", "expected"),
    [
        ("cml", ["cml"]),
        ("leuka?emia", ["leukaemia", "leukemia"]),
        ("a(b|c)d", ["abd", "acd"]),
        ("(x )?y", ["x y", "y"]),
        ("blast[- ]?phase", ["blast-phase", "blast phase", "blastphase"]),
        ("(a|(b|c)d)e", ["ae", "bde", "cde"]),
        (r"\(a\)\+", ["(a)+"]),
        ("MR4.5", ["MR4.5"]),
        ("a|b", ["a", "b"]),
    ],
)
def test_a_term_stands_for_its_literals_in_regex_order(term: str, expected: list[str]) -> None:
    assert list(expand_term(term)) == expected


@pytest.mark.parametrize(
    ("term", "why"),
    [
        ("a*", "finite"), ("a{2}", "finite"), ("^a", "finite"), ("a$", "finite"), ("(a", "never closed"), ("a)", "without"), ("[a", "never closed"),
        ("[]", "never closed"), ("[a-z]", "ranges"), ("[^a]", "plain characters"), (r"\w", "patterns:"), ("a\\", "backslash"), ("a?", "empty"), (" ", "empty"),
        ("(a|b|c|d|e|f|g|h|i|j)" * 5, "more than"),
    ],
)  # fmt: skip
def test_a_term_without_a_finite_list_is_refused_with_advice(term: str, why: str) -> None:
    with pytest.raises(PatternError, match=why):
        expand_term(term)


_ATOM = st.sampled_from(["a", "b", "(a|b)", "(ab|a)?", "[ab]", "[- ]?", "b?", "(a(b|a)?|b)"])
_EVERY = ["".join(chars) for size in range(6) for chars in itertools.product("zab-", repeat=size)]


@settings(deadline=None, max_examples=60)
@given(st.lists(_ATOM, min_size=1, max_size=4).map("".join).map(lambda term: "z" + term))
def test_a_term_means_what_the_same_regex_means(term: str) -> None:
    literals = set(expand_term(term))
    assert {text for text in _EVERY if re.fullmatch(term, text)} == {
        text for text in literals if len(text) <= 5 and " " not in text
    }
    assert all(re.fullmatch(term, literal) for literal in literals)


@pytest.mark.parametrize(
    ("pattern", "why"),
    [
        ("(a+)+$", "repeat inside a repeat"), ("(a*)*b", "."), ("(a|aa)+$", "alternatives inside a repeat"), ("(a?){30}a", "repeat inside a repeat"),
        ("(?:a{1,9}){2,9}x", "repeat inside a repeat"), (r"(\w+\s?)+x", "repeat inside a repeat"), (r"x(.*)y\1", "backreferences"), ("a.*b.*c.*d", "unlimited repeats"),
        ("a{0,500}b", "at most 200"), ("(", "does not compile"), ("a*", "empty"), ("(?=a)", "empty"), ("y" * 600, "600 characters"), ("(?:(?:a+)b)+", "repeat inside"),
    ],
)  # fmt: skip
def test_a_regex_that_can_hang_is_refused_with_a_reason(pattern: str, why: str) -> None:
    with pytest.raises(PatternError, match=why):
        check_pattern(pattern)
    with pytest.raises(PatternError):
        compile_pattern(pattern)


def test_the_classic_is_refused_in_words_that_help() -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern("(a+)+$")
    assert str(caught.value) == (
        "pattern '(a+)+$' is refused: a repeat inside a repeat, as in (a+)+, can take exponential time; "
        "remove one of the two quantifiers"
    )


@pytest.mark.parametrize(
    "pattern", [r"\d{1,4} ?mg", r"bcr[-/:]{0,2}abl1?", r"(?:left|right) arm", "a+b", r"MR ?[45](?:\.\d)?", "(?:ab){3}"]
)
def test_an_ordinary_regex_is_accepted(pattern: str) -> None:
    check_pattern(pattern)


def test_matches_are_spans_ignoring_case() -> None:
    assert compile_pattern(r"\d{1,4} ?mg").spans("5 MG and 400mg") == [(0, 4), (9, 14)]


def test_a_regex_that_slips_through_is_stopped_and_tells_no_text() -> None:
    import regex

    slow = SafePattern("(a|a)+$", regex.compile("(?:a|a|aa)+$"), timeout=0.05)
    with pytest.raises(PatternTimeout) as caught:
        slow.spans("a" * 5_000 + "secret")
    assert "secret" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert patterns.PATTERN_TIMEOUT_SECONDS <= 1
