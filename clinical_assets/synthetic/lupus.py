"""ANA-positive persons: codes before the index test, and who develops lupus afterwards, by a known model.

Two independent traits drive the risk. ``activity`` shows in how often common codes and tests are recorded (counts see
it). ``flavour`` shows in which of two families the rare condition names come from (only their meaning shows it, see
``code_families``). A third, the genetic risk score, is recorded for some. All parameters are in ``LUPUS``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clinical_assets.synthetic.chart import Chart
from clinical_assets.synthetic.code_families import AUTOIMMUNE, WEAR_AND_TEAR
from clinical_assets.synthetic.concepts import cid

__all__ = ["LUPUS", "LupusParameters", "LupusStory", "build_ana_positive", "lupus_status"]


@dataclass(frozen=True)
class LupusParameters:
    """Log-odds of lupus after the index = intercept + the weights times the traits; windows in days."""

    intercept: float = -2.1
    activity_weight: float = 2.0
    flavour_weight: float = 2.4
    genetic_weight: float = 0.45
    look_back: int = 730
    buffer: int = 180
    follow_up: int = 1_825


LUPUS = LupusParameters()


@dataclass
class LupusStory:
    """What became of an ANA-positive person; days are ordinals."""

    index: int
    activity: float
    flavour: float
    genetic: float
    probability: float
    lupus: int | None = None
    exclusion: str = ""


_COMMON = ("joint_pain", "fatigue", "rash", "raynaud", "anemia", "headache", "edema")
_TESTS = ("urinalysis", "autoantibody_panel", "complement_test", "joint_xray", "blood_draw", "skin_biopsy")
_OTHER = ("office_visit", "flu_vaccine", "med_reconciliation", "chest_xray", "ecg")


def _sigmoid(x: float) -> float:
    return 1.0 / (1.0 + math.exp(-x))


def build_ana_positive(chart: Chart) -> None:
    """Fill the chart of an ANA-positive person; on return ``chart.story`` is a ``LupusStory``."""
    dice, index, p = chart.dice, chart.story, LUPUS
    activity, flavour, genetic = dice.normal(), dice.normal(), dice.normal()
    odds = p.intercept + p.activity_weight * activity + p.flavour_weight * flavour + p.genetic_weight * genetic
    story = LupusStory(index, activity, flavour, genetic, _sigmoid(odds))
    chart.measure("ana", index, float(dice.pick((80, 160, 320, 640, 1280))), "titer", qualifier="positive")
    if dice.chance(story.probability):
        wait = dice.weighted(
            (dice.whole(-300, 0), dice.whole(5, p.buffer), dice.whole(p.buffer + 1, p.follow_up), 2_100),
            (0.04, 0.06, 0.86, 0.04),
        )
        story.lupus = index + wait
    story.exclusion = dice.weighted(("", "drug_lupus", "lung_cancer", "ra"), (0.93, 0.02, 0.02, 0.03))
    _before(chart, story)
    _after(chart, story)
    chart.story = story


def _before(chart: Chart, story: LupusStory) -> None:
    """Record the codes before the index; the earliest marks the first observed day."""
    dice, index = chart.dice, story.index
    first = chart.first_day
    span = max(1, index - 1 - first)
    rate = math.exp(0.45 * story.activity)

    def day() -> int:
        return index - 1 - int(span * dice.u() ** 1.6)

    chart.condition("rhinitis" if dice.chance(0.5) else "low_back_pain", first)
    for _ in range(max(1, round(9 * rate + dice.normal(0, 1.2)))):
        chart.condition(dice.pick(_COMMON), day())
    share = _sigmoid(1.7 * story.flavour)
    for _ in range(dice.whole(14, 20)):
        family = AUTOIMMUNE if dice.chance(0.12 + 0.76 * share) else WEAR_AND_TEAR
        concept = dice.pick(family)
        chart.condition_id(concept.concept_id, day(), source=concept.code)
    for _ in range(max(3, round(12 * rate + dice.normal(0, 1.5)))):
        chart.procedure(dice.pick(_TESTS), day())
    for _ in range(dice.whole(10, 16)):
        chart.procedure(dice.pick(_OTHER), day())
    for _ in range(dice.whole(1, 5)):
        chart.drug(dice.pick(("ibuprofen_200", "acetaminophen_325", "prednisone_5", "loratadine_10")), day(), 14)
    if dice.chance(0.6):
        chart.observe("risk_score", index - dice.whole(1, 200), round(story.genetic, 3))
    if dice.chance(0.7):
        chart.measure("crp", day(), round(dice.clipped(6 + 3 * story.activity, 4, 0.3, 60), 1), "mg_l")
    if story.exclusion:
        chart.condition(story.exclusion, index - dice.whole(5, 100))


def _after(chart: Chart, story: LupusStory) -> None:
    """Record lupus and its complications, or an ordinary course, and plan the notes."""
    dice, index = chart.dice, story.index
    for _ in range(dice.whole(4, 10)):
        chart.condition(dice.pick(_COMMON), dice.whole(index + 1, chart.last_day))
    chart.procedure("office_visit", chart.last_day - dice.whole(0, 20))
    if story.lupus is not None:
        for step in range(4):
            chart.condition("sle", story.lupus + step * dice.whole(60, 120), source="M32.9")
        chart.drug("hydroxychloroquine_200", story.lupus + 3, 90)
        if dice.chance(_sigmoid(-0.6 + 0.8 * story.activity)):
            chart.condition("lupus_nephritis", story.lupus + dice.whole(100, 700), source="M32.14")
            chart.drug("mycophenolate", story.lupus + 710, 90)
    chart.note(index, "ana_referral", "Consult Note" if dice.chance(0.5) else "Progress Notes")
    for _ in range(dice.whole(2, 4)):
        chart.note(dice.whole(index + 1, chart.last_day), "rheumatology")
    chart.note(dice.whole(chart.first_day, index), "primary_care")


def lupus_status(chart: Chart) -> str:
    """Return case | control | removed_<reason> of an ANA-positive person under the default windows.

    Read from the recorded facts, not from the story: first fact at the latest ``look_back`` days before the index,
    no outcome up to ``buffer`` days after it, age over 15 and up to 85, none of the exclusions before the index.
    """
    story: LupusStory = chart.story
    days = [fact.start for fact in chart.conditions] + [fact.start for fact in chart.drugs]
    days += [procedure.day for procedure in chart.procedures]
    days += [measurement.day for measurement in chart.measurements]
    days += [observation.day for observation in chart.observations]
    outcome = min((fact.start for fact in chart.conditions if fact.concept_id == cid("sle")), default=None)
    excluding = {cid("drug_lupus"), cid("lung_cancer"), cid("ra")}
    removed = {
        "removed_look_back": min(days) > story.index - LUPUS.look_back,
        "removed_age": not 15 < chart.age(story.index) <= 85,
        "removed_buffer": outcome is not None and outcome <= story.index + LUPUS.buffer,
        "removed_exclusion": any(
            fact.concept_id in excluding and fact.start < story.index for fact in chart.conditions
        ),
    }
    for reason, applies in removed.items():
        if applies:
            return reason
    if outcome is not None and outcome <= story.index + LUPUS.follow_up:
        return "case"
    late = outcome is not None or max(days) > story.index + LUPUS.follow_up
    return "control" if late else "removed_follow_up"
