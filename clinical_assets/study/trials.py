"""Trials whose criteria are matched to persons: conditions, drugs, laboratory values, ages, sex, answers in notes. Data only."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["COMPARATORS", "FACTS", "Criterion", "LabTest", "Trial"]

COMPARATORS = ("<", "<=", ">", ">=", "=")
FACTS = ("condition", "drug", "procedure", "lab", "age", "sex", "note_field")


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Concepts(_Strict):
    """Records of these concepts or their descendants."""

    concepts: Annotated[list[int], Field(min_length=1, description="OMOP standard concept ids")]
    include_descendants: bool = True


class LabTest(Concepts):
    """A numeric laboratory value: the latest one in the criterion's window decides."""

    comparator: Literal["<", "<=", ">", ">=", "="]
    value: float
    unit: str = Field(
        min_length=1, description="UCUM code or the source's name of the unit, e.g. %; other units are not converted"
    )


class AgeRange(_Strict):
    """Full years on the day of matching, both ends inclusive."""

    at_least: int | None = Field(None, ge=0, le=130)
    at_most: int | None = Field(None, ge=0, le=130)

    @model_validator(mode="after")
    def _is_a_range(self) -> AgeRange:
        if self.at_least is None and self.at_most is None:
            raise ValueError("give at_least, at_most or both")
        if self.at_least is not None and self.at_most is not None and self.at_least > self.at_most:
            raise ValueError(f"at_least {self.at_least} is above at_most {self.at_most}: nobody could match")
        return self


class Criterion(_Strict):
    """One criterion: exactly one kind of fact, and whether it is wanted (inclusion) or unwanted (exclusion)."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")
    kind: Literal["inclusion", "exclusion"] = "inclusion"
    condition: Concepts | None = None
    drug: Concepts | None = None
    procedure: Concepts | None = None
    lab: LabTest | None = None
    age: AgeRange | None = None
    sex: Literal["female", "male"] | None = None
    note_field: str | None = Field(None, description="a field of the study: the latest note that speaks of it decides")
    within_days: int | None = Field(
        None, ge=0, le=36_525, description="only facts of so many days before the day of matching; none: ever"
    )
    no_record_means: Literal["unknown", "absent"] = Field(
        "unknown",
        description="absent: a person under observation without a record does not have it; "
        "right where the source records all of it",
    )

    @model_validator(mode="after")
    def _has_one_fact(self) -> Criterion:
        given = [name for name in FACTS if getattr(self, name) is not None]
        if len(given) != 1:
            raise ValueError(f"give exactly one of {', '.join(FACTS)}; given: {', '.join(given) or 'none'}")
        if self.no_record_means == "absent" and given[0] in {"lab", "age", "sex", "note_field"}:
            raise ValueError(f"no_record_means: a missing {given[0]} is always unknown; leave it out")
        if self.within_days is not None and given[0] in {"age", "sex"}:
            raise ValueError(f"within_days has no meaning for {given[0]}; leave it out")
        return self

    @property
    def fact(self) -> str:
        """Which of FACTS it asks for."""
        return next(name for name in FACTS if getattr(self, name) is not None)


class Trial(_Strict):
    """One trial: who may take part."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_-]{0,62}$")
    title: str = Field(min_length=1, max_length=300)
    source: str = Field("", max_length=300, description="where the criteria come from, e.g. a registry id")
    as_of: dt.date | None = Field(None, description="day of matching; none: the last day of the data")
    criteria: Annotated[list[Criterion], Field(min_length=1, max_length=60)]

    @model_validator(mode="after")
    def _names_differ(self) -> Trial:
        names = [criterion.name for criterion in self.criteria]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"duplicate criteria: {', '.join(twice)}; every criterion needs a name of its own")
        return self
