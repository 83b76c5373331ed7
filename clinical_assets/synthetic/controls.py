"""The ordinary part of everybody's chart: chronic problems, acute complaints, vitals, vaccinations, common drugs."""

from __future__ import annotations

from clinical_assets.synthetic.chart import Chart

__all__ = ["PROBLEMS", "add_background", "build_control"]

# problem -> (clinical drug or "", prevalence below 40, 40-64, 65 and over)
PROBLEMS: dict[str, tuple[str, float, float, float]] = {
    "hypertension": ("lisinopril_10", 0.06, 0.35, 0.60),
    "diabetes2": ("metformin_500", 0.02, 0.13, 0.22),
    "hyperlipidemia": ("atorvastatin_80", 0.03, 0.28, 0.45),
    "hypothyroidism": ("levothyroxine_75", 0.03, 0.07, 0.12),
    "asthma": ("albuterol_inh", 0.12, 0.08, 0.06),
    "gerd": ("omeprazole", 0.06, 0.16, 0.22),
    "depression": ("sertraline_50", 0.12, 0.14, 0.10),
    "osteoarthritis": ("ibuprofen_200", 0.01, 0.18, 0.40),
    "afib": ("warfarin_5", 0.00, 0.03, 0.12),
    "copd": ("albuterol_inh", 0.00, 0.06, 0.13),
    "migraine": ("", 0.09, 0.07, 0.02),
    "low_back_pain": ("gabapentin", 0.08, 0.16, 0.18),
    "ckd": ("", 0.01, 0.04, 0.14),
    "colitis": ("", 0.01, 0.01, 0.01),
    "ra": ("methotrexate_25", 0.005, 0.015, 0.02),
    "angiomyolipoma": ("", 0.01, 0.02, 0.03),
    "osteoporosis": ("", 0.00, 0.04, 0.15),
    "cad": ("aspirin_81", 0.00, 0.06, 0.18),
    "obesity": ("", 0.10, 0.15, 0.12),
    "diverticular": ("", 0.00, 0.06, 0.15),
}
_ACUTE = (
    "bronchitis", "cystitis", "ankle_sprain", "sinusitis", "pneumonia", "rhinitis", "headache", "cough", "rash",
    "eczema", "colon_polyp", "gallstone",
)  # fmt: skip
_CHILD_ACUTE = ("bronchitis", "rhinitis", "ankle_sprain", "eczema", "cough", "rash", "asthma")


def _any_day(chart: Chart) -> int:
    spans = chart.observed
    start, end = spans[0] if len(spans) > 1 and chart.dice.chance(0.2) else spans[-1]
    return chart.dice.whole(start, max(start, min(end, chart.last_day)))


def add_background(chart: Chart) -> None:
    """Add chronic problems with their drugs, acute complaints, vitals and routine care."""
    dice = chart.dice
    years = chart.age(chart.last_day)
    column = 1 if years < 40 else 2 if years < 65 else 3
    # The lupus question excludes other rheumatic disease by a rule of its own: no chance findings there.
    barred = {"ra", "colitis"} if chart.archetype == "ana_positive" else set()
    for problem, row in PROBLEMS.items():
        if not dice.chance(float(row[column])) or problem in barred:
            continue
        chart.problems.append(problem)
        if row[0]:
            chart.medicines.append(row[0])
        first = _any_day(chart)
        chart.condition(problem, first)
        for step in range(1, dice.whole(1, 3)):
            chart.condition(problem, first + step * dice.whole(150, 400))
        if row[0]:
            for step in range(dice.whole(1, 4)):
                chart.drug(str(row[0]), first + 1 + step * 92, 90)
    for _ in range(dice.whole(1, 4)):
        chart.condition(dice.pick(_CHILD_ACUTE if years < 16 else _ACUTE), _any_day(chart))
    for _ in range(dice.whole(1, 3)):
        day = _any_day(chart)
        chart.measure("sbp", day, round(dice.clipped(127, 15, 85, 210)), "mmhg")
        chart.measure("dbp", day, round(dice.clipped(77, 10, 45, 120)), "mmhg")
        chart.measure("heart_rate", day, round(dice.clipped(75, 11, 42, 140)), "bpm")
        if dice.chance(0.5):
            chart.measure("creatinine", day, round(dice.clipped(0.95, 0.25, 0.4, 4.5), 2), "mg_dl")
    if dice.chance(0.6):
        chart.procedure("flu_vaccine", _any_day(chart))
    if dice.chance(0.5):
        chart.observe("smoking", _any_day(chart), text=dice.pick(("never", "former", "current")))


def build_control(chart: Chart) -> None:
    """Give an ordinary person visits with notes; a few die."""
    dice = chart.dice
    if chart.age(chart.last_day) > 70 and dice.chance(0.15):
        chart.die(chart.last_day - dice.whole(1, 300), "")
    for _ in range(dice.whole(3, 6)):
        kind = dice.weighted(("Progress Notes", "Telephone Encounter", "Consult Note"), (0.85, 0.1, 0.05))
        chart.note(_any_day(chart), "primary_care", kind)
