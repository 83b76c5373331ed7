"""Stage 2 of the offline summarizer: clauses of stage 1 that say something new, down to a share of its length.

Named `extractive_clauses`. It drops what holds no fact or only facts that are said already. Three things it never does: drop
a number, part a negation (or an "if", or "history of") from what it speaks of, part a drug from its dose. What it made is read
again by the extractor; where a fact was lost or turned, whole sentences are used instead of clauses. A plain number is one fact
each time it is said: that two clauses both hold a 3 does not make one of them needless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from clinical_assets.labels.lexicon import SECTION_PRIORS
from clinical_assets.summaries.covering import cover
from clinical_assets.summaries.extractive import Draft, FactId, fact_id, units_with_facts
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.source import Source, Unit
from clinical_assets.summaries.spans import Span, render
from clinical_assets.summaries.text_metrics import count_tokens

__all__ = ["CLAUSES_VERSION", "Clause", "compress", "cut", "lost_or_turned"]

# Raise it whenever the same source and settings could give another summary.
CLAUSES_VERSION = "2"
# Sections whose heading says of whom or of what time the text speaks.
_TELLING = frozenset(name for names in SECTION_PRIORS.values() for name in names) | {"allergies"}
_CUT = re.compile(
    r"[;,](?=[ \t\n])|[ \t]\|(?=[ \t])|(?<=\w)[ \t](?=(?:but|however|although|while)\b)|[ \t][-–](?=[ \t])",
    re.IGNORECASE,
)
# What may be left out where a clause ends: a bracket, or words behind a dash.
_ASIDE = re.compile(r"[ \t]{1,4}(?:\([^()\n]{1,80}\)|[-–][ \t][^()\n]{1,60})\.?")
_MARK = re.compile(r"(?:[-*•#>]|\d{1,2}[.)])[ \t]+")  # of a list
_REACHING = re.compile(
    r"\b(?:no|not|non|nor|neither|none|never|denie[sd]|deny|without|negative|neg|absent|free|rather|unlikely|ruled|rule|r/o|"
    r"declined?|if|unless|until|when|should|may|might|possibly?|possible|probable|likely|suspected|suspicion|concern|versus|vs|"
    r"history|hx|h/o|fhx|mother|father|brother|sister|family|avoid|stop|stopped|stopping|discontinued?|held|hold|failed|"
    r"intolera\w{2,5}|allerg\w{1,5}|refus\w{1,4}|wife|husband|son|daughter|aunt|uncle|grand\w{3,8}|cousin|donor|carrier|prior|previous|"
    r"previously|former|formerly|past|planned|cannot|can't|isn't|wasn't|doesn't|didn't|hasn't|won't|fails?|lacks?|resolved|gone)\b",
    re.IGNORECASE,
)
_ANEW = re.compile(
    r"[ \t\n]*(?:but|however|although|while|no|not|denie[sd]|without|never|mother|father|brother|sister)\b",
    re.IGNORECASE,
)
_TRIES = 4
_NEGATED = 0.9  # of the weight of an entity: of two that cost as much, what is there goes before what is not
_SIGNS = " \t\n,;|"


@dataclass(frozen=True)
class Clause:
    """A part of a sentence that can stand alone."""

    note_id: int
    sentence: int
    start: int
    end: int
    section: str
    facts: tuple[Fact, ...] = field(default=())


def cut(text: str, unit: Unit, facts: Sequence[Fact], sentence: int = 0) -> list[Clause]:
    """Cut a sentence into clauses, in order. Where it is not plain that both sides stand alone, there is no cut."""
    edges = [unit.start]
    marks = list(_CUT.finditer(text, unit.start, unit.end))
    depth, at = 0, unit.start
    for index, mark in enumerate(marks):
        depth += sum((char == "(") - (char == ")") for char in text[at : mark.start()])
        at = mark.start()
        following = marks[index + 1].start() if index + 1 < len(marks) else unit.end
        if depth == 0 and not _holds_together(text, edges[-1], mark, following, facts):
            edges.append(mark.end())
    out = []
    for begin, stop in zip(edges, [*edges[1:], unit.end], strict=True):
        start, end = _trimmed(text, begin, stop, facts)
        if start < end:
            inside = tuple(fact for fact in facts if start <= fact.start and fact.end <= end)
            out.append(Clause(unit.note_id, sentence, start, end, unit.section, inside))
    return out


def _trimmed(text: str, start: int, end: int, facts: Sequence[Fact]) -> tuple[int, int]:
    """Return the clause without signs around it, the mark of a list, and an aside at its end that says no fact."""
    while start < end and text[start] in _SIGNS:
        start += 1
    while end > start and (text[end - 1] in _SIGNS or text[end - 2 : end] in {" -", " –"}):
        end -= 1
    mark = _MARK.match(text, start, end)
    before = text[text.rfind("\n", 0, start) + 1 : start].rstrip()
    if mark and mark.end() < end and before[-1:] in {"", ":"}:
        start = mark.end()
    for at in range(start + 1, end):
        aside = _ASIDE.fullmatch(text, at, end) if text[at] in " \t" else None
        if aside and not _REACHING.search(text, at, end) and not any(f.start < end and at < f.end for f in facts):
            return start, at
    return start, end


def _holds_together(text: str, low: int, mark: re.Match[str], high: int, facts: Sequence[Fact]) -> bool:
    if any(fact.start < mark.end() and mark.start() < fact.end for fact in facts):
        return True
    right = text[mark.end() : high]
    anew = _ANEW.match(right)
    if _REACHING.search(text, low, mark.start()) and not anew:
        return True
    # a word that may speak of what stands before it: "fever, cough: denied"
    return _REACHING.search(right, anew.end() if anew else 0) is not None


def compress(
    source: Source,
    verbose: Sequence[Span],
    facts: Mapping[int, Sequence[Fact]],
    extract: Callable[[str], list[Fact]],
    *,
    ratio: float,
) -> Draft:
    """Shorten the summary of stage 1 to `ratio` of its tokens.

    Parameters
    ----------
    verbose
        The spans of stage 1.
    facts
        note_id -> facts of the text of the note.
    extract
        Finds the facts of the text that was made.

    Returns
    -------
    A draft with status summarized; over_target, if the numbers alone need more; one_line, if there is nothing to choose from.
    """
    texts = source.texts
    kept = set(verbose)
    units = {
        note.note_id: [
            pair
            for pair in units_with_facts(note.sentences(), facts[note.note_id])
            if (note.note_id, pair[0].start, pair[0].end) in kept
        ]
        for note in source.notes
    }
    if sum(map(len, units.values())) <= 1:
        return Draft(tuple(verbose), "one_line", None, None, "none")
    target = int(ratio * count_tokens(render(texts, verbose)))
    said = [fact for found in units.values() for _, unit_facts in found for fact in unit_facts]
    for whole in (False, True):
        clauses = _clauses(units, texts, whole=whole)
        draft = _shorten(source, clauses, kept, target) if said else _opening(source, clauses, verbose, target)
        if not any(lost_or_turned(said, extract(render(texts, draft.spans)))):
            return draft
    # Even whole sentences read otherwise without their neighbours: nothing is left out.
    return Draft(tuple(verbose), "over_target", None, None, "none")


def _opening(source: Source, clauses: Sequence[Clause], verbose: Sequence[Span], target: int) -> Draft:
    """Return the first clauses of a text that says no fact, each once; a summary of something is not nothing."""
    texts, spans, seen = source.texts, list[Span](), set[str]()
    for clause in clauses:
        words = " ".join(texts[clause.note_id][clause.start : clause.end].lower().split()).strip(".")
        more = [*spans, Span(clause.note_id, clause.start, clause.end)]
        if words not in seen and count_tokens(render(texts, more)) <= target:
            spans = more
            seen.add(words)
    if not spans:
        return Draft(tuple(verbose), "over_target", None, None, "none")
    return Draft(tuple(spans), "summarized", None, None, "none")


def lost_or_turned(before: Sequence[Fact], after: Sequence[Fact]) -> tuple[int, int]:
    """Return how many numeric facts of `before` are not in `after`, and how many entities of `after` are negated otherwise."""
    numbers: set[tuple[str, str]] = {(f.kind, f.key) for f in before if f.is_numeric}
    ids = {fact_id(fact) for fact in before}
    known = {fact[:2] for fact in ids}
    out = {fact_id(fact) for fact in after}
    return len(numbers - {(kind, key) for kind, key, _ in out}), sum(
        fact[:2] in known and fact not in ids for fact in out
    )


def _clauses(
    units: Mapping[int, Sequence[tuple[Unit, list[Fact]]]], texts: Mapping[int, str], *, whole: bool
) -> list[Clause]:
    out: list[Clause] = []
    for note_id, found in units.items():
        for number, (unit, inside) in enumerate(found):
            if whole:
                out.append(Clause(note_id, number, unit.start, unit.end, unit.section, tuple(inside)))
            else:
                out += cut(texts[note_id], unit, inside, number)
    return out


def _shorten(source: Source, clauses: Sequence[Clause], kept: set[Span], target: int) -> Draft:
    texts = source.texts
    ids = [_ids(clause, texts) for clause in clauses]
    headings = _telling_headings(source, kept)
    places = [(clause.note_id, clause.section) for clause in clauses]
    every = {fact for found in ids for fact in found}
    required = {fact for fact in every if _is_numeric(fact)}

    def chosen(budget: float) -> tuple[list[Span], int, float] | None:
        """The spans, how many tokens they are over the target, and the bound."""
        found = cover(
            ids,
            [_cost(clause, texts) for clause in clauses],
            budget,
            required=required,
            weights={fact: _NEGATED if fact[2] else 1.0 for fact in every - required} if budget < float("inf") else {},
            headings=[place if place in headings else None for place in places],
            heading_costs={place: _tokens(unit, texts) for place, unit in headings.items()},
        )
        if found is None:
            return None
        spans = _spans(source, clauses, found.chosen, headings)
        return spans, count_tokens(render(texts, spans)) - target, found.bound

    budget = target
    for _ in range(_TRIES):
        made = chosen(budget)
        if made is None:
            break
        if made[1] <= 0:
            return Draft(tuple(made[0]), "summarized", None, round(made[2], 6), "none")
        budget -= made[1]
    made = chosen(float("inf"))
    if made is None:  # too many clauses for the solver
        return Draft(tuple(sorted(kept)), "over_target", None, None, "none")
    return Draft(tuple(made[0]), "summarized" if made[1] <= 0 else "over_target", None, None, "none")


def _tokens(part: Clause | Unit, texts: Mapping[int, str]) -> int:
    return max(1, count_tokens(texts[part.note_id][part.start : part.end]))


def _cost(clause: Clause, texts: Mapping[int, str]) -> int:
    """Return the tokens of a clause with the sign that will stand between it and what goes before it in its line."""
    text = texts[clause.note_id]
    before = text[text.rfind("\n", 0, clause.start) + 1 : clause.start].rstrip()
    signed = bool(before) and _MARK.fullmatch(f"{before} ") is None and before[-1] not in ".:!?"
    return _tokens(clause, texts) + signed


def _is_numeric(fact: FactId) -> bool:
    return Fact(fact[0], "", 0, 0).is_numeric  # type: ignore[arg-type]


def _ids(clause: Clause, texts: Mapping[int, str]) -> set[FactId]:
    # A plain number means what stands around it.
    words = " ".join(texts[clause.note_id][clause.start : clause.end].lower().split())
    return {
        ("number", f"{fact.key} in {words}", False) if fact.kind == "number" else fact_id(fact) for fact in clause.facts
    }


def _telling_headings(source: Source, kept: set[Span]) -> dict[tuple[int, str], Unit]:
    return {
        (unit.note_id, unit.section): unit
        for note in source.notes
        for unit in note.headings()
        if unit.section in _TELLING and (unit.note_id, unit.start, unit.end) in kept
    }


def _spans(
    source: Source, clauses: Sequence[Clause], chosen: AbstractSet[int], headings: Mapping[tuple[int, str], Unit]
) -> list[Span]:
    """Return the spans of clauses, those side by side in one sentence as one, with the headings that tell of them."""
    out: list[Span] = []
    for index in sorted(chosen):
        clause = clauses[index]
        beside = clauses[index - 1] if index - 1 in chosen else None
        if beside is not None and (beside.note_id, beside.sentence) == (clause.note_id, clause.sentence):
            out[-1] = out[-1]._replace(end=clause.end)
        else:
            out.append(Span(clause.note_id, clause.start, clause.end))
    used = {(clauses[i].note_id, clauses[i].section) for i in chosen}
    out += [Span(unit.note_id, unit.start, unit.end) for place, unit in headings.items() if place in used]
    order = {note.note_id: index for index, note in enumerate(source.notes)}
    return sorted(out, key=lambda span: (order[span.note_id], span.start))
