"""From charts to OMOP tables: ids that depend on the person only, rows in order of person and date."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import pyarrow as pa

from clinical_assets.synthetic.chart import Chart
from clinical_assets.synthetic.concepts import cid
from clinical_assets.synthetic.config import SITES, HospitalConfig
from clinical_assets.synthetic.omop_schema import EPOCH, OMOP, assemble
from clinical_assets.synthetic.vocabulary import vocabulary_tables

__all__ = ["SITE_IDS", "omop_tables"]

_PER_PERSON = 1_000
SITE_IDS = {site: 501 + number for number, site in enumerate(SITES)}
_CAUSES = {"cml": "cml", "aml": "aml", "ph_all": "ph_all"}


def _micros(day: int) -> int:
    return (day - EPOCH) * 86_400_000_000


def _rows(charts: Sequence[Chart], name: str, day: str) -> tuple[list[int], list[int], list[Any]]:
    """Return ids, person ids and facts of one kind, sorted by day within a person."""
    ids: list[int] = []
    persons: list[int] = []
    facts: list[Any] = []
    for chart in charts:
        own = sorted(getattr(chart, name), key=attrgetter(day, "concept_id"))
        if len(own) >= _PER_PERSON:
            raise ValueError(f"person {chart.person_id} has {len(own)} {name}; ids allow {_PER_PERSON - 1}")
        base = (chart.index + 1) * _PER_PERSON
        ids += range(base, base + len(own))
        persons += [chart.person_id] * len(own)
        facts += own
    return ids, persons, facts


def _visit_ids(persons: list[int], facts: list[Any]) -> list[int | None]:
    return [
        None if fact.visit is None else (person - 10_000) * _PER_PERSON + fact.visit
        for person, fact in zip(persons, facts, strict=True)
    ]


def _person(charts: Sequence[Chart]) -> pa.Table:
    births = [dt.date.fromordinal(chart.birth) for chart in charts]
    known = [chart.birth_day_known for chart in charts]
    sexes = [chart.sex for chart in charts]
    n = len(charts)
    return assemble(
        OMOP["person"],
        {
            "person_id": [chart.person_id for chart in charts],
            "gender_concept_id": [cid("female" if sex == "F" else "male") for sex in sexes],
            "year_of_birth": [birth.year for birth in births],
            "month_of_birth": [birth.month if ok else None for birth, ok in zip(births, known, strict=True)],
            "day_of_birth": [birth.day if ok else None for birth, ok in zip(births, known, strict=True)],
            "birth_datetime": [_micros(chart.birth) if chart.birth_day_known else None for chart in charts],
            "race_concept_id": [0 if chart.race == "unknown" else cid(chart.race) for chart in charts],
            "ethnicity_concept_id": [0 if chart.ethnicity == "unknown" else cid(chart.ethnicity) for chart in charts],
            "care_site_id": [SITE_IDS[SITES[chart.site]] for chart in charts],
            "person_source_value": [f"DEMO-{chart.index + 1:06d}" for chart in charts],
            "gender_source_value": sexes,
            "gender_source_concept_id": [0] * n,
            "race_source_value": [chart.race for chart in charts],
            "race_source_concept_id": [0] * n,
            "ethnicity_source_value": [chart.ethnicity for chart in charts],
            "ethnicity_source_concept_id": [0] * n,
        },
        n,
    )


def _observation_period(charts: Sequence[Chart]) -> pa.Table:
    rows = [
        ((chart.index + 1) * _PER_PERSON + number, chart.person_id, start, end)
        for chart in charts
        for number, (start, end) in enumerate(chart.observed)
    ]
    return assemble(
        OMOP["observation_period"],
        {
            "observation_period_id": [row[0] for row in rows],
            "person_id": [row[1] for row in rows],
            "observation_period_start_date": [row[2] for row in rows],
            "observation_period_end_date": [row[3] for row in rows],
            "period_type_concept_id": [cid("ehr")] * len(rows),
        },
        len(rows),
    )


def _visit(charts: Sequence[Chart]) -> pa.Table:
    rows = [(chart, number, visit) for chart in charts for number, visit in enumerate(chart.visits)]
    n = len(rows)
    return assemble(
        OMOP["visit_occurrence"],
        {
            "visit_occurrence_id": [(chart.index + 1) * _PER_PERSON + number for chart, number, _ in rows],
            "person_id": [chart.person_id for chart, _, _ in rows],
            "visit_concept_id": [cid(visit.kind) for _, _, visit in rows],
            "visit_start_date": [visit.start for _, _, visit in rows],
            "visit_start_datetime": [_micros(visit.start) for _, _, visit in rows],
            "visit_end_date": [visit.end for _, _, visit in rows],
            "visit_end_datetime": [_micros(visit.end) for _, _, visit in rows],
            "visit_type_concept_id": [cid("ehr")] * n,
            "care_site_id": [SITE_IDS[SITES[visit.site]] for _, _, visit in rows],
            "visit_source_value": [visit.kind for _, _, visit in rows],
            "visit_source_concept_id": [0] * n,
        },
        n,
    )


def _condition(charts: Sequence[Chart]) -> pa.Table:
    ids, persons, facts = _rows(charts, "conditions", "start")
    n = len(ids)
    return assemble(
        OMOP["condition_occurrence"],
        {
            "condition_occurrence_id": ids,
            "person_id": persons,
            "condition_concept_id": [fact.concept_id for fact in facts],
            "condition_start_date": [fact.start for fact in facts],
            "condition_start_datetime": [_micros(fact.start) for fact in facts],
            "condition_end_date": [fact.end for fact in facts],
            "condition_type_concept_id": [cid("ehr")] * n,
            "visit_occurrence_id": _visit_ids(persons, facts),
            "condition_source_value": [fact.source for fact in facts],
            "condition_source_concept_id": [0] * n,
        },
        n,
    )


def _drug(charts: Sequence[Chart]) -> pa.Table:
    ids, persons, facts = _rows(charts, "drugs", "start")
    n = len(ids)
    return assemble(
        OMOP["drug_exposure"],
        {
            "drug_exposure_id": ids,
            "person_id": persons,
            "drug_concept_id": [fact.concept_id for fact in facts],
            "drug_exposure_start_date": [fact.start for fact in facts],
            "drug_exposure_start_datetime": [_micros(fact.start) for fact in facts],
            "drug_exposure_end_date": [fact.start + fact.days - 1 for fact in facts],
            "drug_type_concept_id": [cid("ehr_prescription")] * n,
            "stop_reason": [fact.stop_reason for fact in facts],
            "refills": [0] * n,
            "quantity": [fact.quantity for fact in facts],
            "days_supply": [fact.days for fact in facts],
            "visit_occurrence_id": _visit_ids(persons, facts),
            "drug_source_value": [fact.source for fact in facts],
            "drug_source_concept_id": [0] * n,
        },
        n,
    )


def _procedure(charts: Sequence[Chart]) -> pa.Table:
    ids, persons, facts = _rows(charts, "procedures", "day")
    n = len(ids)
    return assemble(
        OMOP["procedure_occurrence"],
        {
            "procedure_occurrence_id": ids,
            "person_id": persons,
            "procedure_concept_id": [fact.concept_id for fact in facts],
            "procedure_date": [fact.day for fact in facts],
            "procedure_datetime": [_micros(fact.day) for fact in facts],
            "procedure_type_concept_id": [cid("ehr")] * n,
            "quantity": [1] * n,
            "visit_occurrence_id": _visit_ids(persons, facts),
            "procedure_source_value": [fact.source for fact in facts],
            "procedure_source_concept_id": [0] * n,
        },
        n,
    )


def _measurement(charts: Sequence[Chart]) -> pa.Table:
    ids, persons, facts = _rows(charts, "measurements", "day")
    n = len(ids)
    return assemble(
        OMOP["measurement"],
        {
            "measurement_id": ids,
            "person_id": persons,
            "measurement_concept_id": [fact.concept_id for fact in facts],
            "measurement_date": [fact.day for fact in facts],
            "measurement_datetime": [_micros(fact.day) for fact in facts],
            "measurement_type_concept_id": [cid("ehr")] * n,
            "value_as_number": [fact.value for fact in facts],
            "value_as_concept_id": [cid(fact.qualifier) if fact.qualifier else None for fact in facts],
            "unit_concept_id": [cid(fact.unit) if fact.unit else None for fact in facts],
            "visit_occurrence_id": _visit_ids(persons, facts),
            "measurement_source_value": [fact.source for fact in facts],
            "measurement_source_concept_id": [0] * n,
            "unit_source_value": [fact.unit for fact in facts],
        },
        n,
    )


def _observation(charts: Sequence[Chart]) -> pa.Table:
    ids, persons, facts = _rows(charts, "observations", "day")
    n = len(ids)
    return assemble(
        OMOP["observation"],
        {
            "observation_id": ids,
            "person_id": persons,
            "observation_concept_id": [fact.concept_id for fact in facts],
            "observation_date": [fact.day for fact in facts],
            "observation_datetime": [_micros(fact.day) for fact in facts],
            "observation_type_concept_id": [cid("ehr")] * n,
            "value_as_number": [fact.number for fact in facts],
            "value_as_string": [fact.text for fact in facts],
            "visit_occurrence_id": _visit_ids(persons, facts),
            "observation_source_value": [fact.source for fact in facts],
            "observation_source_concept_id": [0] * n,
        },
        n,
    )


def _death(charts: Sequence[Chart]) -> pa.Table:
    dead = [chart for chart in charts if chart.death is not None]
    return assemble(
        OMOP["death"],
        {
            "person_id": [chart.person_id for chart in dead],
            "death_date": [chart.death for chart in dead],
            "death_type_concept_id": [cid("ehr")] * len(dead),
            "cause_concept_id": [
                cid(_CAUSES[chart.death_cause]) if chart.death_cause in _CAUSES else None for chart in dead
            ],
        },
        len(dead),
    )


def _care_site() -> pa.Table:
    return assemble(
        OMOP["care_site"],
        {
            "care_site_id": list(SITE_IDS.values()),
            "care_site_name": [f"{site.title()} (synthetic)" for site in SITES],
            "place_of_service_concept_id": [0] * len(SITES),
            "care_site_source_value": list(SITES),
        },
        len(SITES),
    )


_BUILDERS: dict[str, Callable[[Sequence[Chart]], pa.Table]] = {
    "person": _person,
    "observation_period": _observation_period,
    "visit_occurrence": _visit,
    "condition_occurrence": _condition,
    "drug_exposure": _drug,
    "procedure_occurrence": _procedure,
    "measurement": _measurement,
    "observation": _observation,
    "death": _death,
}


def omop_tables(charts: Sequence[Chart], config: HospitalConfig) -> dict[str, pa.Table]:
    """Return every OMOP table by name; ``note`` has its columns but no rows, since notes arrive in batches."""
    tables = {name: build(charts) for name, build in _BUILDERS.items()}
    tables["note"] = OMOP["note"].empty_table()
    tables["care_site"] = _care_site()
    tables.update(vocabulary_tables(config))
    return tables
