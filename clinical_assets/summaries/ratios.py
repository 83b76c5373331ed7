"""The value of a metric for one summary, as a numerator and a denominator, so that sums and means over summaries are both right."""

from __future__ import annotations

import math
from dataclasses import dataclass

__all__ = ["UNDEFINED", "Ratio", "plain_value"]


@dataclass(frozen=True)
class Ratio:
    """A metric of one summary.

    Attributes
    ----------
    numerator, denominator
        Counts, or a score and 1. A denominator of 0 says that the metric is undefined there (nothing to keep, nothing said).
    flagged
        The value is known but must not enter a mean (a first stage too short to be halved); such rows are counted apart.
    """

    numerator: float
    denominator: float
    flagged: bool = False

    def __post_init__(self) -> None:
        if not (math.isfinite(self.numerator) and math.isfinite(self.denominator)) or self.denominator < 0:
            raise ValueError(
                f"a ratio needs finite numbers and a denominator of at least 0; got {self.numerator} / {self.denominator}; "
                "where a score is undefined use UNDEFINED or plain_value"
            )

    @property
    def value(self) -> float | None:
        """The quotient; None where undefined."""
        return self.numerator / self.denominator if self.denominator else None


UNDEFINED = Ratio(0.0, 0.0)


def plain_value(score: float | None) -> Ratio:
    """Return a score that is no quotient of counts (ROUGE, BERTScore) as a ratio with denominator 1; nan and None are undefined."""
    return UNDEFINED if score is None or math.isnan(score) else Ratio(float(score), 1.0)
