"""What summaries are meant to reach, and whether those of a summarizer that shortens another's do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

__all__ = ["TARGETS", "Reached", "Target", "reached"]


@dataclass(frozen=True)
class Target:
    """A bound on the mean of a metric: `mean` is macro or micro; the value must not be above `bound` (or below, if `at_least`)."""

    check: str
    metric: str
    mean: str
    bound: float
    at_least: bool

    def is_met(self, value: float) -> bool:
        """Tell whether a mean keeps the bound."""
        return value >= self.bound if self.at_least else value <= self.bound


# Shorter is judged by what was shortened, what is kept by what the reader does not see: the source.
TARGETS = (
    Target("compression_ratio_is_at_most_0_6", "compression_tokens_vs_first_stage", "macro", 0.6, False),
    Target("entity_retention_is_at_least_0_85", "retention_entities_vs_source", "macro", 0.85, True),
    Target("numeric_retention_is_at_least_0_95", "retention_numeric_vs_source", "macro", 0.95, True),
    Target("no_number_is_hallucinated", "hallucinated_numbers", "micro", 0.0, False),
)


@dataclass(frozen=True)
class Reached:
    """A target and where one summarizer stands: both means, limits of the one that is judged, notes in it."""

    summarizer: str
    target: Target
    macro: float
    micro: float
    low: float | None
    high: float | None
    n: int

    @property
    def value(self) -> float:
        """The mean that is judged."""
        return self.macro if self.target.mean == "macro" else self.micro

    @property
    def other_mean(self) -> float:
        """The mean that is not judged: micro pools the notes, so that long ones weigh more."""
        return self.micro if self.target.mean == "macro" else self.macro

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.target.is_met(self.value)


def reached(connection: Any) -> list[Reached]:
    """Return where each summarizer that shortens another's summaries stands; undefined means are left out.

    Parameters
    ----------
    connection
        Reads the warehouse (summaries.metrics).
    """
    rows = connection.execute(
        """
        select summarizer, metric, macro, micro, macro_low, macro_high, micro_low, micro_high, n_defined
        from summaries.metrics
        where variant = 'summary' and macro is not null and summarizer in (
            select summarizer from summaries.metrics where metric = 'compression_tokens_vs_first_stage' and variant = 'summary'
        )
        """
    ).fetchall()
    by_key = {(row[0], row[1]): row[2:] for row in rows}
    found = []
    for summarizer in sorted({summarizer for summarizer, _ in by_key}):
        for target in TARGETS:
            if (summarizer, target.metric) in by_key:
                macro, micro, *limits, n = by_key[summarizer, target.metric]
                low, high = limits[:2] if target.mean == "macro" else limits[2:]
                found.append(Reached(summarizer, target, macro, micro, low, high, n))
    return found
