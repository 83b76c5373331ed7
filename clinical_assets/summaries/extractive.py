"""Stage 1 of the offline summarizer: whole sentences, as they stand, that say as many of the facts as fit.

It is named for what it is: `extractive`. It chooses, it writes nothing.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from clinical_assets.study.summarizing import Focus
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.focus import priors
from clinical_assets.summaries.sentence_vectors import SentenceEncoder
from clinical_assets.summaries.source import Source, Unit
from clinical_assets.summaries.spans import Span, render
from clinical_assets.summaries.submodular import Choice, Objective, choose
from clinical_assets.summaries.text_metrics import count_tokens

__all__ = [
    "EXTRACTIVE_VERSION",
    "Draft",
    "FactId",
    "fact_id",
    "fact_weight",
    "similarity",
    "summarize",
    "units_with_facts",
]

# Raise it whenever the same source and settings could give another summary.
EXTRACTIVE_VERSION = "2"
_WEIGHTS = {
    "dose": 3.0,
    "lab": 2.0,
    "vital": 1.5,
    "date": 1.5,
    "number": 1.5,
    "disease": 2.0,
    "drug": 2.0,
    "procedure": 2.0,
    "concept": 1.0,
}
_NEGATED = 0.5  # of the weight: what is not there fills reviews of systems
_MOST_SENTENCES = 3_000  # beyond, the matrix of similarities would not fit; facts alone decide
_TRIES = 4
_WORD = r"(?u)\b\w+\b"

FactId = tuple[str, str, bool]


@dataclass(frozen=True)
class Draft:
    """What a stage made: the spans in the order of the source, and what it was worth."""

    spans: tuple[Span, ...]
    status: str
    coverage: float | None
    bound: float | None
    similarity: str


def fact_id(fact: Fact) -> FactId:
    """Return what makes two facts the same: kind and normal form, and for entities whether they are negated."""
    return fact.kind, fact.key, fact.negated and not fact.is_numeric


def fact_weight(fact: FactId) -> float:
    """Return how much a fact counts."""
    return _WEIGHTS[fact[0]] * (_NEGATED if fact[2] else 1.0)


def units_with_facts(units: Sequence[Unit], facts: Sequence[Fact]) -> list[tuple[Unit, list[Fact]]]:
    """Return the sentences of one note with their facts; sentences that share a fact become one, so that none is cut in two."""
    out: list[tuple[Unit, list[Fact]]] = []
    starts = [unit.start for unit in units]
    joined = set()
    for fact in facts:
        first, last = bisect_right(starts, fact.start) - 1, bisect_right(starts, fact.end - 1) - 1
        joined |= set(range(max(first, 0) + 1, last + 1))
    for index, unit in enumerate(units):
        if index in joined and out and out[-1][0].section == unit.section:
            before, _ = out[-1]
            out[-1] = (Unit(unit.note_id, before.start, unit.end, before.section), [])
        else:
            out.append((unit, []))
    starts = [unit.start for unit, _ in out]
    for fact in facts:
        at = bisect_right(starts, fact.start) - 1
        if at >= 0 and fact.end <= out[at][0].end:
            out[at][1].append(fact)
    return out


def similarity(sentences: Sequence[str], encoder: SentenceEncoder | None = None) -> tuple[Any, str]:
    """Return the cosines of the sentences and the name of what they were made with.

    The name is the encoder's, tfidf without one, none where there are too many sentences. Negative cosines count as 0.
    """
    n = len(sentences)
    if n > _MOST_SENTENCES:
        return np.zeros((n, n), dtype=np.float32) if n < 2 * _MOST_SENTENCES else np.zeros((n, 1)), "none"
    if encoder is not None:
        unit = encoder.vectors(sentences)
        return np.clip(unit @ unit.T, 0.0, 1.0), encoder.name
    from sklearn.feature_extraction.text import TfidfVectorizer

    try:
        vectors = TfidfVectorizer(token_pattern=_WORD, sublinear_tf=True).fit_transform(sentences)
    except ValueError:  # no word in any of them
        return np.eye(n), "none"
    return np.asarray((vectors @ vectors.T).todense()), "tfidf"


def summarize(
    source: Source,
    facts: Mapping[int, Sequence[Fact]],
    *,
    ratio: float,
    max_tokens: int,
    focus: Focus = Focus(),  # noqa: B008 - frozen
    encoder: SentenceEncoder | None = None,
) -> Draft:
    """Choose sentences of a source that is ready; headings of the sections they stand in come with them.

    Parameters
    ----------
    facts
        note_id -> facts of its text.
    ratio, max_tokens
        The budget: at most this share of the source's tokens, and at most so many.
    focus
        What to look for besides facts.
    encoder
        What sentences are compared with; TF-IDF if None.
    """
    sentences = [pair for note in source.notes for pair in units_with_facts(note.sentences(), facts[note.note_id])]
    headings = [unit for note in source.notes for unit in note.headings()]
    texts = source.texts
    if len(sentences) <= 1:
        spans = sorted(_span(unit) for unit in [*headings, *(unit for unit, _ in sentences)])
        return Draft(tuple(spans), "one_line", 1.0, 1.0, "none")
    words = [texts[unit.note_id][unit.start : unit.end] for unit, _ in sentences]
    costs = [max(1, count_tokens(text)) for text in words]
    # Headings are taken off the budget first, so that costs simply add up: which sections are used is not known yet.
    reserved = sum(count_tokens(texts[unit.note_id][unit.start : unit.end]) for unit in headings)
    target = min(int(ratio * sum(count_tokens(text) for text in texts.values())), max_tokens)
    budget = max(target - reserved, min(costs))
    matrix, name = similarity(words, encoder)
    worth = list(priors(focus, words, matrix) * costs) if focus.share else []
    order = {note.note_id: index for index, note in enumerate(source.notes)}
    for _ in range(_TRIES):
        choice = choose(_objective(sentences, matrix, focus, worth), costs, budget)
        spans = _with_headings(choice, sentences, headings, order)
        over = count_tokens(render(texts, spans)) - target
        if over <= 0:
            break
        budget = max(budget - over, 1)
    status = "summarized" if over <= 0 else "over_target"
    return Draft(tuple(spans), status, round(choice.value, 6), round(choice.bound, 6), name)


def _objective(
    sentences: Sequence[tuple[Unit, list[Fact]]], matrix: Any, focus: Focus, worth: Sequence[float]
) -> Objective:
    numbers: dict[FactId, int] = {}
    sets = [frozenset(numbers.setdefault(fact_id(fact), len(numbers)) for fact in found) for _, found in sentences]
    # Likeness decides between sentences that say as much; by default it must not buy small talk for a lab value.
    share = focus.facts * (1 - focus.share)
    weights = [fact_weight(fact) for fact in numbers]
    return Objective(sets, weights, matrix, share, worth=worth, prior_share=focus.share)


def _with_headings(
    choice: Choice, sentences: Sequence[tuple[Unit, list[Fact]]], headings: Sequence[Unit], order: Mapping[int, int]
) -> list[Span]:
    chosen = [sentences[i][0] for i in choice.chosen]
    spans = [_span(unit) for unit in chosen]
    for index, heading in enumerate(headings):
        following = headings[index + 1] if index + 1 < len(headings) else None
        end = following.start if following and following.note_id == heading.note_id else None
        if any(
            unit.note_id == heading.note_id and unit.start >= heading.end and (end is None or unit.start < end)
            for unit in chosen
        ):
            spans.append(_span(heading))
    return sorted(spans, key=lambda span: (order[span.note_id], span.start))


def _span(unit: Unit) -> Span:
    return Span(unit.note_id, unit.start, unit.end)
