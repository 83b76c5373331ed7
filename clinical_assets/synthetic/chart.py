"""The chart of one person: who they are and every structured fact, before it becomes rows of OMOP tables.

All days are proleptic ordinals. A fact after the person's last day (death, end of observation, extraction) is not
recorded: the adders drop it and say so by returning False.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from clinical_assets.synthetic.concepts import cid
from clinical_assets.synthetic.dice import Dice

__all__ = [
    "Chart",
    "Condition",
    "Drug",
    "Measurement",
    "NoteSlot",
    "Observation",
    "Procedure",
    "Visit",
    "years_between",
]


@dataclass(frozen=True)
class Visit:
    """One encounter; ``kind`` is a concept key such as ``outpatient``."""

    start: int
    end: int
    kind: str
    site: int


@dataclass(frozen=True)
class Condition:
    """One condition_occurrence."""

    concept_id: int
    start: int
    end: int | None
    visit: int | None
    source: str


@dataclass(frozen=True)
class Drug:
    """One drug_exposure."""

    concept_id: int
    start: int
    days: int
    quantity: float
    visit: int | None
    source: str
    stop_reason: str | None


@dataclass(frozen=True)
class Procedure:
    """One procedure_occurrence."""

    concept_id: int
    day: int
    visit: int | None
    source: str


@dataclass(frozen=True)
class Measurement:
    """One measurement; ``unit`` and ``qualifier`` are concept keys."""

    concept_id: int
    day: int
    value: float | None
    unit: str | None
    visit: int | None
    source: str
    qualifier: str | None


@dataclass(frozen=True)
class Observation:
    """One observation."""

    concept_id: int
    day: int
    number: float | None
    text: str | None
    visit: int | None
    source: str


@dataclass(frozen=True)
class NoteSlot:
    """A note that is to be written: when, about what, and of which type."""

    day: int
    topic: str
    note_type: str
    visit: int | None
    site: int


@dataclass
class Chart:
    """One person with facts; ``story`` holds what the archetype's own module knows (see that module)."""

    index: int
    archetype: str
    sex: str
    birth: int
    birth_day_known: bool
    race: str
    ethnicity: str
    site: int
    observed: list[tuple[int, int]]
    dice: Dice
    death: int | None = None
    death_cause: str | None = None
    story: Any = None
    problems: list[str] = field(default_factory=list)
    medicines: list[str] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    conditions: list[Condition] = field(default_factory=list)
    drugs: list[Drug] = field(default_factory=list)
    procedures: list[Procedure] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)
    observations: list[Observation] = field(default_factory=list)
    slots: list[NoteSlot] = field(default_factory=list)
    _visit_at: dict[tuple[int, str], int] = field(default_factory=dict)

    @property
    def person_id(self) -> int:
        """Return the person_id, which depends on the person's index only."""
        return 10_001 + self.index

    @property
    def first_day(self) -> int:
        """Return the first observed day."""
        return self.observed[0][0]

    @property
    def last_day(self) -> int:
        """Return the last day on which a fact can be recorded."""
        end = self.observed[-1][1]
        return end if self.death is None else min(end, self.death)

    def age(self, day: int) -> int:
        """Return the age in full years."""
        return years_between(self.birth, day)

    def covers(self, day: int) -> bool:
        """Return whether the day lies in an observation period and not after death."""
        return day <= self.last_day and any(start <= day <= end for start, end in self.observed)

    def die(self, day: int, cause: str) -> None:
        """Let the person die on the day unless observation ended before; observation ends with life."""
        start, end = self.observed[-1]
        if start < day <= end:
            self.death, self.death_cause = day, cause
            self.observed[-1] = (start, day)

    def visit(self, day: int, kind: str = "outpatient", nights: int = 0) -> int | None:
        """Return the number of the visit of that day and kind, made when there is none; None when not covered."""
        if not self.covers(day):
            return None
        key = (day, kind)
        if key not in self._visit_at:
            self._visit_at[key] = len(self.visits)
            site = self.site if self.dice.chance(0.93) else self.dice.whole(0, 2)
            self.visits.append(Visit(day, min(day + nights, self.last_day), kind, site))
        return self._visit_at[key]

    def condition(
        self, key: str, day: int, *, end: int | None = None, kind: str = "outpatient", source: str = ""
    ) -> bool:
        """Record a condition by concept key."""
        return self.condition_id(cid(key), day, end=end, kind=kind, source=source or key)

    def condition_id(
        self, concept_id: int, day: int, *, end: int | None = None, kind: str = "outpatient", source: str = ""
    ) -> bool:
        """Record a condition by concept id."""
        visit = self.visit(day, kind)
        if visit is None:
            return False
        self.conditions.append(Condition(concept_id, day, end, visit, source))
        return True

    def drug(self, key: str, day: int, days: int, quantity: float | None = None, stop: str | None = None) -> bool:
        """Record one dispensing of a drug."""
        if not self.covers(day):
            return False
        days = min(days, self.last_day - day + 1)  # no supply outlives the person or the data
        count = float(days) if quantity is None else quantity
        visit = self._visit_at.get((day, "outpatient"))
        self.drugs.append(Drug(cid(key), day, days, count, visit, key, stop))
        return True

    def procedure(self, key: str, day: int, kind: str = "outpatient") -> bool:
        """Record a procedure."""
        visit = self.visit(day, kind)
        if visit is None:
            return False
        self.procedures.append(Procedure(cid(key), day, visit, key))
        return True

    def measure(
        self,
        key: str,
        day: int,
        value: float | None,
        unit: str | None = None,
        *,
        qualifier: str | None = None,
        kind: str = "outpatient",
    ) -> bool:
        """Record a measurement."""
        visit = self.visit(day, kind)
        if visit is None:
            return False
        self.measurements.append(Measurement(cid(key), day, value, unit, visit, key, qualifier))
        return True

    def observe(
        self, key: str, day: int, number: float | None = None, text: str | None = None, kind: str = "outpatient"
    ) -> bool:
        """Record an observation."""
        visit = self.visit(day, kind)
        if visit is None:
            return False
        self.observations.append(Observation(cid(key), day, number, text, visit, key))
        return True

    def note(self, day: int, topic: str, note_type: str = "Progress Notes", kind: str = "outpatient") -> bool:
        """Plan a note on the visit of that day."""
        visit = self.visit(day, kind)
        if visit is None:
            return False
        self.slots.append(NoteSlot(day, topic, note_type, visit, self.visits[visit].site))
        return True


def years_between(birth: int, day: int) -> int:
    """Return the full years from birth to day."""
    born, then = dt.date.fromordinal(birth), dt.date.fromordinal(day)
    return then.year - born.year - ((then.month, then.day) < (born.month, born.day))
