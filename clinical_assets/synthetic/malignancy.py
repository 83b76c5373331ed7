"""Other persons of the haematology and oncology clinics: AML, GIST, Ph+ ALL, work-ups, transplants for other causes.

They are the hard negatives of the study: imatinib without CML, leukaemia without CML, marrow without recipient.
"""

from __future__ import annotations

from dataclasses import dataclass

from clinical_assets.synthetic.chart import Chart

__all__ = ["CancerStory", "build_other_haematology"]


@dataclass
class CancerStory:
    """What the notes need: the reference day, drugs in order, and days of remission and transplant if any."""

    diagnosis: int
    drugs: tuple[tuple[str, int], ...] = ()
    remission: int | None = None
    transplant: int | None = None
    outcome: str = ""

    def current(self, day: int) -> str:
        """Return the drug taken on the day, or an empty string."""
        started = [drug for drug, start in self.drugs if start <= day]
        return started[-1] if started else ""


def _repeat(chart: Chart, key: str, start: int, n: int, source: str) -> None:
    day = start
    for _ in range(n):
        chart.condition(key, day, source=source)
        day += chart.dice.whole(40, 190)


def _counts(chart: Chart, start: int, n: int) -> None:
    dice = chart.dice
    day = start
    for _ in range(n):
        chart.measure("wbc", day, round(dice.clipped(7, 3, 0.4, 90), 1), "per_nl")
        chart.measure("hemoglobin", day, round(dice.clipped(11.5, 1.8, 6, 17), 1), "g_dl")
        chart.measure("platelets", day, round(dice.clipped(190, 80, 8, 700)), "per_nl")
        day += dice.whole(30, 160)


def _transplant(chart: Chart, day: int, keys: tuple[str, ...]) -> None:
    chart.visit(day, "inpatient", nights=chart.dice.whole(16, 35))
    chart.procedure(chart.dice.pick(keys), day, "inpatient")
    chart.condition("bmt_present", day + chart.dice.whole(60, 180))


def _notes(chart: Chart, topic: str, start: int, low: int, high: int) -> None:
    dice = chart.dice
    for _ in range(dice.whole(low, high)):
        day = dice.whole(start, max(start, chart.last_day))
        kind = dice.weighted(("Progress Notes", "Consult Note", "Telephone Encounter"), (0.85, 0.1, 0.05))
        chart.note(day, topic, kind)


def _aml(chart: Chart, day: int) -> CancerStory:
    dice = chart.dice
    story = CancerStory(day, (("cytarabine", day + 3), ("azacitidine", day + 300)))
    if dice.chance(0.65):
        story.remission = day + dice.whole(30, 70)
    if story.remission is not None and dice.chance(0.35):
        story.transplant = story.remission + dice.whole(40, 160)
    if dice.chance(0.45):
        chart.die(day + dice.whole(60, 1_500), "aml")
    _repeat(chart, "aml", day, dice.whole(4, 12), "C92.00")
    chart.drug("cytarabine", day + 3, 7)
    chart.drug("daunorubicin", day + 3, 3)
    chart.procedure("marrow_biopsy", day + 1)
    chart.procedure("transfusion", day + 5)
    _counts(chart, day, dice.whole(5, 12))
    if story.transplant is not None:
        _transplant(chart, story.transplant, ("bmt", "hsct", "hpc_allogeneic"))
    chart.note(day + 25, "aml_discharge", "Discharge Summary", "inpatient")
    _notes(chart, "aml", day, 4, 8)
    return story


def _gist(chart: Chart, day: int) -> CancerStory:
    dice = chart.dice
    start = day + dice.whole(20, 90)
    drugs = [("imatinib", start)]
    if dice.chance(0.3):
        drugs.append(("sunitinib", start + dice.whole(300, 1_200)))
    _repeat(chart, "gist", day, dice.whole(4, 10), "C49.A0")
    chart.procedure("gist_resection", day + 10, "inpatient")
    stop = drugs[1][1] if len(drugs) > 1 else start + dice.whole(700, 1_500)
    when = start
    while when < stop:
        chart.drug("imatinib_400", when, 30, 30.0)
        when += 30 + dice.whole(-2, 6)
    for step in range(4):
        chart.procedure("ct_abdomen", day + 120 + step * dice.whole(150, 200))
    _counts(chart, day, 4)
    _notes(chart, "gist", start, 4, 7)
    return CancerStory(day, tuple(drugs))


def _ph_all(chart: Chart, day: int) -> CancerStory:
    dice = chart.dice
    first = dice.weighted(("imatinib", "dasatinib", "ponatinib"), (0.4, 0.45, 0.15))
    story = CancerStory(day, ((first, day + 6),), remission=day + dice.whole(35, 90))
    if dice.chance(0.4):
        story.transplant = day + dice.whole(120, 300)
    if dice.chance(0.25):
        chart.die(day + dice.whole(150, 1_400), "ph_all")
    _repeat(chart, "ph_all", day, dice.whole(4, 10), "C91.00")
    chart.drug("vincristine", day + 4, 28)
    clinical = {"imatinib": "imatinib_400", "dasatinib": "dasatinib_100", "ponatinib": "ponatinib_45"}[first]
    for step in range(dice.whole(6, 20)):
        chart.drug(clinical, day + 6 + step * 31, 30)
    chart.measure("bcr_abl", day, round(dice.clipped(40, 15, 5, 90), 1), "percent")
    if story.transplant is not None:
        _transplant(chart, story.transplant, ("bmt", "hsct", "hpc_allogeneic"))
    _counts(chart, day, 6)
    _notes(chart, "ph_all", day + 5, 4, 7)
    return story


def _ruled_out(chart: Chart, day: int) -> CancerStory:
    dice = chart.dice
    chart.condition("leukocytosis", day, source="D72.829")
    for step in range(3):
        chart.measure("wbc", day + step * 40, round(dice.clipped(19, 5, 11, 45), 1), "per_nl")
    chart.measure("bcr_abl", day + 4, 0.0, "percent")
    chart.note(day, "cml_suspected", "Consult Note")
    if dice.chance(0.9):
        chart.note(day + dice.whole(14, 40), "cml_ruled_out")
    _notes(chart, "cml_ruled_out", day + 41, 0, 2)
    _notes(chart, "primary_care", day, 1, 2)
    return CancerStory(day)


def _family(chart: Chart, day: int) -> CancerStory:
    chart.observe("family_leukemia", day, text=chart.dice.pick(("mother", "father", "brother", "sister", "aunt")))
    _notes(chart, "family_history", chart.first_day, 3, 5)
    return CancerStory(day)


def _cmml(chart: Chart, day: int) -> CancerStory:
    _repeat(chart, "cmml", day, 5, "C93.10")
    chart.drug("azacitidine", day + 20, 7)
    _counts(chart, day, 6)
    _notes(chart, "cmml", day, 4, 6)
    return CancerStory(day, (("azacitidine", day + 20),))


def _myeloma(chart: Chart, day: int) -> CancerStory:
    dice = chart.dice
    story = CancerStory(day, (("lenalidomide", day + 20),), transplant=day + dice.whole(150, 300))
    _repeat(chart, "myeloma", day, dice.whole(5, 9), "C90.00")
    chart.drug("lenalidomide", day + 20, 28)
    if story.transplant is not None:
        _transplant(chart, story.transplant, ("hsct_autologous", "hpc_autologous"))
    _counts(chart, day, 6)
    _notes(chart, "myeloma", day, 4, 7)
    return story


def _sickle(chart: Chart, day: int) -> CancerStory:
    chart.condition("sickle_trait", day, source="D57.3")
    _notes(chart, "sickle_trait", chart.first_day, 3, 5)
    return CancerStory(day)


def _donor(chart: Chart, day: int) -> CancerStory:
    chart.procedure("donor_harvest", day)
    _notes(chart, "marrow_donor", day, 3, 4)
    return CancerStory(day)


_BUILDERS = {
    "aml": _aml,
    "gist_imatinib": _gist,
    "ph_all": _ph_all,
    "cml_ruled_out": _ruled_out,
    "family_history": _family,
    "cmml": _cmml,
    "myeloma_transplant": _myeloma,
    "sickle_trait": _sickle,
    "marrow_donor": _donor,
}


def build_other_haematology(chart: Chart) -> bool:
    """Give the person the history of the archetype; False when the archetype is not one of this module."""
    builder = _BUILDERS.get(chart.archetype)
    if builder is None:
        return False
    chart.story = builder(chart, chart.story)
    return True
