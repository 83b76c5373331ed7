"""What is true of the demo hospital by construction: the answer key for cohort, lupus and placenta tests.

Read from the charts by plain Python, independently of any SQL. It never lands: it lives in memory with the hospital.

Cohort rules (``RULES``), each about a person's index = first CML condition (descendants included) inside an
observation period; a person without index fails ``has_cml_index`` and has null for every other rule:

* adult_at_index: 18 or older, by full birth date, or by 1 July of the birth year where month and day are unknown;
* prior_observation_365d: index at least 365 days after the start of that observation period;
* no_prior_tki: no ABL inhibitor (imatinib included) dispensed before the index day;
* no_other_tki: no ABL inhibitor other than imatinib from the index to the first of 10 years, death, end of
  observation, transplant (a switch censors follow-up, but it cannot hide itself from this rule);
* no_bmt_before_index: no marrow or stem cell transplantation procedure before the index day;
* no_advanced_phase_at_start: no accelerated or blast phase condition up to and including the first imatinib day on or
  after the index (up to the index where there is none);
* imatinib_within_180d: imatinib dispensed 0 to 180 days after the index.

No ABL inhibitor starts and no transplant happens on an index day, so < and <= give the same answers there.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import asdict

import pyarrow as pa

from clinical_assets.synthetic.chart import Chart, years_between
from clinical_assets.synthetic.cml import CmlStory
from clinical_assets.synthetic.concepts import cid
from clinical_assets.synthetic.lupus import LUPUS, LupusStory, lupus_status
from clinical_assets.synthetic.obstetrics import PLACENTA, DeliveryStory
from clinical_assets.synthetic.omop_schema import EPOCH
from clinical_assets.synthetic.vocabulary import descendants

__all__ = ["RULES", "cml_table", "lupus_table", "parameters", "person_table", "placenta_table", "rules_table"]

RULES = (
    "has_cml_index",
    "adult_at_index",
    "prior_observation_365d",
    "no_prior_tki",
    "no_other_tki",
    "no_bmt_before_index",
    "no_advanced_phase_at_start",
    "imatinib_within_180d",
)
_TEN_YEARS = 3_650

_CML = descendants("cml")
_IMATINIB = descendants("imatinib")
_OTHER = descendants("dasatinib", "nilotinib", "bosutinib", "ponatinib", "asciminib")
_BMT = descendants("bmt", "hsct")
_ADVANCED = frozenset({cid("cml_accelerated"), cid("cml_blast")})
_BCR_ABL = frozenset({cid("bcr_abl"), cid("bcr_abl_marrow")})


def _date(day: int | None) -> int | None:
    return None if day is None else day - EPOCH


def _dates(chart: Chart) -> dict[str, int | None] | None:
    """Return the days on which the rules depend, or None for a person without a CML index."""
    index, period = None, None
    for fact in sorted(chart.conditions, key=lambda fact: fact.start):
        period = next(((start, end) for start, end in chart.observed if start <= fact.start <= end), None)
        if fact.concept_id in _CML and period is not None:
            index = fact.start
            break
    if index is None or period is None:
        return None
    at = index
    imatinib = [fact.start for fact in chart.drugs if fact.concept_id in _IMATINIB]
    other = [fact.start for fact in chart.drugs if fact.concept_id in _OTHER]
    transplants = [fact.day for fact in chart.procedures if fact.concept_id in _BMT]
    advanced = [fact.start for fact in chart.conditions if fact.concept_id in _ADVANCED]
    ends = [at + _TEN_YEARS, period[1], *(day for day in transplants if day > at)]
    if chart.death is not None:
        ends.append(chart.death)
    end = min(ends)
    switch = min((day for day in other if day >= at), default=None)
    birth = chart.birth
    if not chart.birth_day_known:
        birth = dt.date(dt.date.fromordinal(birth).year, 7, 1).toordinal()
    return {
        "index_date": at,
        "birth_date": birth,
        "period_start": period[0],
        "period_end": period[1],
        "first_tki": min([*imatinib, *other], default=None),
        "first_imatinib_from_index": min((day for day in imatinib if day >= at), default=None),
        "first_other_tki_from_index": switch,
        "first_transplant": min(transplants, default=None),
        "first_advanced_phase": min(advanced, default=None),
        "death_date": chart.death,
        "end_without_switch": end,
        "follow_up_end": end if switch is None else min(end, switch),
        "first_bcr_abl_positive": min(
            (fact.day for fact in chart.measurements if fact.concept_id in _BCR_ABL and (fact.value or 0) > 0),
            default=None,
        ),
        "first_registry_9875": min((fact.start for fact in chart.conditions if fact.source == "9875/3"), default=None),
    }


def _before(day: int | None, limit: int) -> bool:
    return day is not None and day < limit


def _rules(chart: Chart) -> dict[str, bool | None]:
    found = _dates(chart)
    if found is None:
        return {rule: False if rule == "has_cml_index" else None for rule in RULES}
    index, birth = found["index_date"], found["birth_date"]
    start, end = found["period_start"], found["end_without_switch"]
    if index is None or birth is None or start is None or end is None:
        raise AssertionError("a person with an index has these days")
    imatinib, other = found["first_imatinib_from_index"], found["first_other_tki_from_index"]
    advanced = found["first_advanced_phase"]
    treatment = index if imatinib is None else imatinib
    return {
        "has_cml_index": True,
        "adult_at_index": years_between(birth, index) >= 18,
        "prior_observation_365d": index - start >= 365,
        "no_prior_tki": not _before(found["first_tki"], index),
        "no_other_tki": other is None or other > end,
        "no_bmt_before_index": not _before(found["first_transplant"], index),
        "no_advanced_phase_at_start": advanced is None or advanced > treatment,
        "imatinib_within_180d": imatinib is not None and imatinib - index <= 180,
    }


def rules_table(charts: Sequence[Chart]) -> pa.Table:
    """Return one row a person a rule: person_id, archetype, rule, holds (null without an index)."""
    rows = [
        (chart.person_id, chart.archetype, rule, holds) for chart in charts for rule, holds in _rules(chart).items()
    ]
    return pa.table(
        {
            "person_id": pa.array([row[0] for row in rows], pa.int64()),
            "archetype": pa.array([row[1] for row in rows], pa.string()),
            "rule": pa.array([row[2] for row in rows], pa.string()),
            "holds": pa.array([row[3] for row in rows], pa.bool_()),
        }
    )


def cml_table(charts: Sequence[Chart]) -> pa.Table:
    """Return one row a person with a CML index: the dates behind the rules and whether all rules hold."""
    rows = [(chart, found) for chart in charts if (found := _dates(chart)) is not None]
    columns: dict[str, pa.Array] = {
        "person_id": pa.array([chart.person_id for chart, _ in rows], pa.int64()),
        "archetype": pa.array([chart.archetype for chart, _ in rows], pa.string()),
        "in_cohort": pa.array([all(_rules(chart).values()) for chart, _ in rows], pa.bool_()),
    }
    names = list(rows[0][1]) if rows else []
    for name in names:
        columns[name] = pa.array([_date(found[name]) for _, found in rows], pa.int32()).cast(pa.date32())
    return pa.table(columns)


def person_table(charts: Sequence[Chart]) -> pa.Table:
    """Return one row a person: archetype, and the true course of CML where there is one (codes or not)."""
    stories = [chart.story if isinstance(chart.story, CmlStory) else None for chart in charts]

    def days(name: str) -> pa.Array:
        values = [None if story is None else _date(getattr(story, name)) for story in stories]
        return pa.array(values, pa.int32()).cast(pa.date32())

    return pa.table(
        {
            "person_id": pa.array([chart.person_id for chart in charts], pa.int64()),
            "archetype": pa.array([chart.archetype for chart in charts], pa.string()),
            "has_cml": pa.array([story is not None for story in stories], pa.bool_()),
            "cml_diagnosis": days("diagnosis"),
            "cml_accelerated": days("accelerated"),
            "cml_blast": days("blast"),
            "cml_transplant": days("transplant"),
        }
    )


def lupus_table(charts: Sequence[Chart]) -> pa.Table:
    """Return one row an ANA-positive person: traits, true probability, dates, and case/control/removed by default."""
    rows = [(chart, chart.story) for chart in charts if isinstance(chart.story, LupusStory)]
    return pa.table(
        {
            "person_id": pa.array([chart.person_id for chart, _ in rows], pa.int64()),
            "index_date": pa.array([_date(story.index) for _, story in rows], pa.int32()).cast(pa.date32()),
            "lupus_date": pa.array([_date(story.lupus) for _, story in rows], pa.int32()).cast(pa.date32()),
            "activity": pa.array([story.activity for _, story in rows], pa.float64()),
            "flavour": pa.array([story.flavour for _, story in rows], pa.float64()),
            "genetic": pa.array([story.genetic for _, story in rows], pa.float64()),
            "probability": pa.array([story.probability for _, story in rows], pa.float64()),
            "status": pa.array([lupus_status(chart) for chart, _ in rows], pa.string()),
        }
    )


def placenta_table(charts: Sequence[Chart]) -> pa.Table:
    """Return one row a delivery: predictors as recorded, true probability and answer, recorded answer (may be null)."""
    rows = [(chart, asdict(chart.story)) for chart in charts if isinstance(chart.story, DeliveryStory)]
    names = (
        "blood_loss",
        "heart_rate",
        "systolic",
        "diastolic",
        "gestation",
        "birth_weight",
        "hemoglobin",
        "probability",
    )
    columns = {
        "person_id": pa.array([chart.person_id for chart, _ in rows], pa.int64()),
        "delivery_date": pa.array([_date(story["day"]) for _, story in rows], pa.int32()).cast(pa.date32()),
        "age": pa.array([chart.age(story["day"]) for chart, story in rows], pa.int32()),
    }
    columns.update({name: pa.array([story[name] for _, story in rows], pa.float64()) for name in names})
    columns["parity"] = pa.array([story["parity"] for _, story in rows], pa.int32())
    columns["oxytocin"] = pa.array([story["oxytocin"] for _, story in rows], pa.bool_())
    columns["removal"] = pa.array([story["removal"] for _, story in rows], pa.bool_())
    columns["recorded"] = pa.array([story["recorded"] for _, story in rows], pa.string())
    return pa.table(columns)


def parameters() -> dict[str, dict[str, float]]:
    """Return the weights and windows from which lupus and manual removal were drawn."""
    return {"lupus": asdict(LUPUS), "placenta": asdict(PLACENTA)}
