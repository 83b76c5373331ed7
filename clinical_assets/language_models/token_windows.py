"""Cutting a text that a model cannot read at once into windows of tokens, and what each window counts for."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

__all__ = ["chunk_bounds", "stride_of", "window_weights"]


def chunk_bounds(n_pieces: int, room: int, stride: int) -> list[tuple[int, int]]:
    """Return (first, last + 1) of each chunk: `room` pieces each, `stride` apart, the last one ending with the text.

    None is contained in another; an empty text has none.
    """
    if n_pieces <= room:
        return [(0, n_pieces)] if n_pieces else []
    starts = [*range(0, n_pieces - room, stride), n_pieces - room]
    return [(start, start + room) for start in starts]


def stride_of(room: int, overlap: float) -> int:
    """Return how far windows of `room` tokens are apart if each repeats the share `overlap` of the one before."""
    return max(1, room - int(room * overlap))


def window_weights(bounds: Sequence[tuple[int, int]]) -> npt.NDArray[np.float64]:
    """Return how many tokens each window counts for, shape (windows,).

    A token that several windows hold is shared out among them, so that every token of the text counts once and the weights add up
    to the length of the text.
    """
    if not bounds:
        return np.zeros(0)
    held = np.zeros(max(end for _, end in bounds))
    for start, end in bounds:
        held[start:end] += 1
    return np.array([float((1 / held[start:end]).sum()) for start, end in bounds])
