"""Parts of notes that every clinic shares: single lines, general sections, and lines that restate a choice of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clinical_assets.synthetic.chart import Chart
from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.note_layout import Section
from clinical_assets.synthetic.note_text import Draft
from clinical_assets.synthetic.phrases_general import GENERAL
from clinical_assets.synthetic.phrases_haem import HAEM, TRAPS

__all__ = ["Writer"]

_COMPLAINTS = ("cough", "headache", "low_back_pain", "joint_pain", "fatigue", "rash", "nausea")
_DEFAULT_PROBLEM = "hypertension"


class Writer:
    """Collects sections of one note; each line is a draft of its own, so that it can be laid out by site."""

    def __init__(self, chart: Chart, dice: Dice, values: Mapping[str, str]) -> None:
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
        for phrase in self.dice.some(bank, n):
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
        return self.any_of(
            section, GENERAL[bank], n, PROBLEM=self._problem(), MED=self._medicine(), COMPLAINT=self.dice.pick(_COMPLAINTS)
        )

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
                self.line("meds", dice.pick(GENERAL["med"]).replace("MED", medicine))
        if dice.chance(share * 0.6):
            self.any_of("family", GENERAL["family"], dice.whole(1, 2))
        if dice.chance(share * 0.6):
            self.any_of("social", GENERAL["social"])
        if dice.chance(share * 0.6):
            self.any_of("ros", GENERAL["ros"])
        if dice.chance(share):
            self.any_of("exam", GENERAL["exam"], dice.whole(1, 4))
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
