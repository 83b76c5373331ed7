"""Whole notes read by a model: cut into parts where they are too long, and their answers put together again."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from clinical_assets.labels.parts import LEAST_ROOM, combine, parts_of
from clinical_assets.language_models.answers import Answer, Backend, Request

__all__ = ["NoteToRead", "read_notes"]


@dataclass(frozen=True)
class NoteToRead:
    """A note for a model.

    Attributes
    ----------
    note_id, text
        Which note, and its text.
    section_starts
        Offsets at which a section begins.
    draft
        A guess at the answer, which changes nothing but speed; None for all false.
    """

    note_id: int
    text: str
    section_starts: Collection[int] = ()
    draft: tuple[bool, ...] | None = None


def read_notes(backend: Backend, notes: Sequence[NoteToRead], *, overlap: float) -> Iterator[tuple[int, Answer]]:
    """Yield (note_id, answer) as soon as all parts of a note are answered, in any order.

    Parameters
    ----------
    overlap
        Share of a part that the next one repeats, where a note has to be cut.

    Raises
    ------
    ModelError
        If prompt, thought and answer leave no room for a note.
    """
    _refuse_if_no_room(backend)
    requests: list[Request] = []
    place_of: list[tuple[int, int]] = []
    answers: dict[int, list[Answer | None]] = {}
    for note in notes:
        parts = parts_of(note.text, note.section_starts, backend.room, backend.token_count, overlap=overlap)
        answers[note.note_id] = [None] * len(parts)
        place_of += [(note.note_id, part) for part in range(len(parts))]
        requests += [Request(note.text[start:end], note.draft) for start, end in parts]
    for index, answer in backend.answer(requests):
        note_id, part = place_of[index]
        answers[note_id][part] = answer
        whole = [a for a in answers[note_id] if a is not None]
        if len(whole) == len(answers[note_id]):
            yield note_id, combine(whole)
            del answers[note_id]


def _refuse_if_no_room(backend: Backend) -> None:
    from clinical_assets.language_models.loading import ModelError

    if backend.room < LEAST_ROOM:
        raise ModelError(
            f"prompt, thought and answer leave {backend.room} tokens for the note; at least {LEAST_ROOM} are needed. "
            "Shorten prompt.system, lower max_thinking_tokens, or raise context_length"
        )
