"""Wording: a prompt template with named slots, rendered once for a study and then per note."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinical_assets.language_models.answers import AnswerSchema, sha256
from clinical_assets.study.labelling import PromptWording

__all__ = ["Prompt"]

_OPEN, _CLOSE = "<note>", "</note>"


@dataclass(frozen=True)
class Prompt:
    """A prompt that lacks only the note.

    Attributes
    ----------
    system
        The instruction, the same for every note.
    user
        The user's turn with the slot ``{note}``; the note stands between <note> and </note>.
    """

    system: str
    user: str

    @classmethod
    def build(cls, system: str, user: str, schema: AnswerSchema, definitions: Sequence[str]) -> Prompt:
        """Fill ``{fields}`` (one line a field: name and definition) and ``{example}`` (an answer, all false).

        Raises
        ------
        ValueError
            If a slot is missing or unknown, or the note does not stand between its delimiters.
        """
        wording = PromptWording(system=system, user=user)
        lines = "\n".join(
            f"- {field}: {' '.join(definition.split())}"
            for field, definition in zip(schema.fields, definitions, strict=True)
        )
        example = schema.text([False] * len(schema.fields))
        return cls(wording.system.format(fields=lines, example=example).strip(), wording.user.strip())

    @property
    def sha256(self) -> str:
        """Digest of the wording: part of a label's identity."""
        return sha256(self.system, self.user)

    def messages(self, note: str) -> list[dict[str, str]]:
        """Return the chat of one note. Delimiters inside the note are defused, so that it cannot end itself."""
        for mark in (_OPEN, _CLOSE):
            note = note.replace(mark, mark.replace("<", "< "))
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": self.user.format(note=note)},
        ]
