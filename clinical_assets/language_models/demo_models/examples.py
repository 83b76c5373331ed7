"""Training examples of the demo models: many short lines first, then growing notes, then real ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["Batch", "ExampleSource", "Labelled", "encode_all"]

_SEPARATORS = ("\n", "\n- ", " ")


class Labelled(Protocol):
    """A text and whether each field is true of it."""

    @property
    def text(self) -> str:
        """The text."""

    @property
    def labels(self) -> tuple[bool, ...]:
        """One a field."""


@dataclass
class Batch:
    """Rows that are trained on together.

    Attributes
    ----------
    tokens
        Note tokens a row (no prompt around them).
    labels
        Labels a row.
    line_ends
        Per row, (index of a line's last token, that line's labels); empty for real notes.
    answered
        Whether the answer is trained on too, or the lines alone.
    """

    tokens: list[list[int]]
    labels: list[tuple[bool, ...]]
    line_ends: list[list[tuple[int, tuple[bool, ...]]]]
    answered: bool


def encode_all(tokenizer: Any, texts: Sequence[Labelled]) -> list[list[int]]:
    """Return the tokens of texts."""
    ids: list[list[int]] = tokenizer([item.text for item in texts], add_special_tokens=False)["input_ids"]
    return ids


class ExampleSource:
    """Draws batches; rare labels as often as common ones.

    Parameters
    ----------
    lines, notes
        Labelled texts.
    seed
        Of the order.
    longest
        Notes of more tokens are left out.
    """

    def __init__(
        self, tokenizer: Any, lines: Sequence[Labelled], notes: Sequence[Labelled], *, seed: int, longest: int = 500
    ) -> None:
        self._random = random.Random(seed)
        self._lines, self._line_labels = encode_all(tokenizer, lines), [item.labels for item in lines]
        pairs = zip(encode_all(tokenizer, notes), notes, strict=True)
        kept = [(tokens, note.labels) for tokens, note in pairs if len(tokens) <= longest]
        self._notes, self._note_labels = [pair[0] for pair in kept], [pair[1] for pair in kept]
        n_fields = len(lines[0].labels)
        # Fields that no text is true of (a study may ask what the synthetic hospital does not know) cannot be drawn by.
        self._lines_with = _rows_with(self._line_labels, n_fields)
        self._notes_with = _rows_with(self._note_labels, n_fields)
        self._separators = [tokenizer(text, add_special_tokens=False)["input_ids"] for text in _SEPARATORS]
        self._waiting: list[Batch] = []

    def lines(self, n_rows: int) -> Batch:
        """Return rows of eight to fourteen lines each, for the lines' own labels."""
        return self._next(n_rows, (8, 14), share=0.6, answered=False)

    def composed(self, n_tokens: int, most_lines: int) -> Batch:
        """Return rows of one to `most_lines` lines, about `n_tokens` in all, with the labels of the lines together."""
        n_rows = max(4, n_tokens // (22 * (1 + most_lines) // 2 + 40))
        return self._next(n_rows, (1, most_lines), share=None, answered=True)

    def notes(self, n_tokens: int) -> Batch:
        """Return real notes of like length, about `n_tokens` in all."""
        anchor = self._draw_note()
        wanted = max(2, n_tokens // (len(self._notes[anchor]) + 40))
        pool = [self._draw_note() for _ in range(6 * wanted)]
        near = sorted(pool, key=lambda i: abs(len(self._notes[i]) - len(self._notes[anchor])))
        rows = [anchor, *near[: wanted - 1]]
        return Batch([self._notes[i] for i in rows], [self._note_labels[i] for i in rows], [[] for _ in rows], True)

    def _next(self, n_rows: int, n_lines: tuple[int, int], *, share: float | None, answered: bool) -> Batch:
        # Four batches are drawn at once and sorted by length, so that rows of one batch need little padding.
        if not self._waiting or self._waiting[-1].answered != answered:
            drawn = [self._compose(self._random.randint(*n_lines), share) for _ in range(4 * n_rows)]
            drawn.sort(key=lambda row: len(row[0]))
            parts = [drawn[i * n_rows : (i + 1) * n_rows] for i in range(4)]
            self._random.shuffle(parts)
            self._waiting = [
                Batch([r[0] for r in part], [r[1] for r in part], [r[2] for r in part], answered) for part in parts
            ]
        return self._waiting.pop()

    def _compose(
        self, n: int, share: float | None
    ) -> tuple[list[int], tuple[bool, ...], list[tuple[int, tuple[bool, ...]]]]:
        """Join n lines; `share` of them say something true, None for a row that says much or one that says little."""
        rich = share if share is not None else (0.45 if self._random.random() < 0.5 else 0.08)
        separator = self._random.choice(self._separators)
        tokens: list[int] = []
        ends: list[tuple[int, tuple[bool, ...]]] = []
        for place in range(n):
            line = self._draw_line() if self._random.random() < rich else self._random.randrange(len(self._lines))
            tokens += separator if place else []
            tokens += self._lines[line]
            ends.append((len(tokens) - 1, self._line_labels[line]))
        labels = tuple(any(column) for column in zip(*(y for _, y in ends), strict=True))
        return tokens, labels, ends

    def _draw_line(self) -> int:
        return self._random.choice(self._random.choice(self._lines_with))

    def _draw_note(self) -> int:
        if self._random.random() < 0.8:
            return self._random.choice(self._random.choice(self._notes_with))
        return self._random.randrange(len(self._notes))


def _rows_with(labels: Sequence[tuple[bool, ...]], n_fields: int) -> list[list[int]]:
    """Return per field the rows that it is true of; fields without any are left out, all rows stand in for no field at all."""
    rows = [[i for i, y in enumerate(labels) if y[k]] for k in range(n_fields)]
    return [found for found in rows if found] or [list(range(len(labels)))]
