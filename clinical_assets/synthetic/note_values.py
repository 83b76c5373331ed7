"""The values that phrases of one note can use: age, pronouns, dates, vitals, counts, disease course."""

from __future__ import annotations

import datetime as dt

from clinical_assets.synthetic.chart import Chart, NoteSlot
from clinical_assets.synthetic.cml import TKI, CmlStory
from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.lupus import LupusStory
from clinical_assets.synthetic.malignancy import CancerStory
from clinical_assets.synthetic.obstetrics import DeliveryStory

__all__ = ["note_values", "show_percent"]

_MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October", "November",
    "December",
)  # fmt: skip
_REASONS = {
    "intolerance": ("intolerance", "pleural effusions", "severe rash", "cytopenias", "GI side effects"),
    "resistance": ("resistance", "inadequate response", "suboptimal response", "rising transcripts"),
    "cost": ("cost", "insurance change", "copay issues"),
    "progression": ("progression", "disease progression"),
    "transplant": ("transplant conditioning",),
    "remission": ("sustained remission",),
}


def show_percent(value: float) -> str:
    """Return a BCR::ABL1 result as notes write it."""
    return (
        f"{value:.4f}%"
        if value < 0.01
        else f"{value:.3f}%"
        if value < 0.1
        else f"{value:.2f}%"
        if value < 10
        else f"{value:.0f}%"
    )


def _when(day: int) -> tuple[str, str]:
    date = dt.date.fromordinal(day)
    return _MONTHS[date.month - 1], str(date.year)


def _short(day: int, site: int) -> str:
    date = dt.date.fromordinal(day)
    if site == 2:
        return f"{date.day:02d}/{date.month:02d}/{date.year}"
    return f"{date.month}/{date.day}/{date.year % 100:02d}"


def _person(chart: Chart, slot: NoteSlot) -> dict[str, str]:
    female = chart.sex == "F"
    years = chart.age(slot.day)
    noun = ("girl" if female else "boy") if years < 16 else ("woman" if female else "man")
    return {
        "age": str(years),
        "sex": noun,
        "sx": "F" if female else "M",
        "title": "Ms. D." if female else "Mr. D.",
        "He": "She" if female else "He",
        "he": "she" if female else "he",
        "his": "her" if female else "his",
        "His": "Her" if female else "His",
        "him": "her" if female else "him",
    }


def _clinical(dice: Dice) -> dict[str, str]:
    return {
        "bp": f"{dice.whole(104, 158)}/{dice.whole(60, 94)}",
        "hr": str(dice.whole(56, 98)),
        "temp": f"{36 + dice.u() * 1.2:.1f}",
        "weight": str(dice.whole(48, 112)),
        "wbc": f"{3.2 + dice.u() * 6:.1f}",
        "hgb": f"{10.2 + dice.u() * 5:.1f}",
        "plt": str(dice.whole(120, 390)),
        "creat": f"{0.6 + dice.u() * 0.8:.2f}",
        "wbc0": str(dice.whole(48, 310)),
        "wbc_mild": f"{11.4 + dice.u() * 12:.1f}",
        "blasts": str(dice.whole(31, 84)),
        "ap_blasts": str(dice.whole(11, 19)),
        "plt_low": str(dice.whole(40, 95)),
        "pcr_low": show_percent(0.0009 + dice.u() * 0.03),
        "titer": dice.pick(("1:80", "1:160", "1:320", "1:640", "1:1280")),
    }


def _cml(story: CmlStory, slot: NoteSlot, dice: Dice) -> dict[str, str]:
    state = story.state(slot.day)
    values: dict[str, str] = {}
    values["dx_month"], values["dx_year"] = _when(story.diagnosis)
    start = next((line.start for line in story.lines if line.drug == state.drug), story.lines[0].start)
    values["start_year"] = _when(start)[1]
    values["n_years"] = str(max(1, round((slot.day - start) / 365)))
    drug = state.drug or story.lines[0].drug
    values["dose"] = f"{TKI[drug][1]} mg " + dice.pick(("daily", "daily", "qd", "PO daily", "once a day"))
    stops = [line for line in story.lines if line.stop is not None and line.stop <= slot.day]
    values["change_year"] = _when(stops[-1].stop or slot.day)[1] if stops else values["dx_year"]
    values["reason"] = dice.pick(_REASONS[stops[-1].reason]) if stops and stops[-1].reason else "intolerance"
    values["pcr"] = show_percent(state.pcr) if state.pcr is not None else "pending"
    values["pcr_date"] = _short(slot.day - dice.whole(1, 12), slot.site)
    phase = story.blast if story.blast is not None and story.blast <= slot.day else story.accelerated
    values["phase_month"], values["phase_year"] = _when(phase if phase is not None else slot.day)
    transplant = story.transplant if story.transplant is not None else slot.day
    values["bmt_month"], values["bmt_year"] = _when(transplant)
    values["bmt_days"] = str(max(1, slot.day - transplant))
    return values


def _cancer(story: CancerStory, slot: NoteSlot) -> dict[str, str]:
    values: dict[str, str] = {}
    values["dx_month"], values["dx_year"] = _when(story.diagnosis)
    values["bmt_month"], values["bmt_year"] = _when(story.transplant or slot.day)
    values["bmt_days"] = str(max(1, slot.day - (story.transplant or slot.day)))
    return values


def _delivery(story: DeliveryStory, slot: NoteSlot, dice: Dice) -> dict[str, str]:
    def show(value: float | None, form: str = "{:.0f}") -> str:
        return "not recorded" if value is None else form.format(value)

    weeks = (story.gestation or 38.0) - (story.day - slot.day) / 7
    return {
        "gravida": str(story.parity + 1 + (1 if dice.chance(0.2) else 0)),
        "parity_n": str(story.parity),
        "weeks": str(max(8, round(weeks))),
        "gest": show(story.gestation, "{:.1f}"),
        "bweight": show(story.birth_weight),
        "ebl": show(story.blood_loss),
        "obp": f"{show(story.systolic)}/{show(story.diastolic)}",
        "opulse": show(story.heart_rate),
        "ohb": show(story.hemoglobin, "{:.1f}"),
    }


def note_values(chart: Chart, slot: NoteSlot, dice: Dice) -> dict[str, str]:
    """Return the values for a note of that chart and slot."""
    values = {**_person(chart, slot), **_clinical(dice)}
    story = chart.story
    if isinstance(story, CmlStory):
        values.update(_cml(story, slot, dice))
    elif isinstance(story, CancerStory):
        values.update(_cancer(story, slot))
    elif isinstance(story, DeliveryStory):
        values.update(_delivery(story, slot, dice))
    elif isinstance(story, LupusStory):
        values["dx_year"] = _when(story.index)[1]
    return values
