"""What a summary must not lose or invent: entities and numeric facts of a text, normalised so that they can be compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = ["Fact", "FactKind"]

FactKind = Literal["disease", "drug", "procedure", "concept", "dose", "lab", "vital", "date", "number"]


@dataclass(frozen=True)
class Fact:
    """One mention of something that can be kept, lost or invented.

    Attributes
    ----------
    kind
        disease, drug, procedure and concept (an entity whose type its finder does not tell) are entities; the others are numeric
        facts (dose: drug and dose; lab and vital: name, value and unit; date: ISO date as far as it is given; number: any other
        number).
    key
        Normalised form: two mentions with the same kind and key say the same.
    start, end
        Offsets in the text.
    negated
        Whether the mention is negated, by the assertion engine of the labels.
    """

    kind: FactKind
    key: str
    start: int
    end: int
    negated: bool = False

    @property
    def is_numeric(self) -> bool:
        """Whether it is a numeric fact."""
        return self.kind in {"dose", "lab", "vital", "date", "number"}
