"""Mentions as tags of tokens (BIOES: begin, inside, outside, end, single) and back, and the best legal sequence of tags."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt

from clinical_assets.entities.extraction import Found
from clinical_assets.entities.tokens import Token
from clinical_assets.storage.entity_contracts import ENTITY_TYPES

__all__ = ["TAGS", "best_tags", "decode_tags", "encode_tags", "type_columns"]

Floats = npt.NDArray[np.float64]
TAGS = ("O", *(f"{part}-{kind}" for kind in ENTITY_TYPES for part in "BIES"))
_NEVER = -1e9
_SMALLEST = 1e-6


def type_columns(kind: str) -> list[int]:
    """Return the columns of a type's tags."""
    return [i for i, tag in enumerate(TAGS) if tag[2:] == kind]


def _follows(before: str, after: str) -> bool:
    closed, opens = before[0] in "OES", after[0] in "OBS"
    return (closed and opens) or (not closed and not opens and before[2:] == after[2:])


_LEGAL = np.array([[0.0 if _follows(a, b) else _NEVER for b in TAGS] for a in TAGS])
_FIRST = np.array([0.0 if tag[0] in "OBS" else _NEVER for tag in TAGS])
_LAST = np.array([0.0 if tag[0] in "OES" else _NEVER for tag in TAGS])


def encode_tags(tokens: Sequence[Token], mentions: Iterable[tuple[int, int, str]]) -> list[str]:
    """Return the tags of tokens. A mention that ends within a token takes all of it; of two that meet in one, the first stays."""
    tags = ["O"] * len(tokens)
    at = 0
    for start, end, kind in sorted(mentions):
        while at < len(tokens) and tokens[at][1] <= start:
            at += 1
        first = at
        while at < len(tokens) and tokens[at][0] < end:
            at += 1
        for i in range(first, at):
            parts = ("S",) if at - first == 1 else ("B",) if i == first else ("E",) if i == at - 1 else ("I",)
            tags[i] = f"{parts[0]}-{kind}"
    return tags


def decode_tags(tokens: Sequence[Token], tags: Sequence[str], confidence: Sequence[float] | None = None) -> list[Found]:
    """Return the mentions of a legal sequence of tags; `confidence` per token gives a mention its least one."""
    found, first = [], 0
    for i, tag in enumerate(tags):
        if tag[0] in "BS":
            first = i
        if tag[0] in "ES":
            sure = None if confidence is None else float(min(confidence[first : i + 1]))
            found.append(Found(tokens[first][0], tokens[i][1], tag[2:], sure))
    return found


def best_tags(probabilities: Floats, bonus: Floats | None = None) -> list[str]:
    """Return the legal sequence with the highest product of probabilities (Viterbi).

    Parameters
    ----------
    probabilities
        Shape (tokens, len(TAGS)).
    bonus
        Added to the logarithm of each tag's probability: above 0 for a type, more of it is found.
    """
    n = len(probabilities)
    if n == 0:
        return []
    scores = np.log(probabilities + _SMALLEST) + (0.0 if bonus is None else bonus)
    best, back = scores[0] + _FIRST, np.zeros((n, len(TAGS)), dtype=np.int64)
    for i in range(1, n):
        reached = best[:, None] + _LEGAL
        back[i] = reached.argmax(axis=0)
        best = reached.max(axis=0) + scores[i]
    at = int((best + _LAST).argmax())
    path = [at]
    for i in range(n - 1, 0, -1):
        at = int(back[i, at])
        path.append(at)
    return [TAGS[i] for i in reversed(path)]
