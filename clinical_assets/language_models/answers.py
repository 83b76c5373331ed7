"""What is asked of a model and what comes back: yes/no fields in one JSON object, the same contract for every backend."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

__all__ = ["Answer", "AnswerSchema", "Backend", "Request", "Status"]

# parse_error: no readable answer; truncated: it ended too early; too_long: the text does not fit the model's context;
# unavailable: nobody answered (it is asked again the next time).
Status = Literal["labelled", "parse_error", "truncated", "too_long", "unavailable"]


@dataclass(frozen=True)
class AnswerSchema:
    """The fields of the answer, in the order in which they are written.

    Raises
    ------
    ValueError
        If there is no field, or one twice.
    """

    fields: tuple[str, ...]

    def __post_init__(self) -> None:
        """Refuse an empty schema and repeated fields."""
        if not self.fields or len(set(self.fields)) != len(self.fields):
            raise ValueError(f"an answer needs one or more different fields, got: {', '.join(self.fields) or 'none'}")

    def text(self, values: Sequence[bool]) -> str:
        """Return the one JSON text that stands for these values: keys in order, one blank after colon and comma."""
        return json.dumps(dict(zip(self.fields, values, strict=True)))

    def json_schema(self) -> dict[str, Any]:
        """Return the JSON schema of the answer: an object of exactly these booleans."""
        return {
            "type": "object",
            "properties": {name: {"type": "boolean"} for name in self.fields},
            "required": list(self.fields),
            "additionalProperties": False,
        }


@dataclass(frozen=True)
class Request:
    """One text to be read.

    Attributes
    ----------
    text
        The note, or a part of one.
    draft
        A guess at the values, which never changes the answer, only how fast it comes; None for all false.
    """

    text: str
    draft: tuple[bool, ...] | None = None


@dataclass(frozen=True)
class Answer:
    """What a model said of one text.

    Attributes
    ----------
    status
        `labelled`, or why there are no values.
    values
        One a field; None where there is none.
    probabilities
        P(true) a field, of the two values; None where the backend does not tell.
    n_input_tokens, n_output_tokens
        Tokens read and written (thoughts included); None where unknown.
    seconds
        The text's share of the time its batch took.
    reason
        What went wrong or was mended, in fixed words; never text of the note.
    text
        What the model wrote, where it was to be kept; it may quote what was read.
    """

    status: Status
    values: tuple[bool | None, ...]
    probabilities: tuple[float | None, ...]
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None
    seconds: float | None = None
    reason: str | None = field(default=None)
    text: str | None = field(default=None, repr=False)

    @classmethod
    def failure(cls, schema: AnswerSchema, status: Status, reason: str, **spent: Any) -> Answer:
        """Return an answer without values."""
        nothing = (None,) * len(schema.fields)
        return cls(status, nothing, nothing, reason=reason, **spent)


class Backend(Protocol):
    """Answers requests. Made for one model, one schema and one prompt.

    `decoding` names how answers are read (part of a label's identity).
    """

    decoding: str

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield (index of the request, answer) as answers come, in any order, each index once."""

    def token_count(self, text: str) -> int:
        """Return how many tokens a text costs (an estimate where the tokenizer is not at hand)."""

    @property
    def room(self) -> int:
        """Tokens that a text may have besides the prompt, the thought and the answer."""

    def close(self) -> None:
        """Release memory and connections."""


def sha256(*parts: str) -> str:
    """Return the SHA-256 (hex) of several texts, which cannot run into each other."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(f"{len(part)}:".encode())
        digest.update(part.encode("utf-8"))
    return digest.hexdigest()
