"""Parts of notes that every clinic shares: single lines, general sections, and lines that restate a choice of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clinical_assets.synthetic.chart import Chart
from clinical_assets.synthetic.controls import PROBLEMS
from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.note_layout import Section
from clinical_assets.synthetic.note_text import Draft
from clinical_assets.synthetic.phrases_general import GENERAL
from clinical_assets.synthetic.phrases_haem import HAEM, TRAPS

__all__ = ["Writer"]

_COMPLAINTS = ("cough", "headache", "low_back_pain", "joint_pain", "fatigue", "rash", "nausea")
_DEFAULT_PROBLEM = "hypertension"
_DOSES = {
    "lisinopril_10": ("10 mg daily", "20 mg qd", "40 mg daily"),
    "metformin_500": ("500 mg bid", "1000 mg BID", "850 mg twice daily"),
    "atorvastatin_80": ("20 mg qhs", "40 mg daily", "80 mg nightly"),
    "levothyroxine_75": ("75 mcg daily", "0.075 mg qam", "100 mcg every morning"),
    "albuterol_inh": ("2 puffs q4h prn", "prn wheeze"),
    "omeprazole": ("20 mg daily", "40 mg before breakfast"),
    "sertraline_50": ("50 mg daily", "100 mg qam"),
    "ibuprofen_200": ("400 mg prn", "200 mg tid with food"),
    "warfarin_5": ("5 mg as per INR", "dose per clinic"),
    "gabapentin": ("300 mg tid", "100 mg nightly"),
    "methotrexate_25": ("15 mg once weekly", "10 mg weekly with folate"),
    "aspirin_81": ("81 mg daily", "75 mg od"),
}
_SMALL_TALK = ("Time spent", "Discussed with", "Flu shot", "RTC")


class Writer:
    """Collects sections of one note; each line is a draft of its own, so that it can be laid out by site."""

    def __init__(self, chart: Chart, dice: Dice, values: Mapping[str, str]) -> None:
        """Start a note about the person of the chart with the values that its phrases can use."""
        self.chart = chart
        self.dice = dice
        self.blank = Draft(dice, values)
        self.sections: dict[str, Section] = {}

    def line(self, section: str, phrase: str, assertion: str = "") -> Draft:
        """Write one phrase as a line of a section and return its draft."""
        draft = self.blank.child()
        draft.say(phrase, assertion)
        self.sections.setdefault(section, Section(section, [])).lines.append(draft)
        return draft

    def any_of(self, section: str, bank: Sequence[str], n: int = 1, **swap: str) -> list[tuple[str, Draft]]:
        """Write n different phrases of a bank; ``swap`` replaces placeholders such as DRUG. Returns what was used."""
        used = []
        for template in self.dice.some(bank, n):
            phrase = template
            for name, value in swap.items():
                phrase = phrase.replace(name, value)
            used.append((phrase, self.line(section, phrase)))
        return used

    def _problem(self) -> str:
        return self.dice.pick(self.chart.problems) if self.chart.problems else _DEFAULT_PROBLEM

    def _medicine(self) -> str:
        return self.dice.pick(self.chart.medicines) if self.chart.medicines else "acetaminophen"

    def general(self, section: str, bank: str, n: int = 1) -> list[tuple[str, Draft]]:
        """Write n phrases of a general bank with the person's own problems and medicines."""
        problem = self._problem()
        medicine = PROBLEMS[problem][0] or self._medicine()
        complaint = self.dice.pick(_COMPLAINTS)
        return self.any_of(section, GENERAL[bank], n, PROBLEM=problem, MED=medicine, COMPLAINT=complaint)

    def plan(self, n: int) -> list[tuple[str, Draft]]:
        """Write n general plans and return those that a summary should keep (at most two)."""
        used = self.general("plan", "plan", n)
        return [(phrase, draft) for phrase, draft in used if not phrase.startswith(_SMALL_TALK)][:2]

    def background(self, share: float = 0.75) -> None:
        """Write past history, medicines, family, social, systems, examination and laboratory sections."""
        dice = self.dice
        if dice.chance(share):
            problems = dice.some(self.chart.problems, dice.whole(1, 5))
            for problem in problems:
                self.line("pmh", dice.pick(GENERAL["pmh"]).replace("PROBLEM", problem))
            if not problems:
                self.general("pmh", "no_pmh")
        if dice.chance(share):
            for medicine in dice.some(self.chart.medicines, 6):
                self.line("meds", f"[[{medicine}]] {dice.pick(_DOSES[medicine])}")
        if dice.chance(share * 0.6):
            self.any_of("family", GENERAL["family"], dice.whole(1, 2))
        if dice.chance(share * 0.6):
            self.any_of("social", GENERAL["social"])
        if dice.chance(share * 0.6):
            self.any_of("ros", GENERAL["ros"])
        if dice.chance(share):
            self.any_of("exam", GENERAL["exam"], dice.whole(2, 5))
        if dice.chance(share * 0.8):
            self.any_of("labs", GENERAL["labs"], dice.whole(1, 2))

    def noise(self) -> None:
        """Write fillers, and sometimes a trap or a relative's leukaemia."""
        dice = self.dice
        if dice.chance(0.6):
            self.any_of(dice.pick(("plan", "hpi", "social")), GENERAL["filler"], dice.whole(1, 3))
        if dice.chance(0.09):
            self.line(dice.pick(("hpi", "pmh", "plan")), dice.pick(TRAPS))
        if dice.chance(0.02) and self.chart.archetype != "family_history":
            self.line("family", dice.pick(HAEM["family"]))
