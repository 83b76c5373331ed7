"""All notes of one person: what each says, how it is laid out, what is copied forward, and which are odd.

``Landed`` is a note as it arrives: OMOP columns plus text; with it comes what the author knows about it (gold labels,
entities, summary) for usable notes, and None for the others.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

from clinical_assets.synthetic.chart import Chart, NoteSlot
from clinical_assets.synthetic.cml import CmlStory
from clinical_assets.synthetic.config import SITES
from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.note_layout import Section, lay_out
from clinical_assets.synthetic.note_parts import Writer
from clinical_assets.synthetic.note_text import Draft, Finished
from clinical_assets.synthetic.note_values import note_values
from clinical_assets.synthetic.notes_cml import signature, write_cml
from clinical_assets.synthetic.notes_other import write_other
from clinical_assets.synthetic.odd_notes import ODD_KINDS, lab_printout, odd_text

__all__ = ["CML_TOPICS", "Landed", "write_notes"]

_TITLES = {
    "Progress Notes": ("Progress Note", "Clinic Note", "Office Visit", ""),
    "Discharge Summary": ("Discharge Summary",),
    "Consult Note": ("Consultation", "Initial Consult"),
    "Telephone Encounter": ("Telephone Encounter", "Phone Call"),
}
CML_TOPICS = ("cml_workup", "cml_diagnosis", "cml_follow_up", "cml_phone", "cml_discharge")


@dataclass(frozen=True)
class Landed:
    """One note as it lands; ``gold`` is None for a note that cannot be labelled, ``status`` says why."""

    note_id: int
    person_id: int
    day: int
    site: str
    note_type: str
    title: str
    visit_occurrence_id: int | None
    status: str
    text: str
    gold: Finished | None


def _copy_forward(w: Writer, old: Section, when: int) -> None:
    """Put the history section of an earlier note in place of a new one."""
    mark = w.dice.pick(("", "", f"(copied from {dt.date.fromordinal(when):%m/%d/%Y}) ", "Unchanged from last note: "))
    lines = list(old.lines)
    if mark:
        first = w.blank.child()
        first.raw(mark)
        first.absorb(lines[0])
        lines[0] = first
    w.sections["hpi"] = Section("hpi", lines)


def _compose(chart: Chart, slot: NoteSlot, dice: Dice, earlier: dict[object, tuple[Section, int]]) -> Finished:
    """Write one usable note."""
    w = Writer(chart, dice, note_values(chart, slot, dice))
    story = chart.story
    if isinstance(story, CmlStory) and slot.topic in CML_TOPICS:
        write_cml(w, story, slot)
        key: object = (slot.topic, signature(story, slot.day))
    else:
        write_other(w, slot)
        key = (slot.topic, getattr(story, "lupus", None) is not None, chart.archetype)
    short = slot.note_type == "Telephone Encounter"
    # Paragraphs about a CML follow-up are copied only while nothing in the course has changed since.
    copyable = slot.topic in ("cml_follow_up", "primary_care", "family_history")
    if key in earlier and copyable and not short and dice.chance(0.3):
        _copy_forward(w, *earlier[key])
    elif "hpi" in w.sections and copyable and not short:
        earlier[key] = (w.sections["hpi"], slot.day)
    if not short:
        w.noise()
    note = Draft(dice, w.blank.values)
    lay_out(note, list(w.sections.values()), slot.site if not short else 2, dice)
    if dice.chance(0.004):
        note.raw(lab_printout(dice, dice.whole(32, 60)))
    style = dice.u()
    return note.finish(newline="\r\n" if style < 0.004 else "\n", html=0.004 <= style < 0.007)


def write_notes(chart: Chart, seed: int) -> list[Landed]:
    """Return the person's notes in order of date; ids depend on the person's index only."""
    dice = Dice(seed, chart.index, 1)
    earlier: dict[object, tuple[Section, int]] = {}
    notes: list[Landed] = []
    slots = sorted(chart.slots, key=lambda slot: (slot.day, slot.topic, slot.note_type))
    for slot in slots:
        gold: Finished | None = None
        status = "usable"
        draw = dice.u()
        if draw < 0.035:
            status = dice.weighted(ODD_KINDS, (0.45, 0.25, 0.2, 0.1))
            text = odd_text(status, dice, str(chart.age(slot.day)))
        else:
            gold = _compose(chart, slot, dice, earlier)
            text = gold.text
        copies = 2 if dice.chance(0.004) else 1  # the same text filed twice, under two ids
        for _ in range(copies):
            notes.append(
                Landed(
                    note_id=(chart.index + 1) * 1_000 + len(notes),
                    person_id=chart.person_id,
                    day=slot.day,
                    site=SITES[slot.site],
                    note_type=slot.note_type,
                    title=dice.pick(_TITLES[slot.note_type]),
                    visit_occurrence_id=None if slot.visit is None else (chart.index + 1) * 1_000 + slot.visit,
                    status=status,
                    text=text,
                    gold=gold,
                )
            )
    return notes
