"""Dates, normalised text and sections of notes."""

from __future__ import annotations

import datetime as dt
import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.notes.normalise import normalise
from clinical_assets.notes.sections import find_sections
from clinical_assets.notes.validate import parse_date


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("2024-03-10", dt.date(2024, 3, 10)), ("2024-03-10T02:30:00-05:00", dt.date(2024, 3, 10)), ("2024-03-10 23:59:59.9Z", dt.date(2024, 3, 10)),
        ("10.03.2024", dt.date(2024, 3, 10)),
        ("3/10/2024 8:15 AM", dt.date(2024, 3, 10)),
        ("2024-3-1", dt.date(2024, 3, 1)),
        ("2024-03-10 banana", None),
        ("2024-03-10 25:00", None),
        ("20240310", dt.date(2024, 3, 10)), ("03/10/2024", dt.date(2024, 3, 10)), ("10-Mar-2024", dt.date(2024, 3, 10)), ("2024-13-01", None), ("", None), (None, None),
    ],
)  # fmt: skip
def test_a_date_is_the_day_as_written(text: str | None, day: dt.date | None) -> None:
    assert parse_date(text) == day


ODD = st.text(st.one_of(st.characters(codec="utf-8"), st.sampled_from("\r\n\x00\u200b\u202e\ufeff<>&ab ")), max_size=80)


@settings(max_examples=300, deadline=None)
@given(ODD)
def test_normalising_twice_changes_nothing_and_kept_characters_map_back(raw: str) -> None:
    done = normalise(raw)
    assert normalise(done.text).text == done.text
    if done.offset_map is None:
        assert done.text == raw


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            ["HPI:", "PMH", "Family Hx: ", "A/P:\n", "Plan: ", "\n", "text here. ", "Allergies:", "x", ":,"]
        ),
        max_size=20,
    ).map("".join)
)
def test_sections_tile_the_note(text: str) -> None:
    sections = find_sections(text)
    if text:
        assert sections[0].heading_start == 0
        assert sections[-1].body_end == len(text)
    for one, following in itertools.pairwise(sections):
        assert one.heading_start <= one.body_start <= one.body_end == following.heading_start


def test_sections_have_their_standard_names() -> None:
    text = "CHIEF COMPLAINT:, Fatigue.,HISTORY OF PRESENT ILLNESS:, The patient has CML.\nFamily Hx:\nfather with AML\nPMH: none\nA/P: continue\n"
    assert [s.section for s in find_sections(text)] == [
        "chief_complaint", "history_of_present_illness", "family_history", "past_medical_history", "assessment_and_plan",
    ]  # fmt: skip
