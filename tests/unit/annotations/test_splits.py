"""Splits: nothing straddles, nothing that was assigned moves, every part gets its share, and the order of rows is nothing."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.annotations.leakage import straddling
from clinical_assets.annotations.splits import update_splits
from clinical_assets.annotations.stratify import NOWHERE, connected_groups, draw_parts
from clinical_assets.storage.contracts import ADJUDICATED, SPLITS
from clinical_assets.study.annotations import SplitRules

SHARES = SplitRules(train=0.4, validation=0.3, test=0.3)
THEN, NOW = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 2, tzinfo=UTC)
PARTS = ("train", "validation", "test")

Note = tuple[int, int, str, bool, bool]  # note_id, person_id, text, a (common), b (rare)


def table(notes: list[Note]) -> pa.Table:
    rows = [
        {
            "note_id": n,
            "person_id": p,
            "text_sha256": t,
            "field": field,
            "value": value,
            "status": "single",
            "n_annotators": 1,
        }
        for n, p, t, a, b in notes
        for field, value in (("a", a), ("b", b))
    ]
    return pa.Table.from_pylist(rows, schema=ADJUDICATED)


def split(
    notes: list[Note],
    before: pa.Table | None = None,
    rules: SplitRules = SHARES,
    scope: set[int] | None = None,
    now=NOW,
) -> pa.Table:
    found = update_splits(table(notes), before, rules, scope or set(), now=now)
    assert found.schema.equals(SPLITS)
    return found


def by_note(found: pa.Table) -> dict[int, str]:
    return dict(zip(found["note_id"].to_pylist(), found["split"].to_pylist(), strict=True))


def reasons(found: pa.Table) -> dict[int, str | None]:
    return dict(zip(found["note_id"].to_pylist(), found["reason"].to_pylist(), strict=True))


def hospital(n_persons: int, seed: int = 0, first: int = 0) -> list[Note]:
    random, notes = np.random.default_rng(seed), []
    for person in range(first, first + n_persons):
        notes += [
            (person * 100 + i, person, f"text {person} {i}", bool(random.random() < 0.4), bool(random.random() < 0.03))
            for i in range(int(random.integers(1, 8)))
        ]
    return notes


some_notes = st.lists(
    st.tuples(st.integers(0, 11), st.integers(0, 11), st.booleans(), st.booleans()), min_size=0, max_size=60
).map(lambda rows: [(i, person, f"t{text}", a, b) for i, (person, text, a, b) in enumerate(rows)])


@settings(deadline=None, max_examples=150)
@given(
    some_notes,
    some_notes,
    st.integers(0, 3),
    st.sampled_from([SHARES, SplitRules(train=9, test=4), SplitRules(train=0.5, test=0.5, most_persons_per_text=1)]),
)
def test_nothing_straddles_and_nothing_moves(
    first: list[Note], later: list[Note], seed: int, rules: SplitRules
) -> None:
    rules = rules.model_copy(update={"seed": seed})
    one = split(first, rules=rules, now=THEN)
    assert (straddling(one).n_persons, straddling(one).n_texts) == (0, 0)
    both = first + [(n + 1000, *rest) for n, *rest in later]
    two = split(both, one, rules)
    assert (straddling(two).n_persons, straddling(two).n_texts) == (0, 0)
    was, now = by_note(one), by_note(two)
    assert set(now) == {note[0] for note in both}
    assert {note: now[note] for note, name in was.items() if name != "excluded"} == {
        note: name for note, name in was.items() if name != "excluded"
    }
    again = split(both, two, rules, now=datetime(2026, 3, 3, tzinfo=UTC))
    assert again.equals(two)
    assert all((reason is None) == (now[note] != "excluded") for note, reason in reasons(two).items())


@settings(deadline=None, max_examples=30)
@given(some_notes, st.randoms())
def test_the_order_of_rows_changes_nothing(notes: list[Note], random) -> None:
    shuffled = list(notes)
    random.shuffle(shuffled)
    assert split(notes).equals(split(shuffled))


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000))
def test_every_part_has_its_share_of_notes_and_of_each_answer_in_scope_too(seed: int) -> None:
    notes = hospital(300, seed)
    scope = {note[0] for note in notes if note[0] % 100 == 0}
    parts = by_note(split(notes, rules=SHARES.model_copy(update={"seed": seed}), scope=scope))
    for chosen, slack in (
        (notes, 7),
        ([n for n in notes if n[0] in scope], 4),
        ([n for n in notes if n[3]], 7),
        ([n for n in notes if n[4]], 3),
        ([n for n in notes if n[4] and n[0] in scope], 2),
    ):
        for name, share in zip(PARTS, (0.4, 0.3, 0.3), strict=True):
            assert sum(parts[n[0]] == name for n in chosen) == pytest.approx(share * len(chosen), abs=slack)


def test_new_groups_balance_what_is_there() -> None:
    one = split(hospital(30), rules=SplitRules(train=1.0), now=THEN)
    notes = hospital(300, 5)
    two = by_note(split(notes, one))
    kept = [note for note in by_note(one) if note in two]
    assert {two[note] for note in kept} == {"train"}
    shares = {name: sum(split == name for split in two.values()) / len(two) for name in PARTS}
    assert shares == pytest.approx({"train": 0.4, "validation": 0.3, "test": 0.3}, abs=0.02)


def test_the_seeds_numbers_are_one_configuration() -> None:
    notes = hospital(300)
    found = split(notes, rules=SplitRules(train=200, test=100))
    counts = defaultdict(int)
    for name in by_note(found).values():
        counts[name] += 1
    assert 200 <= counts["train"] < 207
    assert 100 <= counts["test"] < 107
    assert counts["excluded"] == len(notes) - counts["train"] - counts["test"]
    assert {reason for reason in reasons(found).values() if reason} == {"not_needed"}
    # more notes later: the numbers stand
    more = split(
        notes + hospital(50, 9, first=1000) + [(77_777, 0, "another", True, False)],
        found,
        SplitRules(train=200, test=100),
    )
    assert {note: name for note, name in by_note(more).items() if name != "excluded"} == {
        note: name for note, name in by_note(found).items() if name != "excluded"
    }


def test_persons_with_one_text_stay_together_and_boilerplate_is_excluded() -> None:
    chained = [(1, 1, "x", True, False), (2, 2, "x", False, False), (3, 2, "y", True, False), (4, 3, "y", True, True)]
    boilerplate = [(10 + p, 10 + p, "see scan", False, False) for p in range(5)] + [
        (20 + p, 10 + p, f"own {p}", True, False) for p in range(5)
    ]
    found = split(chained + boilerplate + hospital(40, first=100))
    assert len({by_note(found)[n] for n in (1, 2, 3, 4)}) == 1
    groups = dict(zip(found["note_id"].to_pylist(), found["group_id"].to_pylist(), strict=True))
    assert {groups[n] for n in (1, 2, 3, 4)} == {1}
    assert {reasons(found)[10 + p] for p in range(5)} == {"shared_text"}
    assert {reasons(found)[20 + p] for p in range(5)} == {None}
    assert len({groups[20 + p] for p in range(5)}) == 5


def test_a_later_note_that_joins_two_splits_is_excluded_and_others_of_its_person_follow() -> None:
    notes = hospital(40)
    one = split(notes, now=THEN)
    at = by_note(one)
    p, q = (next(n for n in notes if at[n[0]] == name) for name in ("train", "test"))
    two = split(
        [
            *notes,
            (9001, p[1], q[2], True, False),
            (9002, p[1], "fresh", True, False),
            (9003, 999, q[2], True, False),
            (9004, 998, "new text", True, False),
            (9005, q[1], "new text", True, False),
        ],
        one,
    )
    assert (by_note(two)[9001], reasons(two)[9001]) == ("excluded", "bridges_splits")
    assert by_note(two)[9002] == "train"
    assert [by_note(two)[n] for n in (9003, 9004, 9005)] == ["test"] * 3


def test_two_persons_of_different_splits_who_now_share_a_text_lose_that_text() -> None:
    notes = hospital(40)
    one = split(notes, now=THEN)
    p, q = (next(n[1] for n in notes if by_note(one)[n[0]] == name) for name in ("train", "test"))
    two = split([*notes, (9001, p, "both", True, False), (9002, q, "both", True, False)], one)
    assert {reasons(two)[9001], reasons(two)[9002]} == {"bridges_splits"}


def test_a_note_that_lost_its_labels_keeps_its_place() -> None:
    notes = hospital(40)
    one = split(notes, now=THEN)
    gone = split(notes[5:], one)
    assert by_note(gone) == by_note(one)
    assert [row["is_annotated"] for row in gone.to_pylist() if row["note_id"] in {n[0] for n in notes[:5]}] == [
        False
    ] * 5
    assert split(notes, gone).equals(one)


def test_a_corrected_note_whose_new_text_is_in_another_split_is_excluded() -> None:
    notes = hospital(40)
    one = split(notes, now=THEN)
    p, q = (next(n for n in notes if by_note(one)[n[0]] == name) for name in ("train", "test"))
    corrected = [(n[0], n[1], q[2], *n[3:]) if n == p else n for n in notes]
    two = split(corrected, one)
    assert (by_note(two)[p[0]], reasons(two)[p[0]]) == ("excluded", "bridges_splits")
    harmless = [(n[0], n[1], "mended", *n[3:]) if n == p else n for n in notes]
    assert by_note(split(harmless, one)) == by_note(one)


def test_another_seed_is_another_draw_but_moves_nothing_that_stands() -> None:
    notes = hospital(60)
    one, other = split(notes), split(notes, rules=SHARES.model_copy(update={"seed": 1}))
    assert by_note(one) != by_note(other)
    kept = split(notes, one, SHARES.model_copy(update={"seed": 1}))
    assert kept.equals(one)


def test_groups_are_connected_components() -> None:
    groups = connected_groups(np.array([1, 1, 2, 3, 4]), np.array(["a", "b", "b", "c", "c"]))
    assert groups[0] == groups[1] == groups[2] != groups[3] == groups[4]
    assert connected_groups(np.array([], dtype=int), np.array([])).shape == (0,)


def test_what_no_part_wants_goes_nowhere() -> None:
    contents = np.array([[3.0, 1], [3, 0], [3, 0]])
    assert sorted(draw_parts(contents, np.array([[3.0, 1]]), seed=0, fill_only=True)) == [NOWHERE, NOWHERE, 0]
    assert NOWHERE not in draw_parts(contents, np.array([[3.0, 1]]), seed=0)
