"""What a study says of its cohort, of the note that stands for a person, and of what may be published.

Only the pydantic models belong here; the rules themselves are SQL in dbt_cohort, which takes these values as dbt vars.
"""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["CohortRules", "LatestNote", "Publication"]

_HUNDRED_YEARS = 36_525


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class CohortRules(_Strict):
    """Windows of the cohort's rules. Days count from the index, the first recorded diagnosis."""

    minimum_age: int = Field(18, ge=0, le=120, description="full years at index")
    prior_observation_days: int = Field(365, ge=0, le=_HUNDRED_YEARS, description="observation before the index, days")
    imatinib_within_days: int = Field(180, ge=0, le=_HUNDRED_YEARS, description="latest start of treatment, days")
    era_gap_days: int = Field(30, ge=0, le=3650, description="longest gap inside one treatment era, days")
    follow_up_days: int = Field(3650, ge=1, le=_HUNDRED_YEARS, description="follow-up ends at the latest then, days")
    data_until: dt.date | None = Field(
        None, description="last day of the data; by default source_release_date of cdm_source, where it landed"
    )
    evidence_field: str | None = Field(
        None, description="field whose true label counts as evidence of BCR::ABL1 from notes"
    )


class LatestNote(_Strict):
    """Which note stands for a person: the latest usable one of these types in the window."""

    note_types: Annotated[list[Annotated[str, Field(min_length=1)]], Field(min_length=1)] = ["Progress Notes"]
    window: Literal["observation", "follow_up"] = Field(
        "observation", description="from the index to the end of the observation period, or of follow-up"
    )
    min_chars: int = Field(40, ge=0, description="shorter notes are passed over, characters")


class Publication(_Strict):
    """What tables for publication withhold."""

    small_cell_threshold: int = Field(11, ge=1, le=1000, description="counts from 1 to below it are never shown")
    top_age: int = Field(90, gt=80, le=120, description="ages from it on are pooled, years")
