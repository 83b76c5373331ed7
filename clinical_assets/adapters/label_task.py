"""The labelling question as something to be trained for: notes, the JSON that humans would have written, macro F1."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from clinical_assets.adapters.gold_notes import GoldNote, GoldNotes
from clinical_assets.labels.model_labels import Question
from clinical_assets.labels.reading import NoteToRead, read_notes
from clinical_assets.language_models.answers import Answer, Backend
from clinical_assets.language_models.catalogue import LABELS_TASK, ModelEntry
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.training_task import Example
from clinical_assets.statistics.classification import Counts, cells, macro_f1_of_positives

if TYPE_CHECKING:
    from clinical_assets.language_models.loading import Loaded

__all__ = ["LabelTask", "answers_to", "macro_f1"]

_VALUE = re.compile(r"\b(?:true|false)\b")


@dataclass(frozen=True)
class LabelTask:
    """Training a model to answer the study's question as humans do; see `language_models.training_task.TrainingTask`.

    Attributes
    ----------
    entry
        The model.
    question
        What it is asked.
    notes
        What it learns from; every field of these has an answer.
    overlap
        Share of a part that the next one repeats, where a note has to be cut to be read.
    """

    entry: ModelEntry
    question: Question
    notes: GoldNotes
    overlap: float

    name = LABELS_TASK
    metric_name = "macro_f1"

    @property
    def prompt(self) -> Prompt:
        """The wording that labels are asked with."""
        return self.question.prompt

    @cached_property
    def train(self) -> Sequence[Example]:
        """One example a note."""
        return self._examples(self.notes.train)

    @cached_property
    def validation(self) -> Sequence[Example]:
        """One example a note."""
        return self._examples(self.notes.validation)

    def decides(self, target: str) -> Sequence[tuple[int, int]]:
        """Return where the values stand: names of fields hold neither word, so that every match is one."""
        return [match.span() for match in _VALUE.finditer(target)]

    def metric(self, loaded: Loaded) -> Mapping[str, float]:
        """Return macro F1 on the validation notes, read as notes are when they are labelled."""
        from clinical_assets.language_models.local import LocalBackend

        backend = LocalBackend(loaded, self.entry, self.question.schema, self.question.prompt)
        answers = answers_to(backend, self.notes.validation, overlap=self.overlap)
        backend.close()
        return {"macro_f1": macro_f1(self.notes.validation, answers)}

    def _examples(self, notes: Sequence[GoldNote]) -> list[Example]:
        schema = self.question.schema
        return [
            Example(str(note.note_id), note.group_id, note.text, schema.text([bool(value) for value in note.gold]))
            for note in notes
        ]


def answers_to(backend: Backend, notes: Sequence[GoldNote], *, overlap: float) -> dict[int, Answer]:
    """Return note_id -> answer, each note read as it is when it is labelled."""
    to_read = [NoteToRead(note.note_id, note.text, note.section_starts) for note in notes]
    return dict(read_notes(backend, to_read, overlap=overlap))


def macro_f1(notes: Sequence[GoldNote], answers: Mapping[int, Answer]) -> float:
    """Return the mean F1 over the fields with a true gold answer; 0 where there is none. A missing answer is wrong."""
    tables = []
    for k in range(len(notes[0].gold) if notes else 0):
        known = [note for note in notes if note.gold[k] is not None]
        said = np.array([answers[note.note_id].values[k] for note in known], dtype=object)
        tables.append(cells([bool(note.gold[k]) for note in known], said).sum(axis=0))
    if not tables:
        return 0.0
    macro = float(macro_f1_of_positives(Counts(*np.stack(tables, axis=1))))
    return 0.0 if np.isnan(macro) else macro
