"""How the next token is chosen when a model writes freely: greedily, or drawn as the seed did. Presets by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["DECODINGS", "Chooser", "Decoding", "decoding_of"]


@dataclass(frozen=True)
class Decoding:
    """Greedy where `temperature` is 0. `repetition_penalty` (Keskar et al. 2019) looks at what was written, never at the note."""

    name: str
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    repetition_penalty: float = 1.0
    seed: int = 1

    @property
    def is_greedy(self) -> bool:
        """Whether nothing is drawn."""
        return self.temperature == 0


# The seed also forbade any pair of tokens that the note has (no_repeat_ngram_size = 2 counts the prompt): that is not repeated.
DECODINGS = {
    decoding.name: decoding
    for decoding in (
        Decoding("greedy"),
        Decoding("seed_ds", temperature=0.7, top_p=0.9, top_k=50, repetition_penalty=1.1),
        Decoding("seed_ds_compressed", temperature=0.3, top_p=0.9),
    )
}


def decoding_of(name: str) -> Decoding:
    """Return a preset.

    Raises
    ------
    ValueError
        If there is none of that name; the known ones are named.
    """
    if name not in DECODINGS:
        raise ValueError(f"no decoding {name!r}; known: {', '.join(DECODINGS)}")
    return DECODINGS[name]


class Chooser:
    """Chooses the next token of each row of a batch.

    A row draws from its own stream of random numbers, so that it gets the same text whatever it shares a batch with.

    Parameters
    ----------
    decoding
        How.
    seeds
        One a row.
    """

    def __init__(self, decoding: Decoding, seeds: Sequence[int]) -> None:
        import torch
        from transformers.generation import logits_process as generation

        self._greedy, self._processors = decoding.is_greedy, generation.LogitsProcessorList()
        self._streams = [torch.Generator().manual_seed(seed ^ decoding.seed) for seed in seeds]
        self._penalty: Any = None
        if decoding.repetition_penalty != 1:
            self._penalty = generation.RepetitionPenaltyLogitsProcessor(decoding.repetition_penalty)
        if not self._greedy:
            self._processors.append(generation.TemperatureLogitsWarper(decoding.temperature))
            if decoding.top_k:
                self._processors.append(generation.TopKLogitsWarper(decoding.top_k))
            if decoding.top_p < 1:
                self._processors.append(generation.TopPLogitsWarper(decoding.top_p))

    def keep_rows(self, rows: Sequence[int]) -> None:
        """Go on with these rows only."""
        self._streams = [self._streams[row] for row in rows] if self._streams else []

    def choose(self, logits: torch.Tensor, written: Sequence[Sequence[int]]) -> list[int]:
        """Return a token a row from logits (n, vocabulary) and what the rows have written so far, all as much."""
        import torch

        before = torch.tensor([list(row) for row in written], device=logits.device)
        if self._penalty is not None and before.numel():
            logits = self._penalty(before, logits)
        if self._greedy:
            return [int(token) for token in logits.argmax(-1).tolist()]
        chances = self._processors(before, logits).softmax(-1).cpu()
        return [
            int(torch.multinomial(row, 1, generator=stream)) for row, stream in zip(chances, self._streams, strict=True)
        ]
