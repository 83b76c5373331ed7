"""What a demo hospital is made from: a seed, a size, its sites and the day on which its data were extracted.

Nothing else may influence the result: no clock, no environment, no iteration order of a set.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

__all__ = ["MAX_PERSONS", "SITES", "HospitalConfig"]

SITES = ("northgate", "harbour", "riverside")
MAX_PERSONS = 200_000


@dataclass(frozen=True)
class HospitalConfig:
    """Parameters of a demo hospital.

    Attributes:
        seed: any non-negative integer; the same seed and size give the same rows, byte for byte.
        n_persons: number of persons; person k is the same person at every size that has a person k.
        extraction_date: last day of the data; observation periods end here at the latest.
        bad_rows: plant a handful of unusable rows in one batch, so that quarantine has something to show.
    """

    seed: int = 20250630
    n_persons: int = 1_500
    extraction_date: dt.date = dt.date(2025, 6, 30)
    bad_rows: bool = True

    def __post_init__(self) -> None:
        """Refuse a configuration that cannot be built."""
        if self.seed < 0:
            raise ValueError(f"seed must not be negative, got {self.seed}")
        if not 1 <= self.n_persons <= MAX_PERSONS:
            raise ValueError(f"n_persons must be in 1..{MAX_PERSONS}, got {self.n_persons}")
        if not dt.date(2024, 1, 1) <= self.extraction_date <= dt.date(2100, 1, 1):
            raise ValueError(f"extraction_date must be in 2024..2099, got {self.extraction_date}")

    @property
    def last_day(self) -> int:
        """Return the extraction date as a proleptic ordinal, the day unit used inside this package."""
        return self.extraction_date.toordinal()
