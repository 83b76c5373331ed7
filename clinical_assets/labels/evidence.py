"""What in a note speaks for a model's answer: the sentence, and how the assertion engine reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from clinical_assets.labels.assertion import SectionIndex
from clinical_assets.labels.compiled import ASSERTED
from clinical_assets.labels.regex_labels import compiled_study
from clinical_assets.labels.sentences import sentence_bounds
from clinical_assets.study.model import Study
from clinical_assets.study.patterns import PatternTimeout

__all__ = ["NOTHING", "EvidenceFinder", "FieldEvidence", "support"]


class FieldEvidence(NamedTuple):
    """What the rules find for one field of one note: [start, end) is the sentence that holds the best mention."""

    mentioned: bool
    asserted: bool
    assertion: str | None
    start: int | None
    end: int | None


NOTHING = FieldEvidence(False, False, None, None, None)


class EvidenceFinder:
    """Finds the evidence of every field of a study in a note."""

    def __init__(self, study: Study) -> None:
        self._compiled = compiled_study(study)
        self._mention_is_enough = {field.name: field.mention_is_enough for field in study.fields}

    def find(self, text: str, sections: Callable[[], SectionIndex]) -> dict[str, FieldEvidence] | None:
        """Return field -> evidence for the fields that are mentioned; None if a regex of the study took too long."""
        try:
            found = self._compiled.read(text, sections)
        except PatternTimeout:
            return None
        evidence = {}
        for index, best in found:
            start, end = sentence_bounds(text, best.start, best.end)
            category = best.assertion.category
            evidence[self._compiled.fields[index].name] = FieldEvidence(
                True, category in ASSERTED, category, min(start, best.start), max(end, best.end)
            )
        return evidence

    def rule_values(self, evidence: dict[str, FieldEvidence] | None, fields: tuple[str, ...]) -> tuple[bool, ...]:
        """Return what the rules themselves would answer: a draft for a model."""
        found = evidence or {}
        return tuple(
            (e := found.get(name, NOTHING)).asserted or (e.mentioned and self._mention_is_enough[name])
            for name in fields
        )

    def supports(self, name: str, value: bool | None, evidence: dict[str, FieldEvidence] | None) -> str | None:
        """Return how value and evidence agree; None where there is nothing to say."""
        if evidence is None:
            return "evidence_timeout" if value else None
        return support(value, evidence.get(name, NOTHING), self._mention_is_enough[name])


def support(value: bool | None, evidence: FieldEvidence, mention_is_enough: bool) -> str | None:
    """Return supported, contradicted:<assertion>, unsupported:no_mention (of a true), rules_affirm (of a false), or None."""
    affirmed = evidence.asserted or (mention_is_enough and evidence.mentioned)
    if value:
        if affirmed:
            return "supported"
        return f"contradicted:{evidence.assertion}" if evidence.mentioned else "unsupported:no_mention"
    return "rules_affirm" if value is False and affirmed else None
