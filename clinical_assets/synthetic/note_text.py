"""From phrases to text: the phrase language, typing errors, and offsets of terms in the finished note.

A phrase is a string. ``[[cml]]`` inserts a term of the lexicon, ``[[cml|negated]]`` with an assertion (affirmed when
none is given); ``{age}`` a value of the note; ``{denies|reports no}`` one of several wordings. A trailing ``@cml,rem``
names the label fields that this wording makes true (see ``EFFECTS``); ``harm`` among them, that its drugs brought about its diseases.
Gold follows from what was written, only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

from clinical_assets.synthetic.dice import Dice
from clinical_assets.synthetic.lexicon import LEXICON, OTHER_TKI

__all__ = ["EFFECTS", "FIELDS", "Draft", "Entity", "Finished", "validate_phrase"]

FIELDS = (
    "imatinib_mentioned",
    "related_drugs_mentioned",
    "cml_diagnosed",
    "cml_in_regression",
    "aml_diagnosed",
    "blast_phase_cml",
    "bmt_history",
    "acute_phase_cml",
)
EFFECTS = {
    "cml": "cml_diagnosed",
    "rem": "cml_in_regression",
    "aml": "aml_diagnosed",
    "blast": "blast_phase_cml",
    "bmt": "bmt_history",
    "accel": "acute_phase_cml",
}
_HARM = "harm"
# Values that name a disease: what stands before its name, and its term.
_NAMING = {"pleural effusions": ("", "pleural_effusion"), "severe rash": ("severe ", "rash")}
ASSERTIONS = ("affirmed", "negated", "possible", "historical", "hypothetical", "family")
_TOKEN = re.compile(r"\[\[([a-z_0-9]+)(?:\|([a-z]+))?\]\]|\{([^{}]*)\}")
_WORD = re.compile(r"[a-z]{5,}")


@dataclass(frozen=True)
class Entity:
    """A term in a finished note: [start, end) in characters of the text."""

    start: int
    end: int
    kind: str
    concept_id: int | None
    assertion: str
    key: str


@dataclass(frozen=True)
class Finished:
    """A finished note with its gold labels, entities, summary, and which drug it says brought about which disease (keys of terms)."""

    text: str
    labels: dict[str, bool]
    entities: tuple[Entity, ...]
    summary: str
    harms: tuple[tuple[str, str], ...] = ()


@cache
def _compile(phrase: str) -> tuple[tuple[tuple[str, str, str], ...], tuple[str, ...]]:
    """Split a phrase into operations (kind, a, b) and the fields that it makes true."""
    body, mark, tail = phrase.rpartition(" @")
    effects: tuple[str, ...] = ()
    if mark and re.fullmatch(r"[a-z]+(,[a-z]+)*", tail):
        effects = tuple(name if name == _HARM else EFFECTS[name] for name in tail.split(","))
    else:
        body = phrase
    operations: list[tuple[str, str, str]] = []
    position = 0
    for match in _TOKEN.finditer(body):
        if match.start() > position:
            operations.append(("text", body[position : match.start()], ""))
        key, assertion, inner = match.groups()
        if key:
            operations.append(("term", key, assertion or "affirmed"))
        elif "|" in inner:
            operations.append(("pick", inner, ""))
        else:
            operations.append(("slot", inner, ""))
        position = match.end()
    if position < len(body):
        operations.append(("text", body[position:], ""))
    return tuple(operations), effects


def validate_phrase(phrase: str) -> None:
    """Raise ValueError for an unknown term or assertion in a phrase."""
    operations, _ = _compile(phrase)
    for kind, a, b in operations:
        if kind == "term" and (a not in LEXICON or b not in ASSERTIONS):
            raise ValueError(f"unknown term or assertion {a!r}, {b!r} in phrase {phrase!r}")


@dataclass
class Draft:
    """A note being written: pieces of text and terms in order, labels so far, and sentences for the summary."""

    dice: Dice
    values: Mapping[str, str]
    typo_rate: float = 0.012
    pieces: list[tuple[str, str, str]] = field(default_factory=list)  # (text, term key, assertion)
    labels: set[str] = field(default_factory=set)
    summary: list[str] = field(default_factory=list)
    harms: set[tuple[str, str]] = field(default_factory=set)  # (drug, disease)

    def raw(self, text: str) -> None:
        """Append text as it is."""
        self.pieces.append((text, "", ""))

    def child(self) -> Draft:
        """Return an empty draft with the same values and dice, to be absorbed later (or more than once)."""
        return Draft(self.dice, self.values, self.typo_rate)

    def absorb(self, other: Draft) -> None:
        """Append another draft: its text, labels and summary."""
        self.pieces += other.pieces
        self.labels |= other.labels
        self.harms |= other.harms
        for sentence in other.summary:
            if sentence not in self.summary:
                self.summary.append(sentence)

    def text(self) -> str:
        """Return what has been written so far, without mark-up."""
        return "".join(piece for piece, _, _ in self.pieces)

    def say(self, phrase: str, assertion: str = "") -> None:
        """Append a phrase; ``assertion`` replaces *affirmed* where the section says so (family, historical)."""
        operations, effects = _compile(phrase)
        self.labels.update(name for name in effects if name != _HARM)
        first = len(self.pieces)
        for kind, a, b in operations:
            if kind == "text":
                self.pieces.append((self._typo(a), "", ""))
            elif kind == "slot":
                self._value(self.values[a])
            elif kind == "pick":
                self.pieces.append((self._typo(self.dice.pick(a.split("|"))), "", ""))
            else:
                self._term(a, assertion if assertion and b == "affirmed" else b)
        if _HARM in effects:
            keys = [key for _, key, _ in self.pieces[first:] if key]
            named = {kind: [key for key in keys if LEXICON[key].kind == kind] for kind in ("CHEMICAL", "DISEASE")}
            self.harms.update((drug, disease) for drug in named["CHEMICAL"] for disease in named["DISEASE"])

    def _value(self, value: str) -> None:
        before, key = _NAMING.get(value, (value, ""))
        self.pieces.append((before, "", ""))
        if key:
            self.pieces.append((value[len(before) :], key, "historical"))

    def _term(self, key: str, assertion: str) -> None:
        term = LEXICON[key]
        if key == "imatinib":
            self.labels.add("imatinib_mentioned")
        elif key in OTHER_TKI:
            self.labels.add("related_drugs_mentioned")
        self.pieces.append((self.dice.pick(term.surfaces), key, assertion))

    def _typo(self, text: str) -> str:
        """Now and then swap two letters of one longer word; terms are never touched."""
        if not self.dice.chance(self.typo_rate):
            return text
        words = list(_WORD.finditer(text))
        if not words:
            return text
        at = self.dice.pick(words).start() + 1 + self.dice.whole(0, 2)
        return text[:at] + text[at + 1] + text[at] + text[at + 2 :]

    def sum_up(self, sentence: str) -> None:
        """Add a sentence to the reference summary; the caller only says what the note says."""
        if sentence not in self.summary:
            self.summary.append(sentence)

    def finish(self, newline: str = "\n", html: bool = False) -> Finished:
        """Return text, labels and entities; line ends and mark-up are applied piece by piece, so offsets hold."""
        parts: list[str] = ["<html><body><p>"] if html else []
        length = len(parts[0]) if html else 0
        entities: list[Entity] = []
        for text, key, assertion in self.pieces:
            shown = text
            if html:
                shown = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\n", "<br/>\n")
            if newline != "\n":
                shown = shown.replace("\n", newline)
            if key and LEXICON[key].kind:
                term = LEXICON[key]
                entities.append(Entity(length, length + len(shown), term.kind, term.concept_id, assertion, key))
            parts.append(shown)
            length += len(shown)
        if html:
            parts.append("</p></body></html>")
        labels = {name: name in self.labels for name in FIELDS}
        return Finished("".join(parts), labels, tuple(entities), " ".join(self.summary), tuple(sorted(self.harms)))
