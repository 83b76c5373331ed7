"""Which annotated notes an adapter learns from."""

from __future__ import annotations

from clinical_assets.adapters.gold_notes import gold_notes, to_learn_from
from clinical_assets.study.fine_tuning import FineTuning
from tests.unit.adapters.annotated import FIELDS, Annotated

NO_LIMITS = FineTuning()


def ids(notes: object) -> list[int]:
    return sorted(note.note_id for note in notes)  # type: ignore[attr-defined]


def test_notes_come_with_text_gold_and_group_in_the_order_of_the_fields(annotated: Annotated) -> None:
    annotated.add(4, "train", [True, False], text="Takes imatinib.")
    annotated.answers.reverse()
    notes = gold_notes(annotated.write(), FIELDS, {4}, NO_LIMITS)
    (note,) = notes.train
    assert (note.text, note.gold, note.group_id, note.person_id, note.in_scope) == (
        "Takes imatinib.",
        (True, False),
        "2",
        2,
        True,
    )
    assert "Takes" not in repr(note)


def test_each_split_gets_its_own_notes_and_excluded_ones_none(annotated: Annotated) -> None:
    for note_id, split in enumerate(["train", "validation", "test", "excluded"]):
        annotated.add(note_id, split, [True, True])
    notes = gold_notes(annotated.write(), FIELDS, set(), NO_LIMITS)
    assert (ids(notes.train), ids(notes.validation), ids(notes.test)) == ([0], [1], [2])
    assert notes.n_available == 2


def test_an_open_question_keeps_a_note_out_of_training_but_not_out_of_the_test(annotated: Annotated) -> None:
    annotated.add(1, "train", [True, None])
    annotated.add(2, "validation", [None, None])
    annotated.add(3, "test", [True, None])
    annotated.add(4, "test", [None, None])
    notes = gold_notes(annotated.write(), FIELDS, set(), NO_LIMITS)
    assert (ids(notes.train), ids(notes.validation), ids(notes.test)) == ([], [], [3])
    assert notes.test[0].gold == (True, None)


def test_a_text_that_changed_after_it_was_annotated_or_cannot_be_read_is_left_out(annotated: Annotated) -> None:
    annotated.add(1, "train", [True, True], annotated_text="what it said then")
    annotated.add(2, "train", [True, True], status="blank")
    annotated.add(3, "train", [True, True])
    assert ids(gold_notes(annotated.write(), FIELDS, set(), NO_LIMITS).train) == [3]


def test_where_not_all_are_wanted_those_in_scope_come_first_and_the_choice_stands(annotated: Annotated) -> None:
    for note_id in range(40):
        annotated.add(note_id, "train", [True, True], batch=f"b{note_id % 3}")
    lake, scope = annotated.write(), {3, 17, 31}
    few = gold_notes(lake, FIELDS, scope, FineTuning(max_train=10))
    assert scope < set(ids(few.train))
    assert len(few.train) == 10
    more = gold_notes(lake, FIELDS, scope, FineTuning(max_train=11))
    assert set(ids(few.train)) < set(ids(more.train))
    assert few.n_available == len(to_learn_from(lake, FIELDS)) == 40


def test_before_anything_is_annotated_there_is_nothing_to_learn_from(annotated: Annotated) -> None:
    assert to_learn_from(annotated.lake, FIELDS) == set()
