"""Stage 2 of the offline summarizer: clauses of stage 1 that say something new, down to a share of its length.

Named `extractive_clauses`. It drops what holds no fact or only facts that are said already. Three things it never does: drop
a number, part a negation (or an "if", or "history of") from what it speaks of, part a drug from its dose. What it made is read
again by the extractor; where a fact was lost or turned, whole sentences are used instead of clauses. A plain number is one fact
each time it is said: that two clauses both hold a 3 does not make one of them needless.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from clinical_assets.labels.lexicon import SECTION_PRIORS
from clinical_assets.summaries.extractive import Draft, FactId, fact_id, fact_weight, units_with_facts
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.source import Source, Unit
from clinical_assets.summaries.spans import Span, render
from clinical_assets.summaries.submodular import Objective, choose
from clinical_assets.summaries.text_metrics import count_tokens

__all__ = ["CLAUSES_VERSION", "Clause", "compress", "cut", "lost_or_turned"]

# Raise it whenever the same source and settings could give another summary.
CLAUSES_VERSION = "2"
# Sections whose heading says of whom or of what time the text speaks.
_TELLING = frozenset(name for names in SECTION_PRIORS.values() for name in names) | {"allergies"}
_CUT = re.compile(r"[;,](?=[ \t\n])|[ \t]\|(?=[ \t])|(?<=\w)[ \t](?=(?:but|however|although|while)\b)", re.IGNORECASE)
_REACHING = re.compile(
    r"\b(?:no|not|non|nor|neither|none|never|denie[sd]|deny|without|negative|neg|absent|free|rather|unlikely|ruled|rule|r/o|"
    r"declined?|if|unless|until|when|should|may|might|possibly?|possible|probable|likely|suspected|suspicion|concern|versus|vs|"
    r"history|hx|h/o|fhx|mother|father|brother|sister|family|avoid|stop|stopped|stopping|discontinued?|held|hold|failed|"
    r"intolera\w{2,5}|allerg\w{1,5}|cannot|can't|isn't|wasn't|doesn't|didn't|hasn't|won't|fails?|lacks?|resolved|gone)\b",
    re.IGNORECASE,
)
_ANEW = re.compile(
    r"[ \t\n]*(?:but|however|although|while|no|not|denie[sd]|without|never|mother|father|brother|sister)\b",
    re.IGNORECASE,
)
_TRIES = 4
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
    for start, end in zip(edges, [*edges[1:], unit.end], strict=True):
        while start < end and text[start] in _SIGNS:
            start += 1  # noqa: PLW2901
        while end > start and text[end - 1] in _SIGNS:
            end -= 1  # noqa: PLW2901
        if start < end:
            inside = tuple(fact for fact in facts if start <= fact.start and fact.end <= end)
            out.append(Clause(unit.note_id, sentence, start, end, unit.section, inside))
    return out


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
        draft = _shorten(source, clauses, kept, target)
        if not any(lost_or_turned(said, extract(render(texts, draft.spans)))):
            return draft
    # Even whole sentences read otherwise without their neighbours: nothing is left out.
    return Draft(tuple(verbose), "over_target", None, None, "none")


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
    costs = [max(1, count_tokens(texts[clause.note_id][clause.start : clause.end])) for clause in clauses]
    needed = _needed(ids, costs)
    said = {fact for i in needed for fact in ids[i]}
    headings = _telling_headings(source, kept)
    number: dict[FactId, int] = {}
    rest = [i for i in range(len(clauses)) if i not in needed and ids[i] - said]
    sets = [frozenset(number.setdefault(fact, len(number)) for fact in ids[i] - said) for i in rest]
    # A heading may come with a clause; what it costs is reckoned with every clause that needs it.
    heading = [headings.get((clauses[i].note_id, clauses[i].section)) for i in rest]
    fill = [
        costs[i] + (count_tokens(texts[h.note_id][h.start : h.end]) if h else 0)
        for i, h in zip(rest, heading, strict=True)
    ]
    spans = _spans(source, clauses, needed, headings)
    budget = target - count_tokens(render(texts, spans))
    over, bound = -budget, None
    for _ in range(_TRIES):
        if budget <= 0:
            break
        objective = Objective(sets, [fact_weight(fact) for fact in number], np.zeros((len(rest), 1)), share=1.0)
        choice = choose(objective, fill, budget)
        spans = _spans(source, clauses, needed | {rest[i] for i in choice.chosen}, headings)
        over, bound = count_tokens(render(texts, spans)) - target, round(choice.bound, 6)
        if over <= 0:
            break
        budget -= over
    if over > 0 and budget <= 0:
        spans = _spans(source, clauses, needed, headings)
        over = count_tokens(render(texts, spans)) - target
    return Draft(tuple(spans), "summarized" if over <= 0 else "over_target", None, bound, "none")


def _ids(clause: Clause, texts: Mapping[int, str]) -> set[FactId]:
    # A plain number means what stands around it.
    words = " ".join(texts[clause.note_id][clause.start : clause.end].lower().split())
    return {
        ("number", f"{fact.key} in {words}", False) if fact.kind == "number" else fact_id(fact) for fact in clause.facts
    }


def _needed(ids: Sequence[set[FactId]], costs: Sequence[int]) -> set[int]:
    """Return clauses that together say every numeric fact, each where most else is said with it."""
    numeric = [{fact for fact in found if Fact(fact[0], "", 0, 0).is_numeric} for found in ids]  # type: ignore[arg-type]
    at: dict[FactId, list[int]] = {}
    for index, found in enumerate(numeric):
        for fact in found:
            at.setdefault(fact, []).append(index)
    needed: set[int] = set()
    said: set[FactId] = set()
    for fact, places in sorted(at.items(), key=lambda item: (len(item[1]), item[1][0])):
        if fact not in said:
            best = max(places, key=lambda i: (len(numeric[i] - said), len(ids[i]), -costs[i], -i))
            needed.add(best)
            said |= numeric[best]
    return needed


def _telling_headings(source: Source, kept: set[Span]) -> dict[tuple[int, str], Unit]:
    return {
        (unit.note_id, unit.section): unit
        for note in source.notes
        for unit in note.headings()
        if unit.section in _TELLING and (unit.note_id, unit.start, unit.end) in kept
    }


def _spans(
    source: Source, clauses: Sequence[Clause], chosen: set[int], headings: Mapping[tuple[int, str], Unit]
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
