"""Free text from a model: what is asked, what comes back, the same contract for every backend."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

from clinical_assets.language_models.prompts import Prompt

__all__ = ["TextRequest", "TextStatus", "Writer", "WrittenText", "without_thought"]

# truncated: no end within the budget; looping: it repeated itself and was cut; empty: nothing was written; too_long: text and
# answer do not fit the model's context; failed: what came is no text; unavailable: nobody answered (asked again the next time).
TextStatus = Literal["written", "truncated", "looping", "empty", "too_long", "failed", "unavailable"]
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)


@dataclass(frozen=True)
class TextRequest:
    """One text to be written.

    Attributes
    ----------
    prompt
        The wording.
    slots
        A text for each of its slots, none of them blank.
    max_new_tokens
        Budget of the answer; thoughts have their own.
    """

    prompt: Prompt
    slots: Mapping[str, str]
    max_new_tokens: int


@dataclass(frozen=True)
class WrittenText:
    """What a model wrote.

    Attributes
    ----------
    status
        `written`, or what is wrong with it.
    text
        New text only: no prompt, no thought, no control token; None for empty, too_long, failed and unavailable.
    n_input_tokens, n_output_tokens
        Tokens read and written (thoughts included); None where unknown.
    seconds
        The text's share of the time its batch took.
    reason
        What went wrong, in fixed words; never text of a note.
    """

    status: TextStatus
    text: str | None
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None
    seconds: float | None = None
    reason: str | None = None


class Writer(Protocol):
    """Writes texts. Made for one model and one decoding.

    `decoding` names how tokens are chosen (part of a text's identity).
    """

    decoding: str

    def write(self, requests: Sequence[TextRequest]) -> Iterator[tuple[int, WrittenText]]:
        """Yield (index of the request, text) as texts come, in any order, each index once.

        Raises EmptySlotError before anything is written if a slot of any request is empty.
        """

    def token_count(self, text: str) -> int:
        """Return how many tokens a text costs (an estimate where the tokenizer is not at hand)."""

    def room(self, prompt: Prompt, max_new_tokens: int) -> int:
        """Return the tokens that the slots of a prompt may have together; 0 where none."""

    def close(self) -> None:
        """Release memory and connections."""


def without_thought(text: str) -> tuple[str, bool]:
    """Return a text without thoughts in think tags, and whether a thought was never closed. One may be open from the start."""
    if "</think>" in text and "<think>" not in text[: text.index("</think>")]:
        text = text[text.index("</think>") + len("</think>") :]
    unclosed = text.rfind("<think>") > text.rfind("</think>")
    return _THOUGHT.sub("", text).strip(), unclosed
