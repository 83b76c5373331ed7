"""Facts of a text: entities by vocabulary with the labels' assertion engine, figures by patterns, doses joined to drugs.

The time is linear in the text. Facts of a text are found once: an extractor remembers those of the texts it read last.
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Sequence
from functools import lru_cache

from clinical_assets.labels.assertion import AssertionEngine, SectionIndex
from clinical_assets.labels.folding import fold
from clinical_assets.labels.lexicon import SECTION_PRIORS
from clinical_assets.labels.matcher import Group, Mention, TermMatcher, TermSpec
from clinical_assets.labels.sentences import sentence_bounds
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.numbers import Figure, find_dates, find_figures
from clinical_assets.summaries.recognizer import Recognizer, load_recognizer
from clinical_assets.summaries.vocabulary import ENTITY_KINDS, Vocabulary
from clinical_assets.summaries.words import DOSE_UNITS, DRUG_ENDINGS, FREQUENCIES

__all__ = ["EXTRACTOR_VERSION", "FactExtractor", "extractor_for"]

# Raise it whenever the same text and vocabulary could give other facts.
EXTRACTOR_VERSION = "1"
_SPECIAL = re.compile(r"([()\[\]|?\\*+{}^$])")
_STEM = re.compile(rf"(?<![\w-])[a-z]{{3,18}}(?:{'|'.join(DRUG_ENDINGS)})(?![\w-])", re.IGNORECASE)
_FOLLOWING = re.compile(r"[ \t]{1,2}(?:of[ \t]{1,2})?", re.IGNORECASE)
_DIRECT = re.compile(r"[ \t:(-]{0,4}(?:(?:at|to|dose|of)[ \t]{1,2})?", re.IGNORECASE)
_WORD = re.compile(r"[ \t]{0,2},?[ \t]{0,2}([a-z]{1,10}\d{0,2}[a-z]{0,4})", re.IGNORECASE)
_REACH = 80  # characters between a drug and its dose
_REMEMBERED = 1024
_FREQUENCY_WORDS = 6
_NO_SECTIONS = SectionIndex()


class FactExtractor:
    """Finds facts with one vocabulary, and with a model's entities where there is one. Build it once: the automaton takes seconds."""

    def __init__(self, vocabulary: Vocabulary, recognizer: Recognizer | None = None) -> None:
        self.vocabulary = vocabulary
        self._recognizer = recognizer
        self._keys = [list(vocabulary.names[kind].values()) for kind in ENTITY_KINDS]
        self._matcher = TermMatcher(
            [
                Group(kind, [TermSpec(_SPECIAL.sub(r"\\\1", name)) for name in vocabulary.names[kind]])
                for kind in ENTITY_KINDS
            ]
        )
        self._engine = AssertionEngine((), SECTION_PRIORS)
        self._known: OrderedDict[str, list[Fact]] = OrderedDict()

    def extract(self, text: str, sections: SectionIndex = _NO_SECTIONS) -> list[Fact]:
        """Return the facts of a text by position; offsets lie inside it.

        A dose covers drug, amount and how often; its drug is a fact of its own too. The key of a dose is drug, amount and
        unit: how often is kept with it, but is no part of the key, as it is said in too many ways.
        """
        said = hashlib.sha256(text.encode("utf-8", "surrogatepass"))
        said.update(repr(sections.starts).encode())
        key = said.hexdigest()
        if key in self._known:
            self._known.move_to_end(key)
            return self._known[key]
        facts = self._find(text, sections)
        self._known[key] = facts
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return facts

    def _find(self, text: str, sections: SectionIndex) -> list[Fact]:
        entities = self._entities(text, sections)
        dates = find_dates(text)
        facts = [*entities, *(Fact("date", iso, start, end) for start, end, iso in dates)]
        drugs = [fact for fact in entities if fact.kind == "drug"]
        starts = [fact.start for fact in drugs]
        for figure in find_figures(text, dates):
            dose = _dose(text, figure, drugs, starts) if figure.unit in DOSE_UNITS else None
            if dose is not None:
                facts.append(dose)
            elif figure.kind == "lab":
                facts.append(Fact("lab", figure.key, figure.start, figure.end))
            elif figure.kind == "vital":
                facts.append(Fact("vital", figure.key, figure.start, figure.end))
            else:
                facts.append(Fact("number", figure.key, figure.start, figure.end))
        return sorted(facts, key=lambda fact: (fact.start, fact.end, fact.kind, fact.key))

    def _entities(self, text: str, sections: SectionIndex) -> list[Fact]:
        found = [
            (mention.start, mention.end, ENTITY_KINDS[mention.group], self._key(mention))
            for mention in self._matcher.find(text, fold(text))
        ]
        found += [(m.start(), m.end(), "drug", fold(m.group())) for m in _STEM.finditer(text)]
        found.sort(key=lambda each: (each[0], -each[1]))
        found = _without_overlaps(found)
        if self._recognizer is not None:
            # what the vocabulary knows keeps its kind and its normal form
            ends, starts = [end for _, end, *_ in found], [start for start, *_ in found]
            found += [
                (start, end, kind, " ".join(fold(text[start:end]).split()))
                for start, end, kind in self._recognizer.find(text)
                if bisect_right(ends, start) >= bisect_left(starts, end)
            ]
            found.sort()
        facts: list[Fact] = []
        for start, end, kind, key in found:
            # A patient who takes no imatinib and one whose list says so are told apart by the engine, not here.
            negated = self._engine.assess(text, start, end, sections).category == "negated"
            facts.append(Fact(kind, key, start, end, negated))  # type: ignore[arg-type]
        return facts

    def _key(self, mention: Mention) -> str:
        return self._keys[mention.group][mention.term]


def _without_overlaps(found: Sequence[tuple[int, int, str, str]]) -> list[tuple[int, int, str, str]]:
    """Return what does not begin inside what came before it."""
    out: list[tuple[int, int, str, str]] = []
    for each in found:
        if not out or each[0] >= out[-1][1]:
            out.append(each)
    return out


def _dose(text: str, figure: Figure, drugs: Sequence[Fact], starts: Sequence[int]) -> Fact | None:
    """Return the dose that a figure is of the drug before it in its sentence, or directly after it; None if there is none."""
    before = bisect_left(starts, figure.value_start) - 1
    after = bisect_right(starts, figure.end - 1)
    following = _FOLLOWING.match(text, figure.end)
    drug_after = drugs[after] if after < len(drugs) and following and starts[after] == following.end() else None
    drug_before = drugs[before] if before >= 0 and drugs[before].end <= figure.value_start else None
    if drug_before is not None:
        gap = text[drug_before.end : figure.value_start]
        direct = _DIRECT.fullmatch(gap) is not None
        if (drug_after is not None and not direct) or (
            not direct
            and (len(gap) > _REACH or sentence_bounds(text, figure.value_start, figure.end)[0] > drug_before.start)
        ):
            drug_before = None
    drug = drug_before or drug_after
    if drug is None:
        return None
    end = _with_frequency(text, max(figure.end, drug.end))
    return Fact("dose", f"{drug.key} {figure.value} {figure.unit}", min(drug.start, figure.start), end, drug.negated)


def _with_frequency(text: str, end: int) -> int:
    """Return the end of the words after a dose that say how and how often it is taken."""
    for _ in range(_FREQUENCY_WORDS):
        match = _WORD.match(text, end)
        word = match.group(1).lower() if match else ""
        if match is None or (word not in FREQUENCIES and not re.fullmatch(r"q\d{1,2}[hdw]", word)):
            break
        end = match.end()
    return end


@lru_cache(maxsize=2)
def _extractor(sha: str, carried: _Carried) -> FactExtractor:
    model = carried.vocabulary.recognizer
    return FactExtractor(carried.vocabulary, load_recognizer(model) if model else None)


class _Carried:
    """Carries a vocabulary past lru_cache: its digest is the key, not the dictionaries."""

    def __init__(self, vocabulary: Vocabulary) -> None:
        self.vocabulary = vocabulary

    def __hash__(self) -> int:
        return hash(self.vocabulary.sha)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Carried) and other.vocabulary.sha == self.vocabulary.sha


def extractor_for(vocabulary: Vocabulary) -> FactExtractor:
    """Return the extractor of a vocabulary and of the model it names, built once however often it is asked for."""
    return _extractor(vocabulary.sha, _Carried(vocabulary))
