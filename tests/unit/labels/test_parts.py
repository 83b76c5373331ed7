"""Long notes: nothing is cut silently, every part fits, and the parts' answers make one."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from itertools import pairwise

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from clinical_assets.labels.parts import LEAST_ROOM, combine, parts_of
from clinical_assets.language_models.answers import Answer

COUNTERS: dict[str, Callable[[str], int]] = {
    "characters": len,
    "bytes": lambda text: len(text.encode()),
    "thirds": lambda text: math.ceil(len(text) / 3),
    "words": lambda text: len(re.findall(r"\w{1,6}|[^\w\s]|\n", text)),
}
words = st.text(alphabet=st.sampled_from("abcxyzäé€🙂0 .,:\t"), max_size=60)
texts = st.lists(words, max_size=25).map("\n".join)


@settings(max_examples=300, deadline=None)
@given(texts, st.sampled_from(sorted(COUNTERS)), st.integers(LEAST_ROOM, 120), st.floats(0, 0.499), st.data())
@example("a" * 400, "characters", 9, 0.49, None)
@example("\n".join(["line of text"] * 60), "characters", 50, 0.49, None)
def test_parts_hold_every_character_fit_the_room_and_go_forward(text, counter, room, overlap, data) -> None:
    count = COUNTERS[counter]
    lines = [m.start() for m in re.finditer(r"^", text, re.MULTILINE)]
    starts = data.draw(st.sets(st.sampled_from(lines))) if data else set(lines)
    parts = parts_of(text, starts, room, count, overlap=overlap)
    assert parts[0][0] == 0
    assert parts[-1][1] == len(text)
    for start, end in parts:
        assert count(text[start:end]) <= room
        assert start < end or not text
    for (start, end), (next_start, next_end) in pairwise(parts):
        assert start < next_start <= end < next_end, "each begins in or right after the one before, and goes further"
        assert count(text[next_start:end]) <= room * overlap, "it repeats no more than its share"
    if count(text) <= room:
        assert parts == [(0, len(text))]
    assert parts == parts_of(text, starts, room, count, overlap=overlap)


def test_with_a_high_overlap_no_part_only_repeats_the_one_before() -> None:
    # The second part could end where the first did: at the section, within reach of its own end.
    text = "short.\n" * 14 + "a longer.\n" * 3 + "this line is the longest\n" * 4
    section = 14 * len("short.\n")
    parts = parts_of(text, {section}, 106, len, overlap=0.49)
    assert parts[:2] == [(0, section), (section // 2, section + 30)]


def test_a_text_that_fits_is_one_part_whatever_its_sections() -> None:
    assert parts_of("A: b\nC: d\n", {0, 5}, 10, len) == [(0, 10)]
    assert parts_of("", (), 8, len) == [(0, 0)]


def test_a_part_ends_where_a_section_begins_if_that_is_near_else_at_a_line() -> None:
    line = "0123456789012345678\n"
    text = line * 30
    section = 8 * len(line)  # a part has room for ten lines
    near = parts_of(text, {section}, 210, len, overlap=0.0)
    assert near[:2] == [(0, section), (section, section + 180)]
    far = parts_of(text, {2 * len(line)}, 210, len, overlap=0.0)
    assert far[0] == (0, 180), "shortening it to a fifth would be waste"
    inside = parts_of(text, {section + 3}, 210, len, overlap=0.0)
    assert inside[0] == (0, 180)
    assert all(start % len(line) == 0 for start, _ in inside)


def test_the_overlap_is_made_of_whole_lines_as_many_as_its_share_allows() -> None:
    text = "0123456789012345678\n" * 30
    parts = parts_of(text, (), 421, len, overlap=0.11)
    assert parts[:2] == [(0, 380), (340, 600)]
    assert [start for start, _ in parts_of(text, (), 421, len, overlap=0.0)][:2] == [0, 380]


def test_a_line_of_30_000_characters_without_a_blank_is_cut_and_one_with_blanks_only_at_them() -> None:
    solid = "x" * 30_000
    parts = parts_of(solid, (), 500, len)
    assert {k for start, end in parts for k in range(start, end)} == set(range(30_000))
    assert max(end - start for start, end in parts) <= 500
    worded = "words " * 5_000
    for start, end in parts_of(worded, (), 500, len):
        assert worded[start:end].startswith("words")
        assert end == len(worded) or worded[end - 1] == " "


@pytest.mark.parametrize("room", [7, 0, -5])
def test_too_little_room_is_refused(room: int) -> None:
    with pytest.raises(ValueError, match=rf"room is {room} tokens; expected at least 8"):
        parts_of("a text", (), room, len)


# --- combine ----------------------------------------------------------------------------------------------------------


def said(*values: bool | None, p: tuple[float | None, ...] | None = None, **other) -> Answer:
    chances = p or tuple(None if v is None else 0.75 if v else 0.25 for v in values)
    return Answer(other.pop("status", "labelled"), values, chances, **other)


def test_one_part_is_its_own_answer() -> None:
    only = said(None, status="truncated", reason="no_end", seconds=2.0)
    assert combine([only]) is only


def test_true_if_any_part_says_so_with_the_highest_chance_and_false_if_all_do() -> None:
    whole = combine(
        [said(False, True, False, p=(0.1, 0.6, 0.3)), said(False, True, True, p=(0.4, 0.9, 0.8)), said(False, False, False, p=(0.2, 0.1, 0.45))]
    )  # fmt: skip
    assert (whole.status, whole.values, whole.probabilities) == ("labelled", (False, True, True), (0.4, 0.9, 0.8))
    assert whole.reason is None


def test_a_part_that_failed_leaves_no_value_but_where_another_says_true() -> None:
    failed = said(None, None, status="parse_error", reason="not_json")
    whole = combine([said(True, False), failed])
    assert (whole.status, whole.values, whole.reason) == ("parse_error", (True, None), "not_json")
    assert whole.probabilities == (0.75, None), "without a value there is no chance of it"
    enough = combine([said(True, False), failed, said(False, True)])
    assert (enough.status, enough.values) == ("labelled", (True, True))


def test_of_several_failures_the_one_that_is_asked_again_counts_then_the_first() -> None:
    truncated, unread, away = (
        said(None, status="truncated", reason="a"), said(None, status="parse_error", reason="b"), said(None, status="unavailable", reason="c")
    )  # fmt: skip
    assert (combine([truncated, unread]).status, combine([unread, truncated]).status) == ("truncated", "parse_error")
    for order in ([truncated, away, unread], [away, truncated], [unread, away]):
        assert (combine(order).status, combine(order).reason) == ("unavailable", "c")


def test_tokens_and_seconds_are_summed_and_unknown_ones_stay_unknown() -> None:
    whole = combine(
        [said(False, n_input_tokens=5, n_output_tokens=None, seconds=0.5), said(False, n_input_tokens=7, seconds=0.25)]
    )
    assert (whole.n_input_tokens, whole.n_output_tokens, whole.seconds) == (12, None, 0.75)
    assert combine([said(False), said(False)]).seconds is None
    assert combine([said(False, seconds=1.0), said(False)]).seconds == 1.0


def test_a_thought_that_was_cut_in_one_part_is_told_of_the_whole() -> None:
    assert combine([said(False), said(False, reason="thought_cut")]).reason == "thought_cut"
    assert combine([said(False, reason="mended"), said(True)]).reason is None


def test_no_chance_is_given_where_the_backend_told_none() -> None:
    whole = combine([said(True, p=(None,)), said(False, p=(None,))])
    assert (whole.values, whole.probabilities) == ((True,), (None,))
