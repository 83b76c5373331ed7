"""A plain yes or no in free text: the probes on which the trial comparison's parser failed, and what must never be an answer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_assets.language_models.yes_no import read_yes_no, without_thoughts

# what the published parser made of them: no, no, no, no, no
PROBES = [
    ("Unknown", None),
    ("I cannot diagnose", None),
    ("normal vitals", None),
    ("<think>The pulse is normal; therefore, no</think>\nYes", True),
    ("The answer is not clear. Yes", True),
]
MORE = [
    ("", None),
    ("   \n", None),
    ("not sure", None),
    ("No", False),
    ("yes.", True),
    ("**Yes**", True),
    ("Answer: No", False),
    ("The answer is yes, because the blood loss is high.", True),
    ("<think>yes yes yes", None),  # never closed: all of it is a thought
    ("yes, I think</think>No", False),  # never opened, as templates that open it themselves give it
    ("<think>no</think>", None),
    ("Yes or no? I would need an examination.", None),
    ("Yes/No", None),
    ("No. On second thought, the answer is: Yes", True),
    ("Yes\n\nNo", False),
    ("Nothing suggests it. Yesterday she was well.", None),
    ("I am not sure, yes", None),
    ("Noted.", None),
    ("Eyes: normal", None),
]


@pytest.mark.parametrize(("text", "expected"), [*PROBES, *MORE])
def test_last_explicit_answer_counts_and_nothing_else(text: str, expected: bool | None) -> None:
    assert read_yes_no(text) is expected


@given(st.text(alphabet="abcdefghijklmn xyzo\n.,", max_size=60), st.sampled_from(["yes", "no"]))
def test_words_inside_other_words_never_answer(text: str, word: str) -> None:
    assert read_yes_no(f"q{word}q {word}q q{word}") is None
    found = read_yes_no(f"{text}\n{word.capitalize()}.")
    assert found is (word == "yes")


@given(st.text(max_size=80))
def test_what_is_thought_is_never_an_answer(thought: str) -> None:
    assert read_yes_no(f"<think>{thought.replace('<', '')} Yes. No.") is None
    assert "secret" not in without_thoughts("<think>secret</think> Yes")
