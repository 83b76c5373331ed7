"""Random draws for one person: a numpy Generator read in blocks, because scalar draws from numpy are slow."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist
from typing import TypeVar

import numpy as np

__all__ = ["Dice"]

T = TypeVar("T")
_NORMAL = NormalDist()
_BLOCK = 512


class Dice:
    """Uniform, normal and categorical draws from a stream fixed by (seed, key)."""

    def __init__(self, seed: int, *key: int) -> None:
        """Start the stream that belongs to the seed and the key (for example person and purpose)."""
        self._generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=key)))
        self._block: list[float] = []

    def u(self) -> float:
        """Return a uniform draw from [0, 1)."""
        if not self._block:
            self._block = self._generator.random(_BLOCK).tolist()
        return self._block.pop()

    def chance(self, p: float) -> bool:
        """Return True with probability p."""
        return self.u() < p

    def whole(self, low: int, high: int) -> int:
        """Return an integer from low..high, both included."""
        return low + int(self.u() * (high - low + 1))

    def normal(self, mean: float = 0.0, sd: float = 1.0) -> float:
        """Return a normal draw."""
        return mean + sd * _NORMAL.inv_cdf(min(max(self.u(), 1e-9), 1.0 - 1e-9))

    def clipped(self, mean: float, sd: float, low: float, high: float) -> float:
        """Return a normal draw pulled into [low, high]."""
        return min(max(self.normal(mean, sd), low), high)

    def pick(self, items: Sequence[T]) -> T:
        """Return one of the items, all equally likely."""
        return items[int(self.u() * len(items))]

    def weighted(self, items: Sequence[T], weights: Sequence[float]) -> T:
        """Return one of the items with the given relative weights."""
        point = self.u() * sum(weights)
        for item, weight in zip(items, weights, strict=True):
            point -= weight
            if point < 0:
                return item
        return items[-1]

    def some(self, items: Sequence[T], n: int) -> list[T]:
        """Return n different items in random order (all of them when n is larger)."""
        pool = list(items)
        return [pool.pop(int(self.u() * len(pool))) for _ in range(min(n, len(pool)))]
