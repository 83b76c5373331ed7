"""The annotated notes that an adapter learns from and is judged on, as the splits say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.regex_labels import section_finder
from clinical_assets.language_models.answers import sha256
from clinical_assets.storage.lake import Lake
from clinical_assets.study.fine_tuning import FineTuning

__all__ = ["GoldNote", "GoldNotes", "gold_notes", "to_learn_from"]

_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class GoldNote:
    """A note and what humans say of it.

    Attributes
    ----------
    note_id, person_id, group_id, text_sha256
        Which note, whose, and what must stay on one side of a split with it.
    text
        The note (PHI).
    section_starts
        Offsets at which a section begins.
    gold
        One answer a field, None where its annotators disagree or nobody answered.
    in_scope
        Whether it is one of the notes that models are asked about.
    """

    note_id: int
    person_id: int
    group_id: str
    text_sha256: str
    text: str = field(repr=False)
    section_starts: tuple[int, ...] = ()
    gold: tuple[bool | None, ...] = ()
    in_scope: bool = False


@dataclass(frozen=True)
class GoldNotes:
    """Annotated notes by split, and how many there were to choose from in training and validation together."""

    train: tuple[GoldNote, ...]
    validation: tuple[GoldNote, ...]
    test: tuple[GoldNote, ...]
    n_available: int


def gold_notes(lake: Lake, fields: Sequence[str], scope: Collection[int], rules: FineTuning) -> GoldNotes:
    """Return the notes for training, validation and test.

    Only usable notes whose text is the one that was annotated. For training and validation every field must have an answer,
    since the answer is written as a whole; for a test any is enough.

    Parameters
    ----------
    fields
        Fields of the answer, in its order.
    scope
        note_ids in the scope of labelling: these are taken first where not all are.
    rules
        How many notes of each split at most.
    """
    answers = _answers(lake, fields)
    drawn = _drawn(lake, answers)
    places = _placed(lake, drawn, scope)
    limits = dict(zip(_SPLITS, (rules.max_train, rules.max_validation, rules.max_test), strict=True))
    picked: dict[str, list[_Place]] = {}
    for split in _SPLITS:
        here = sorted(
            (place for place in places if place.split == split),
            key=lambda place: (not place.in_scope, sha256("adapters", str(place.note_id))),
        )
        picked[split] = here[: limits[split]]
    read = _texts(lake, [place for chosen in picked.values() for place in chosen], answers)
    train, validation, test = (tuple(read[place.note_id] for place in picked[split]) for split in _SPLITS)
    return GoldNotes(train, validation, test, sum(row["split"] != "test" for row in drawn.values()))


def to_learn_from(lake: Lake, fields: Sequence[str]) -> set[int]:
    """Return the annotated notes there are to train on and to validate with; none where nothing was annotated yet."""
    if not lake.has("annotations/adjudicated") or not lake.has("annotations/splits"):
        return set()
    return {note_id for (note_id, _), row in _drawn(lake, _answers(lake, fields)).items() if row["split"] != "test"}


@dataclass(frozen=True)
class _Place:
    note_id: int
    person_id: int
    group_id: str
    text_sha256: str
    split: str
    batch: str
    in_scope: bool


def _answers(lake: Lake, fields: Sequence[str]) -> dict[int, tuple[bool | None, ...]]:
    """note_id -> answers in the order of the fields."""
    rows = lake.read("annotations/adjudicated", columns=["note_id", "field", "value"])
    place = {name: k for k, name in enumerate(fields)}
    found: dict[int, list[bool | None]] = {}
    columns = (rows[name].to_pylist() for name in ("note_id", "field", "value"))
    for note_id, name, value in zip(*columns, strict=True):
        if name in place:
            found.setdefault(note_id, [None] * len(fields))[place[name]] = value
    return {note_id: tuple(values) for note_id, values in found.items()}


def _drawn(lake: Lake, answers: Mapping[int, tuple[bool | None, ...]]) -> dict[tuple[int, str], dict[str, Any]]:
    """(note_id, text_sha256) -> row of the splits, for the notes with the answers that their split needs."""
    splits = lake.read("annotations/splits", columns=["note_id", "person_id", "group_id", "text_sha256", "split"])
    return {
        (row["note_id"], row["text_sha256"]): row
        for row in splits.to_pylist()
        if row["split"] in _SPLITS and _enough(row["split"], answers.get(row["note_id"], ()))
    }


def _enough(split: str, values: tuple[bool | None, ...]) -> bool:
    known = [value is not None for value in values]
    return any(known) if split == "test" else bool(known) and all(known)


def _placed(
    lake: Lake, drawn: Mapping[tuple[int, str], Mapping[str, Any]], scope: Collection[int]
) -> Collection[_Place]:
    """Where the texts stand that were annotated, of notes that can be read."""
    found: dict[int, _Place] = {}
    for batch in lake.batches("notes/notes"):
        notes = lake.read("notes/notes", batch, ["note_id", "text_sha256", "status"])
        usable = notes.filter(pc.equal(notes["status"], "usable"))
        for key in zip(usable["note_id"].to_pylist(), usable["text_sha256"].to_pylist(), strict=True):
            if row := drawn.get(key):
                note_id, digest = key
                group, in_scope = str(row["group_id"]), note_id in scope
                found[note_id] = _Place(note_id, row["person_id"], group, digest, row["split"], batch, in_scope)
    return found.values()


def _texts(lake: Lake, places: Sequence[_Place], answers: dict[int, tuple[bool | None, ...]]) -> dict[int, GoldNote]:
    read: dict[int, GoldNote] = {}
    for batch in sorted({place.batch for place in places}):
        here = {place.note_id: place for place in places if place.batch == batch}
        notes = lake.read("notes/notes", batch, ["note_id", "person_id", "text", "text_sha256", "status", "batch"])
        notes = notes.filter(pc.is_in(notes["note_id"], value_set=pa.array(list(here), pa.int64())))
        find = section_finder(lake.read("notes/sections", batch), notes)
        for row, (note_id, text) in enumerate(
            zip(notes["note_id"].to_pylist(), notes["text"].to_pylist(), strict=True)
        ):
            place = here[note_id]
            read[note_id] = GoldNote(
                note_id,
                place.person_id,
                place.group_id,
                place.text_sha256,
                text,
                tuple(find(row)().starts),
                answers[note_id],
                place.in_scope,
            )
    return read
