"""Training text of the demo models: other hospitals than those that are labelled, and labels of its own wording."""

from __future__ import annotations

import re

import pyarrow as pa
import pytest

from clinical_assets.labels.demo_models import LINES_SEED, NOTES_SEED
from clinical_assets.synthetic import Hospital, HospitalConfig
from clinical_assets.synthetic.note_text import FIELDS
from clinical_assets.synthetic.snippets import LabelledText, labelled_lines, labelled_notes

_IMATINIB = re.compile(r"imatinib|imatinb|gleevec|glivec|sti-?571", re.IGNORECASE)


@pytest.fixture(scope="module")
def lines() -> list[LabelledText]:
    return labelled_lines(FIELDS, seed=LINES_SEED, n_persons=300)


@pytest.fixture(scope="module")
def notes() -> list[LabelledText]:
    return labelled_notes(FIELDS, seed=NOTES_SEED, n_persons=150)


def test_every_field_has_lines_and_notes_of_both_kinds(lines: list[LabelledText], notes: list[LabelledText]) -> None:
    for texts, least in ((lines, 5), (notes, 3)):
        assert all(len(item.labels) == len(FIELDS) for item in texts)
        for k, field in enumerate(FIELDS):
            n = sum(item.labels[k] for item in texts)
            assert least <= n <= len(texts) - least, field


def test_lines_are_distinct_and_lines_of_one_text(lines: list[LabelledText]) -> None:
    assert len({line.text for line in lines}) == len(lines) > 500
    assert all(line.text.strip() for line in lines)


def test_a_label_is_that_of_the_wording(lines: list[LabelledText], notes: list[LabelledText]) -> None:
    k = FIELDS.index("imatinib_mentioned")
    for item in (*lines, *notes):
        assert item.labels[k] == bool(_IMATINIB.search(item.text)), item.text


def test_labels_come_in_the_order_that_was_asked_for_and_unknown_fields_are_false(lines: list[LabelledText]) -> None:
    asked = (FIELDS[3], "no_such_field", FIELDS[0])
    again = labelled_lines(asked, seed=LINES_SEED, n_persons=300)
    assert [(a.text, a.labels) for a in again] == [(b.text, (b.labels[3], False, b.labels[0])) for b in lines]


def test_the_same_seed_writes_the_same_text_and_another_seed_another(notes: list[LabelledText]) -> None:
    assert labelled_notes(FIELDS, seed=NOTES_SEED, n_persons=150) == notes
    assert labelled_lines(FIELDS, seed=7, n_persons=30) == labelled_lines(FIELDS, seed=7, n_persons=30)
    other = {note.text for note in labelled_notes(FIELDS, seed=NOTES_SEED + 1, n_persons=150)}
    assert not {text for text in other & {note.text for note in notes} if len(text) > 150}


def test_no_note_that_is_labelled_is_trained_on_but_those_of_a_line_or_two(
    small: Hospital, notes: list[LabelledText]
) -> None:
    assert HospitalConfig().seed not in {LINES_SEED, NOTES_SEED}
    landed = pa.concat_tables(small.note_batches.values())["note_text"].to_pylist()
    trained = {note.text for note in notes}
    both = [text for text in landed if text in trained]
    assert max(map(len, both), default=0) < 150
    assert len(both) < 0.03 * len(landed)


def test_notes_are_labelled_as_the_hospital_labels_them(small: Hospital) -> None:
    # The same seed as a hospital gives its very notes: the labels must then be its gold.
    gold: dict[int, dict[str, bool]] = {}
    for row in small.annotations["concept_labels"].to_pylist():
        gold.setdefault(row["note_id"], {})[row["field"]] = row["value"]
    said = {
        row["note_text"]: tuple(gold[row["note_id"]][name] for name in FIELDS)
        for row in pa.concat_tables(small.note_batches.values()).to_pylist()
        if row["note_id"] in gold
    }
    own = labelled_notes(FIELDS, seed=small.config.seed, n_persons=100)
    found = [note for note in own if note.text in said]
    assert len(found) > 100
    for note in found:
        assert note.labels == said[note.text]
