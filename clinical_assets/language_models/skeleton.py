"""The answer as tokens: what is fixed, where each value stands, and which two tokens decide it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from clinical_assets.language_models.answers import AnswerSchema

__all__ = ["Drafted", "Skeleton", "SkeletonError", "common_length", "compile_skeleton"]

Tokens = tuple[int, ...]


class SkeletonError(ValueError):
    """The tokenizer merges values with their surroundings, so that no single token decides a value."""


@dataclass(frozen=True)
class Drafted:
    """An answer spelled out: its tokens, and per field the index of the token *before* its value (whose logits decide)."""

    tokens: Tokens
    slots: Tokens


@dataclass(frozen=True)
class Skeleton:
    """The canonical tokens of every possible answer to a schema.

    Attributes
    ----------
    schema
        What is answered.
    fixed
        The tokens before the first value, between values, and after the last: one more than there are fields.
    false, true
        Per field the tokens of the value; the first ones differ.
    """

    schema: AnswerSchema
    fixed: tuple[Tokens, ...]
    false: tuple[Tokens, ...]
    true: tuple[Tokens, ...]

    def compose(self, values: Sequence[bool]) -> Drafted:
        """Return the tokens of an answer, as the tokenizer would write it."""
        tokens: list[int] = list(self.fixed[0])
        slots = []
        for k, value in enumerate(values):
            slots.append(len(tokens) - 1)
            tokens += self.true[k] if value else self.false[k]
            tokens += self.fixed[k + 1]
        return Drafted(tuple(tokens), tuple(slots))

    @property
    def deciding(self) -> tuple[Tokens, Tokens]:
        """The tokens (false, true), one a field, whose logits are compared."""
        return tuple(v[0] for v in self.false), tuple(v[0] for v in self.true)

    @property
    def longest(self) -> int:
        """Tokens of the longest answer."""
        values = zip(self.false, self.true, strict=True)
        return sum(map(len, self.fixed)) + sum(max(len(a), len(b)) for a, b in values)


def compile_skeleton(tokenizer: Any, schema: AnswerSchema, prompt: str) -> Skeleton:
    """Return the skeleton of a schema for a tokenizer.

    Parameters
    ----------
    tokenizer
        A fast Hugging Face tokenizer.
    prompt
        A rendered prompt after which the answer is written: tokenizers treat the start of a text differently.

    Raises
    ------
    SkeletonError
        If a value cannot be told by one token, or answers cannot be put together from parts.
    """
    head = tokenizer(prompt, add_special_tokens=False)["input_ids"]

    def encode(values: Sequence[bool]) -> Tokens:
        ids = tokenizer(prompt + schema.text(values), add_special_tokens=False)["input_ids"]
        if ids[: len(head)] != head:
            raise SkeletonError(
                "the tokenizer merges the end of the prompt with the answer; end the chat template with a blank line"
            )
        return tuple(ids[len(head) :])

    n = len(schema.fields)
    none = [False] * n
    base = encode(none)
    fixed: list[Tokens] = []
    false: list[Tokens] = []
    true: list[Tokens] = []
    end = 0
    for k in range(n):
        flipped = encode([i == k for i in range(n)])
        start = common_length(base, flipped)
        tail = common_length(base[::-1], flipped[::-1])
        stop = len(base) - tail
        if start < max(end, 1) or stop <= start or len(flipped) - tail <= start:
            raise SkeletonError(
                f"the tokenizer does not give field {schema.fields[k]!r} a token of its own for true and for false"
            )
        fixed.append(base[end:start])
        false.append(base[start:stop])
        true.append(flipped[start : len(flipped) - tail])
        end = stop
    fixed.append(base[end:])
    skeleton = Skeleton(schema, tuple(fixed), tuple(false), tuple(true))
    for values in ([True] * n, [i % 2 == 0 for i in range(n)], [i % 2 == 1 for i in range(n)]):
        if skeleton.compose(values).tokens != encode(values):
            raise SkeletonError("the tokenizer writes a value differently depending on other values")
    return skeleton


def common_length(a: Sequence[int], b: Sequence[int]) -> int:
    """Return how many tokens two sequences begin with alike."""
    n = 0
    for x, y in zip(a, b, strict=False):
        if x != y:
            break
        n += 1
    return n
