"""A study's fields compiled to one matcher and one assertion engine per distinct set of cues, and read against a note.

Here the rules of a field meet: its terms, the conditions on ambiguous ones, its sections and cues. The outcome per note
and field is the best evidence among its mentions; turning outcomes into tables is `regex_labels` and `output`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from clinical_assets.labels.assertion import Assertion, AssertionEngine, SectionIndex
from clinical_assets.labels.folding import fold
from clinical_assets.labels.lexicon import SECTION_PRIORS, Cue, cues_from_lines
from clinical_assets.labels.matcher import Group, Mention, TermMatcher, TermSpec, without_overlaps
from clinical_assets.labels.sentences import sentence_bounds
from clinical_assets.study.model import Context, FieldRule, Study
from clinical_assets.study.patterns import compile_pattern

__all__ = ["ASSERTED", "BEST_FIRST", "CompiledStudy", "Evidence"]

# Of several mentions the one that says most for the field decides it.
BEST_FIRST = ("affirmed", "historical", "possible", "hypothetical", "negated", "family")
ASSERTED = frozenset({"affirmed", "historical"})
_RANK = {category: rank for rank, category in enumerate(BEST_FIRST)}


class Evidence(NamedTuple):
    """The mention that decides a field in a note."""

    start: int
    end: int
    assertion: Assertion


class CompiledStudy:
    """All fields of a study, ready to read notes. Immutable and thread-safe; build it once per study."""

    def __init__(self, study: Study) -> None:
        self.fields = tuple(study.fields)
        self._index = {field.name: index for index, field in enumerate(self.fields)}
        # Terms that count only beside another field's mention ("remission" needs CML in the note) are looked for only in
        # notes that mention a field of its own right: most notes hold such words and nothing else.
        dependent = _dependent_terms(self.fields)
        self.matcher = TermMatcher(
            [_group(field, set(range(len(field.terms))) - dependent[field.name]) for field in self.fields]
        )
        self._dependent = TermMatcher([_group(field, dependent[field.name], False) for field in self.fields])
        # the terms of conditions are looked for only in notes with a mention that has the condition
        self.context_matchers = {
            key: TermMatcher([Group("context", [TermSpec(term) for term in key])])
            for key in {tuple(context.any_of) for context in self._contexts()}
            if key
        }
        engines: dict[tuple[object, ...], AssertionEngine] = {}
        self._engines = []
        for field in self.fields:
            cues, priors = tuple(_field_cues(field)), _priors(field)
            shape = (cues, tuple(sorted(priors.items())))
            if shape not in engines:
                engines[shape] = AssertionEngine(cues, priors)
            self._engines.append(engines[shape])
        # what must occur for any field to be mentioned
        self.prefilter = self.matcher.prefilter
        self._unconditional = [
            field.requires_context is None
            and field.unless_context is None
            and not any(term.requires or term.unless for term in field.terms)
            and not field.sections.ignore
            for field in self.fields
        ]

    @property
    def needs_every_note(self) -> bool:
        """Whether a regex of the study forbids skipping notes that hold no literal of `prefilter`."""
        return self.matcher.needs_every_note

    def _contexts(self) -> list[Context]:
        out = [context for field in self.fields for context in (field.requires_context, field.unless_context)]
        out += [context for field in self.fields for term in field.terms for context in (term.requires, term.unless)]
        return [context for context in out if context is not None]

    def read(self, text: str, sections: Callable[[], SectionIndex]) -> list[tuple[int, Evidence]]:
        """Return (field index, best evidence) for every field that the note mentions. Raises PatternTimeout."""
        folded = fold(text)
        mentions = self.matcher.find(text, folded)
        if not mentions:
            return []
        more = self._dependent.find(text, folded)
        by_group: dict[int, list[Mention]] = {}
        for mention in without_overlaps(mentions + more) if more else mentions:
            by_group.setdefault(mention.group, []).append(mention)
        note = _Note(self, text, folded, by_group)
        index = sections()
        out = []
        for group in sorted(by_group):
            best = self._best(note, group, by_group[group], index)
            if best is not None:
                out.append((group, best))
        return out

    def _best(self, note: _Note, group: int, mentions: Sequence[Mention], sections: SectionIndex) -> Evidence | None:
        field, engine = self.fields[group], self._engines[group]
        best: Evidence | None = None
        best_rank = len(BEST_FIRST)
        for mention in mentions:
            if not self._unconditional[group] and not self._counts(note, field, mention, sections):
                continue
            bounds = note.sentence(mention)
            assertion = engine.assess(note.text, mention.start, mention.end, sections, bounds)
            rank = _RANK[assertion.category]
            if rank < best_rank:
                best, best_rank = Evidence(mention.start, mention.end, assertion), rank
                if rank == 0:
                    break
        return best

    def _counts(self, note: _Note, field: FieldRule, mention: Mention, sections: SectionIndex) -> bool:
        term = field.terms[mention.term] if mention.term >= 0 else None
        for requires, unless in (
            (field.requires_context, field.unless_context),
            (term.requires, term.unless) if term else (None, None),
        ):
            if requires is not None and not note.holds(requires, mention):
                return False
            if unless is not None and note.holds(unless, mention):
                # what the field needs, said in the same sentence, settles the doubt
                settled = requires is not None and note.holds(
                    requires.model_copy(update={"within": "sentence"}), mention
                )
                if not settled:
                    return False
        if field.sections.ignore:
            section = sections.at(mention.start)
            return section is None or section.name not in field.sections.ignore
        return True

    def field_index(self, name: str) -> int:
        """Return the group of a field's mentions."""
        return self._index[name]


class _Note:
    """One note while it is read: its mentions by group, and its sentences as they are needed."""

    def __init__(self, study: CompiledStudy, text: str, folded: str, by_group: dict[int, list[Mention]]) -> None:
        self.study = study
        self.text = text
        self.by_group = by_group
        self._folded = folded
        self._contexts: dict[tuple[str, ...], list[Mention]] = {}
        self._sentences: dict[int, tuple[int, int]] = {}

    def sentence(self, mention: Mention) -> tuple[int, int]:
        key = mention.start
        if key not in self._sentences:
            self._sentences[key] = sentence_bounds(self.text, mention.start, mention.end)
        low, high = self._sentences[key]
        return low, max(high, mention.end)

    def holds(self, context: Context, mention: Mention) -> bool:
        others = [other for name in context.fields for other in self.by_group.get(self.study.field_index(name), ())]
        others += self._context(tuple(context.any_of))
        if context.within == "note":
            return bool(others)
        low, high = self.sentence(mention)
        return any(low <= other.start and other.end <= high for other in others)

    def _context(self, terms: tuple[str, ...]) -> list[Mention]:
        if terms and terms not in self._contexts:
            self._contexts[terms] = self.study.context_matchers[terms].find(self.text, self._folded)
        return self._contexts.get(terms, [])


def _dependent_terms(fields: Sequence[FieldRule]) -> dict[str, set[int]]:
    """Return per field the terms that can count only in a note that mentions a field which depends on none itself."""
    free = {
        field.name
        for field in fields
        if field.requires_context is None and not any(term.requires for term in field.terms)
    }

    def depends(context: Context | None) -> bool:
        return context is not None and not context.any_of and free.issuperset(context.fields)

    return {
        field.name: {
            index for index, term in enumerate(field.terms) if depends(field.requires_context) or depends(term.requires)
        }
        for field in fields
    }


def _group(field: FieldRule, only: set[int], with_patterns: bool = True) -> Group:
    patterns = [compile_pattern(pattern) for pattern in field.patterns] if with_patterns else []
    terms = [TermSpec(term.text, term.case_sensitive) for term in field.terms]
    return Group(field.name, terms, patterns, frozenset(only))


def _field_cues(field: FieldRule) -> list[Cue]:
    out: list[Cue] = []
    for category in BEST_FIRST:
        sides = getattr(field.cues, category)
        out.extend(cues_from_lines(sides.before, category, "before"))
        out.extend(cues_from_lines(sides.after, category, "after"))
    return out


def _priors(field: FieldRule) -> dict[str, tuple[str, ...]]:
    priors = dict(SECTION_PRIORS)
    for category in ("historical", "family", "hypothetical"):
        given = getattr(field.sections, category)
        if given is not None:
            priors[category] = tuple(given)
    return priors
