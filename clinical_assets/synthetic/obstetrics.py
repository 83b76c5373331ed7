"""Deliveries with a retained placenta: was manual removal needed? Weakly related to vitals, by a known model.

Log-odds = intercept + weights times standardised predictors (``PLACENTA``). The answer is an observation
(``manual_removal_outcome``, Yes or No) that is missing for some; a Yes also leaves a procedure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from clinical_assets.synthetic.chart import Chart

__all__ = ["PLACENTA", "DeliveryStory", "PlacentaParameters", "build_delivery"]


@dataclass(frozen=True)
class PlacentaParameters:
    """Weights of the standardised predictors, and the share of outcomes that nobody recorded."""

    intercept: float = 0.5
    blood_loss: float = 0.75
    heart_rate: float = 0.35
    systolic: float = -0.30
    gestation: float = -0.40
    parity: float = 0.25
    oxytocin: float = -0.35
    missing_outcome: float = 0.08
    missing_feature: float = 0.06


PLACENTA = PlacentaParameters()


@dataclass
class DeliveryStory:
    """One delivery; None stands for a value that was not recorded. ``removal`` is the true answer."""

    day: int
    blood_loss: float | None
    heart_rate: float | None
    systolic: float | None
    diastolic: float | None
    gestation: float | None
    birth_weight: float | None
    hemoglobin: float | None
    parity: int
    oxytocin: bool
    probability: float
    removal: bool
    recorded: str | None


def build_delivery(chart: Chart) -> None:
    """Fill the chart of a delivery; on return ``chart.story`` is a ``DeliveryStory``."""
    dice, day, p = chart.dice, chart.story, PLACENTA
    z = {name: dice.normal() for name in ("loss", "rate", "sys", "dia", "gest", "weight", "hb")}
    parity = dice.weighted((0, 1, 2, 3, 4), (0.42, 0.32, 0.15, 0.08, 0.03))
    oxytocin = dice.chance(0.5)
    odds = (
        p.intercept
        + p.blood_loss * z["loss"]
        + p.heart_rate * z["rate"]
        + p.systolic * z["sys"]
        + p.gestation * z["gest"]
        + p.parity * (parity - 1)
        + p.oxytocin * (1 if oxytocin else 0)
    )
    probability = 1 / (1 + math.exp(-odds))
    removal = dice.chance(probability)

    def seen(value: float, digits: int = 0) -> float | None:
        return None if dice.chance(p.missing_feature) else round(value, digits)

    story = DeliveryStory(
        day=day,
        blood_loss=seen(math.exp(5.9 + 0.45 * z["loss"])),
        heart_rate=seen(86 + 12 * z["rate"]),
        systolic=seen(116 + 12 * z["sys"]),
        diastolic=seen(72 + 8 * (0.6 * z["sys"] + 0.8 * z["dia"])),
        gestation=seen(38.6 + 2.0 * z["gest"], 1),
        birth_weight=seen(3_250 + 420 * (0.6 * z["gest"] + 0.8 * z["weight"])),
        hemoglobin=seen(11.6 + 1.1 * z["hb"], 1),
        parity=parity,
        oxytocin=oxytocin,
        probability=probability,
        removal=removal,
        recorded=None if dice.chance(p.missing_outcome) else ("Yes" if removal else "No"),
    )
    chart.story = story
    _record(chart, story)


def _record(chart: Chart, story: DeliveryStory) -> None:
    dice, day = chart.dice, story.day
    chart.visit(day, "inpatient", nights=dice.whole(1, 4))
    chart.condition("pregnancy", day - dice.whole(120, 200), source="Z34.90")
    chart.condition("retained_placenta", day, kind="inpatient", source="O73.0")
    chart.procedure("delivery", day, "inpatient")
    for key, value, unit in (
        ("blood_loss", story.blood_loss, "ml"),
        ("heart_rate", story.heart_rate, "bpm"),
        ("sbp", story.systolic, "mmhg"),
        ("dbp", story.diastolic, "mmhg"),
        ("gestation", story.gestation, "weeks"),
        ("birth_weight", story.birth_weight, "grams"),
        ("hemoglobin", story.hemoglobin, "g_dl"),
    ):
        if value is not None:
            chart.measure(key, day, value, unit, kind="inpatient")
    chart.observe("parity", day, float(story.parity), kind="inpatient")
    chart.observe("oxytocin_arm", day, text="oxytocin" if story.oxytocin else "placebo", kind="inpatient")
    if story.oxytocin:
        chart.drug("oxytocin_inj", day, 1, 1.0)
    if story.recorded is not None:
        chart.observe("manual_removal_outcome", day, text=story.recorded, kind="inpatient")
    if story.recorded == "Yes":
        chart.procedure("manual_removal", day, "inpatient")
    if (story.blood_loss or 0) > 700:
        chart.condition("postpartum_hemorrhage", day, kind="inpatient", source="O72.1")
    chart.note(day - dice.whole(10, 60), "antenatal")
    chart.note(day + 1, "delivery", "Progress Notes" if dice.chance(0.6) else "Discharge Summary", "inpatient")
    if dice.chance(0.7):
        chart.note(day + dice.whole(35, 60), "postnatal")
    for _ in range(dice.whole(1, 3)):
        chart.note(dice.whole(chart.first_day, chart.last_day), "primary_care")
