"""Wording: a prompt template with named slots, rendered once for a study and then per note."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinical_assets.language_models.answers import AnswerSchema, sha256
from clinical_assets.study.labelling import PromptWording, slots_of

__all__ = ["EmptySlotError", "Prompt"]


class EmptySlotError(ValueError):
    """A slot of a prompt would stay empty: what is asked then is answered out of nothing. Names the slot, quotes nothing."""


@dataclass(frozen=True)
class Prompt:
    """A prompt that lacks only the note.

    Attributes
    ----------
    system
        The instruction, the same for every note.
    user
        The user's turn with the slot ``{note}``; the note stands between <note> and </note>. There may be more slots, each
        between delimiters of its name.
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

    @property
    def slots(self) -> frozenset[str]:
        """Names of what is to be filled in for each text."""
        return frozenset(slots_of(self.user))

    def check_slots(self, texts: Mapping[str, str]) -> None:
        """Refuse texts that would leave a slot empty.

        Raises
        ------
        EmptySlotError
            If a slot has no text, a blank one, or there is a text for none.
        """
        empty = sorted(name for name in self.slots if not texts.get(name, "").strip())
        unknown = sorted(set(texts) - self.slots)
        if empty or unknown:
            names = ", ".join(f"{{{name}}}" for name in empty or unknown)
            raise EmptySlotError(f"prompt: {'nothing is given for' if empty else 'there is no slot'} {names}")

    def messages(self, note: str, **others: str) -> list[dict[str, str]]:
        """Return the chat of one note. Delimiters inside a text are defused, so that it cannot end itself."""
        texts = dict.fromkeys(self.slots, "") | others | {"note": note}
        marks = re.compile("|".join(rf"<(?=/?{name}>)" for name in sorted(texts)))
        texts = {name: marks.sub("< ", text) for name, text in texts.items()}
        return [
            {"role": "system", "content": self.system},
            {"role": "user", "content": self.user.format_map(texts)},
        ]
