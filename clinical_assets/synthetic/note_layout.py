"""How a site lays out its notes: headings, order of sections, bullets, and how sentences are joined."""

from __future__ import annotations

from dataclasses import dataclass

from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.note_text import Draft

__all__ = ["LAYOUTS", "Layout", "Section", "lay_out"]


@dataclass(frozen=True)
class Layout:
    """One site's habits; ``headings`` maps a section to the variants in use there."""

    order: tuple[str, ...]
    headings: dict[str, tuple[str, ...]]
    bullets: tuple[str, ...]


@dataclass
class Section:
    """A section under construction: one draft per line of the section."""

    name: str
    lines: list[Draft]


LAYOUTS: tuple[Layout, ...] = (
    Layout(
        ("hpi", "pmh", "meds", "family", "social", "ros", "exam", "labs", "plan"),
        {
            "hpi": ("HPI:", "History of Present Illness:", "Interval History:"),
            "pmh": ("Past Medical History:", "PMH:"),
            "meds": ("Current Outpatient Medications:", "Medications:"),
            "family": ("Family History:", "Family Hx:"),
            "social": ("Social History:", "Social Hx:"),
            "ros": ("Review of Systems:", "ROS:"),
            "exam": ("Physical Exam:", "Exam:", "Objective:"),
            "labs": ("Labs:", "Data reviewed:"),
            "plan": ("Assessment and Plan:", "A/P:", "Assessment & Plan:"),
        },
        ("- ", "1. ", "* "),
    ),
    Layout(
        ("hpi", "social", "family", "pmh", "meds", "exam", "labs", "plan", "ros"),
        {
            "hpi": ("SUBJECTIVE", "CHIEF COMPLAINT / HPI"),
            "pmh": ("PMHX", "PROBLEM LIST"),
            "meds": ("CURRENT MEDS", "MEDICATIONS"),
            "family": ("FHX", "FAMILY HISTORY"),
            "social": ("SOCIAL", "SHX"),
            "ros": ("ROS",),
            "exam": ("OBJECTIVE", "VITALS/EXAM"),
            "labs": ("RESULTS", "LABS"),
            "plan": ("IMPRESSION/PLAN", "ASSESSMENT", "IMPRESSION AND RECOMMENDATIONS"),
        },
        ("", "# ", "- "),
    ),
    Layout(
        ("pmh", "hpi", "meds", "exam", "labs", "family", "social", "ros", "plan"),
        {
            "hpi": ("Interval history -", "Presenting complaint:", "Progress:"),
            "pmh": ("Background:", "Past history:"),
            "meds": ("Drug history:", "DHx:"),
            "family": ("FH:", "Family:"),
            "social": ("SH:", "Social:"),
            "ros": ("Systems:",),
            "exam": ("O/E:", "On examination:"),
            "labs": ("Ix:", "Investigations:"),
            "plan": ("Impression:", "Impression and plan:", "Plan:"),
        },
        ("", "• ", "- "),
    ),
)


def lay_out(note: Draft, sections: list[Section], site: int, dice: Dice) -> None:
    """Append the sections to the note in the site's order and manner."""
    layout = LAYOUTS[site]
    by_name = {section.name: section for section in sections if section.lines}
    bullet = dice.pick(layout.bullets)
    bare = dice.chance(0.08)  # some clinicians write one block without headings
    flowing = ("hpi", "social", "family", "ros", "exam")
    first = True
    for name in layout.order:
        section = by_name.get(name)
        if section is None:
            continue
        if not first:
            note.raw("\n" if bare else dice.pick(("\n", "\n\n")))
        first = False
        inline = dice.chance(0.35)
        if not bare:
            note.raw(dice.pick(layout.headings[name]) + (" " if inline else "\n"))
        for number, line in enumerate(section.lines):
            if name in flowing or bare:
                note.raw(" " if number else "")
            else:
                note.raw("\n" if number else "")
                note.raw(f"{number + 1}. " if bullet == "1. " else bullet)
            note.absorb(line)
    note.raw("\n")
