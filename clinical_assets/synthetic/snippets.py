"""Labelled training text for the demo models: notes and single lines of other synthetic hospitals than the demo one.

A line carries the labels of its own wording; a note those of its lines. Written from other seeds than any hospital that
lands, so no note that is labelled was trained on but the shortest, of a line or two: about 2 in 100 (the phrases are the same:
this shows the machinery, not clinical skill).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from clinical_assets.synthetic.cml import CmlStory
from clinical_assets.synthetic.config import HospitalConfig
from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.hospital import build_person
from clinical_assets.synthetic.note_parts import Writer
from clinical_assets.synthetic.note_values import note_values
from clinical_assets.synthetic.note_writer import CML_TOPICS, write_notes
from clinical_assets.synthetic.notes_cml import write_cml
from clinical_assets.synthetic.notes_other import write_other
from clinical_assets.synthetic.persons import archetype_of

__all__ = ["LabelledText", "labelled_lines", "labelled_notes"]

_HAEMATOLOGY = frozenset({"cml", "aml", "gist", "ph", "cmml", "family", "marrow", "myeloma"})


@dataclass(frozen=True)
class LabelledText:
    """A text and whether each field is true of it, in the order of the fields that were asked for."""

    text: str
    labels: tuple[bool, ...]


def labelled_lines(fields: Sequence[str], *, seed: int, n_persons: int) -> list[LabelledText]:
    """Return the distinct lines of the notes of persons with a haematological history."""
    found: dict[str, LabelledText] = {}
    for chart in _charts(seed, n_persons):
        dice = Dice(seed, chart.index, 5)
        for slot in chart.slots:
            writer = Writer(chart, dice, note_values(chart, slot, dice))
            if isinstance(chart.story, CmlStory) and slot.topic in CML_TOPICS:
                write_cml(writer, chart.story, slot)
            else:
                write_other(writer, slot)
            writer.noise()
            for section in writer.sections.values():
                for draft in section.lines:
                    line = draft.finish()
                    found[line.text] = LabelledText(line.text, tuple(line.labels.get(name, False) for name in fields))
    return list(found.values())


def labelled_notes(fields: Sequence[str], *, seed: int, n_persons: int) -> list[LabelledText]:
    """Return the usable notes of persons with a haematological history."""
    return [
        LabelledText(note.text, tuple(note.gold.labels.get(name, False) for name in fields))
        for chart in _charts(seed, n_persons)
        for note in write_notes(chart, seed)
        if note.gold is not None
    ]


def _charts(seed: int, n_persons: int):  # type: ignore[no-untyped-def]
    config = HospitalConfig(seed=seed)
    for index in range(n_persons):
        if archetype_of(config, index).split("_")[0] in _HAEMATOLOGY:
            yield build_person(config, index)
