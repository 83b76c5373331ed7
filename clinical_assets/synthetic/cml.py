"""Chronic myeloid leukaemia: the course of one person's disease and treatment, and the facts that it leaves.

The course (``CmlStory``) is decided first, by archetype; facts and notes are both derived from it, so that a
molecular response in the measurements and "in MMR" in a note describe the same disease.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from clinical_assets.synthetic.chart import Chart
from clinical_assets.synthetic.dice import Dice

__all__ = ["CmlState", "CmlStory", "Line", "build_cml"]

# drug -> (clinical drug, daily dose in mg, tablets a day)
TKI = {
    "imatinib": ("imatinib_400", 400, 1),
    "dasatinib": ("dasatinib_100", 100, 1),
    "nilotinib": ("nilotinib_150", 600, 4),
    "bosutinib": ("bosutinib_500", 500, 1),
    "ponatinib": ("ponatinib_45", 45, 1),
    "asciminib": ("asciminib_40", 80, 2),
}
_STOP_REASONS = ("intolerance", "resistance", "cost")
_LATER_LINES = ("dasatinib", "nilotinib", "bosutinib", "asciminib", "ponatinib")
_ADVERSE = ("edema", "nausea", "rash", "fatigue")


@dataclass
class Line:
    """One line of treatment: a drug from ``start`` to ``stop`` (None: still taken), and why it was stopped."""

    drug: str
    start: int
    stop: int | None = None
    reason: str = ""


@dataclass
class CmlStory:
    """The course of the disease; days are ordinals, ``pcr`` is (day, BCR::ABL1 in percent on the IS)."""

    diagnosis: int
    coded: bool = True
    lines: list[Line] = field(default_factory=list)
    accelerated: int | None = None
    blast: int | None = None
    transplant: int | None = None
    stopped_in_remission: int | None = None
    pcr: list[tuple[int, float]] = field(default_factory=list)
    adverse: str = "edema"

    def state(self, day: int) -> CmlState:
        """Return what is known on the day."""
        drug, reason = "", ""
        past: list[tuple[str, str]] = []
        for line in self.lines:
            if line.start > day:
                break
            if line.stop is not None and line.stop <= day:
                past.append((line.drug, line.reason))
                drug = ""
            else:
                drug = line.drug
                reason = line.reason
        results = [(when, value) for when, value in self.pcr if when <= day]
        value = results[-1][1] if results else None
        best = min((result for _, result in results), default=None)
        phase = "chronic"
        if self.blast is not None and self.blast <= day:
            phase = "blast"
        elif self.accelerated is not None and self.accelerated <= day:
            phase = "accelerated"
        response = "none"
        if value is not None:
            for name, limit in (("deep", 0.0032), ("major", 0.1), ("cytogenetic", 1.0), ("hematologic", 10.0)):
                if value <= limit:
                    response = name
                    break
            if best is not None and best <= 0.1 and value > 1.0:
                response = "lost"
        return CmlState(
            known=day >= self.diagnosis,
            phase=phase,
            drug=drug,
            past=tuple(past),
            response=response,
            pcr=value,
            transplanted=self.transplant is not None and self.transplant <= day,
            off_treatment=self.stopped_in_remission is not None and self.stopped_in_remission <= day,
            reason=reason,
        )


@dataclass(frozen=True)
class CmlState:
    """The disease on one day; ``response`` is none | hematologic | cytogenetic | major | deep | lost."""

    known: bool
    phase: str
    drug: str
    past: tuple[tuple[str, str], ...]
    response: str
    pcr: float | None
    transplanted: bool
    off_treatment: bool
    reason: str


def _course(chart: Chart, dice: Dice) -> CmlStory:
    """Decide diagnosis, lines, phases and transplant for the archetype."""
    day: int = chart.story
    kind = chart.archetype
    story = CmlStory(diagnosis=day, coded=kind != "cml_text_only", adverse=dice.pick(_ADVERSE))
    if kind == "cml_short_lookback":
        chart.observed = [(day - dice.whole(5, 330), chart.observed[-1][1])]
    first = day + dice.whole(3, 75)
    if kind == "cml_late_start":
        first = day + dice.whole(190, 600)
    if kind == "cml_prior_tki":
        first = day - dice.whole(30, 350)
    drug = "imatinib"
    if kind == "cml_other_tki_first":
        drug = dice.pick(("dasatinib", "nilotinib", "bosutinib"))
    if kind in ("cml_transplant_before", "cml_prior_tki", "cml_minor") and dice.chance(0.2):
        drug = "dasatinib"
    story.lines.append(Line(drug, first))
    _change(story, chart, dice, first)
    return story


def _change(story: CmlStory, chart: Chart, dice: Dice, first: int) -> None:
    """Decide what becomes of the first line: switch and phases here, transplant or an end in remission below."""
    kind, day = chart.archetype, story.diagnosis
    switch = first + dice.whole(120, 1_500)
    if kind == "cml_switched":
        count = dice.weighted((1, 2, 3), (0.6, 0.3, 0.1))
        for later in dice.some(_LATER_LINES, count):
            story.lines[-1].stop, story.lines[-1].reason = switch, dice.pick(_STOP_REASONS)
            story.lines.append(Line(later, switch + dice.whole(2, 20)))
            switch = story.lines[-1].start + dice.whole(150, 1_200)
    elif kind == "cml_advanced_at_diagnosis":
        if dice.chance(0.5):
            story.blast = day + dice.pick((0, 0, 1, 2))
        else:
            story.accelerated = day + dice.pick((0, 0, 1, 2))
        if dice.chance(0.6):
            story.lines[-1].stop, story.lines[-1].reason = switch, "resistance"
            story.lines.append(Line(dice.pick(("dasatinib", "ponatinib")), switch + 3))
    elif kind == "cml_progressed":
        story.accelerated = switch if dice.chance(0.75) else None
        if story.accelerated is None or dice.chance(0.55):
            story.blast = switch + dice.whole(40, 400)
        change = story.accelerated or story.blast or switch
        story.lines[-1].stop, story.lines[-1].reason = change + 4, "progression"
        story.lines.append(Line(dice.pick(("dasatinib", "ponatinib", "bosutinib")), change + 10))
    else:
        _end(story, chart, dice, first)


def _end(story: CmlStory, chart: Chart, dice: Dice, first: int) -> None:
    """Decide on a transplant, or on stopping in remission."""
    kind, day = chart.archetype, story.diagnosis
    switch = first + dice.whole(120, 1_500)
    if kind == "cml_transplant_after":
        if dice.chance(0.5):
            story.lines[-1].stop, story.lines[-1].reason = switch, "resistance"
            story.lines.append(Line(dice.pick(_LATER_LINES), switch + 5))
        if dice.chance(0.4):
            story.accelerated = switch + 30
        story.transplant = switch + dice.whole(90, 400)
        story.lines[-1].stop, story.lines[-1].reason = story.transplant - 10, "transplant"
    elif kind == "cml_transplant_before":
        story.transplant = max(day - dice.whole(40, 380), chart.first_day + 5)
    elif kind == "cml_imatinib" and dice.chance(0.12):
        stop = first + dice.whole(1_900, 2_600)
        if stop < chart.last_day:
            story.lines[-1].stop, story.lines[-1].reason = stop, "remission"
            story.stopped_in_remission = stop


def _responses(story: CmlStory, chart: Chart, dice: Dice) -> None:
    """Fill in the BCR::ABL1 results, roughly every three months and then every half year."""
    level = dice.clipped(48, 18, 12, 95)
    speed = dice.clipped(0.0075, 0.0025, 0.003, 0.014)
    if chart.archetype in ("cml_switched", "cml_transplant_after", "cml_advanced_at_diagnosis"):
        speed *= 0.45
    floor = dice.pick((0.0005, 0.001, 0.004, 0.02, 0.05))
    day = story.diagnosis
    while day <= chart.last_day:
        story.pcr.append((day, round(level, 4) if level < 1 else round(level, 1)))
        step = dice.whole(80, 110) if day - story.diagnosis < 700 else dice.whole(150, 210)
        start = story.lines[0].start
        days = max(0, day + step - max(day, start))
        advanced = [when for when in (story.accelerated, story.blast) if when is not None]
        factor = 10 ** (-speed * days) if story.lines else 1.0
        noise = 10 ** dice.normal(0, 0.08)
        level = max(floor, level * factor * noise)
        if any(day < when <= day + step for when in advanced):
            level = dice.clipped(45, 15, 15, 90)
            speed *= 0.4
        if story.transplant is not None and story.transplant > story.diagnosis and day + step > story.transplant:
            level = max(0.0004, min(level, 0.002 * noise))
        switches = [line.start for line in story.lines[1:]]
        if any(day < when <= day + step for when in switches):
            speed = dice.clipped(0.008, 0.002, 0.004, 0.014) if not advanced else 0.004
        # Some lose their response for a while, with or without a change of treatment.
        if chart.archetype == "cml_switched" and dice.chance(0.07) and level < 0.1:
            level = dice.clipped(4, 2, 1.2, 12)
        day += step


def _treat(story: CmlStory, chart: Chart, dice: Dice) -> None:
    """Dispense the lines of treatment, with a gap in some of them."""
    for line in story.lines:
        clinical, _, tablets = TKI[line.drug]
        supply = 30 if dice.chance(0.4) else 90
        by_hundreds = line.drug == "imatinib" and dice.chance(0.45)
        gap_after = line.start + dice.whole(200, 900) if dice.chance(0.15) else None
        day = line.start
        stop = line.stop if line.stop is not None else chart.last_day
        while day < stop:
            days = min(supply, max(1, stop - day))
            if by_hundreds:
                chart.drug("imatinib_100", day, days, days * 4.0)
            else:
                chart.drug(clinical, day, days, float(days * tablets))
            day += supply + dice.whole(-3, 9)
            if gap_after is not None and day > gap_after:
                day += dice.whole(60, 150)
                gap_after = None


def _record(story: CmlStory, chart: Chart, dice: Dice) -> None:
    """Write conditions, counts, procedures and outcome to the chart."""
    day = story.diagnosis
    if story.coded:
        chart.condition("cml", day, source="9875/3" if dice.chance(0.12) else "C92.10")
        for when, _ in story.pcr[1:]:
            if dice.chance(0.8):
                chart.condition("cml", when, source="C92.11" if dice.chance(0.5) else "C92.10")
    if dice.chance(0.5) and chart.archetype != "cml_prior_tki":
        chart.drug("hydroxyurea_500", day + 1, dice.whole(10, 28), 40.0)
    if dice.chance(0.6):
        chart.drug("allopurinol", day + 1, 30)
    chart.procedure("marrow_biopsy", day + dice.whole(1, 9))
    lab_tested = dice.chance(0.93)
    for when, value in story.pcr:
        if lab_tested:
            chart.measure("bcr_abl", when, value, "percent")
        early = when - day < 60
        chart.measure("wbc", when, round(dice.clipped(90 if early else 6, 45 if early else 2, 2, 340), 1), "per_nl")
        chart.measure("platelets", when, round(dice.clipped(430 if early else 230, 70, 15, 1200)), "per_nl")
        chart.measure("hemoglobin", when, round(dice.clipped(11 if early else 12.9, 1.4, 6.5, 17), 1), "g_dl")
    if story.coded:
        _record_events(story, chart, dice)
        chart.condition(story.adverse, story.lines[0].start + dice.whole(20, 200))


def _record_events(story: CmlStory, chart: Chart, dice: Dice) -> None:
    """Write advanced phases and transplant to the chart."""
    for phase_day, key, kind in (
        (story.accelerated, "cml_accelerated", "outpatient"),
        (story.blast, "cml_blast", "inpatient"),
    ):
        if phase_day is not None:
            chart.visit(phase_day, kind, nights=0 if kind == "outpatient" else dice.whole(3, 21))
            chart.condition(key, phase_day, kind=kind)
            chart.measure(
                "blasts", phase_day, float(dice.whole(11, 19) if "acc" in key else dice.whole(22, 80)), "percent"
            )
            if dice.chance(0.6):
                chart.condition(key, phase_day + dice.whole(10, 60))
    if story.transplant is not None:
        chart.visit(story.transplant, "inpatient", nights=dice.whole(18, 35))
        chart.procedure(dice.pick(("bmt", "hsct", "hpc_allogeneic")), story.transplant, "inpatient")
        chart.drug("busulfan", story.transplant - 5, 4)
        chart.drug("tacrolimus", story.transplant + 1, 90)
        chart.condition("bmt_present", story.transplant + dice.whole(60, 200))
        if dice.chance(0.4):
            chart.condition("gvhd_chronic", story.transplant + dice.whole(100, 300))


def build_cml(chart: Chart) -> None:
    """Give the person a course of CML; on return ``chart.story`` is a ``CmlStory``."""
    dice = chart.dice
    story = _course(chart, dice)
    risk = 0.05
    if story.blast is not None or story.accelerated is not None:
        risk = 0.5
    elif story.transplant is not None:
        risk = 0.25
    if dice.chance(risk):
        anchor = max(
            day for day in (story.diagnosis, story.blast, story.accelerated, story.transplant) if day is not None
        )
        chart.die(anchor + dice.whole(120, 1_600), "cml")
    _responses(story, chart, dice)
    chart.story = story
    _treat(story, chart, dice)
    _record(story, chart, dice)
    _plan_notes(story, chart, dice)


def _plan_notes(story: CmlStory, chart: Chart, dice: Dice) -> None:
    """Plan notes: work-up, diagnosis, follow-ups, events, and visits for something else."""
    day = story.diagnosis
    if dice.chance(0.5):
        chart.note(day - dice.whole(4, 25), "cml_workup", "Consult Note" if dice.chance(0.4) else "Progress Notes")
    chart.note(day, "cml_diagnosis", "Consult Note" if dice.chance(0.3) else "Progress Notes")
    visits = [when for when, _ in story.pcr[1:]]
    for when in sorted(dice.some(visits, dice.whole(5, 9))):
        chart.note(when, "cml_follow_up")
        if dice.chance(0.18):
            chart.note(when + dice.whole(3, 20), "cml_phone", "Telephone Encounter", "telephone")
    for phase_day in (story.accelerated, story.blast):
        if phase_day is not None:
            chart.note(phase_day + dice.whole(2, 9), "cml_follow_up")
            chart.note(phase_day + dice.whole(20, 70), "cml_follow_up")
            chart.note(phase_day + dice.whole(10, 20), "cml_discharge", "Discharge Summary", "inpatient")
    if story.transplant is not None:
        chart.note(story.transplant + dice.whole(18, 35), "cml_discharge", "Discharge Summary", "inpatient")
        chart.note(story.transplant + dice.whole(60, 300), "cml_follow_up")
    for _ in range(dice.whole(1, 3)):
        chart.note(dice.whole(chart.first_day, chart.last_day), "primary_care")
