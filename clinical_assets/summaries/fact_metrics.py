"""Facts that a summary keeps, invents or turns round, counted from facts that somebody else extracted.

A fact is its kind and its normalised key; mentions of the same fact count once. Nothing here reads text. What is undefined
(nothing to keep, nothing said) is a Ratio with denominator 0, never 1.0.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import get_args

from clinical_assets.summaries.facts import Fact, FactKind
from clinical_assets.summaries.ratios import Ratio

__all__ = ["ENTITY_KINDS", "KINDS", "NUMERIC_KINDS", "facts_within", "hallucination", "negation_flips", "retention"]

KINDS: tuple[FactKind, ...] = get_args(FactKind)
NUMERIC_KINDS: tuple[FactKind, ...] = tuple(kind for kind in KINDS if Fact(kind, "", 0, 0).is_numeric)
ENTITY_KINDS: tuple[FactKind, ...] = tuple(kind for kind in KINDS if kind not in NUMERIC_KINDS)

_GROUPS = {"entities": ENTITY_KINDS, "numeric": NUMERIC_KINDS}
_NUMBER = re.compile(r"\d+(?:\.\d+)?")

Known = set[tuple[FactKind, str]]


def retention(reference: Iterable[Fact], summary: Iterable[Fact]) -> dict[str, Ratio]:
    """Return the share of the reference's facts that the summary has too: |K_reference and K_summary| / |K_reference|.

    The seed's entity recall, per kind and over normalised keys (clinical_methods 2.7). A fact whose negation was turned round is
    still counted as kept; `negation_flips` tells of it.

    Parameters
    ----------
    reference
        Facts of the text that was to be shortened: the source, or the first stage.
    summary
        Facts of the summary.

    Returns
    -------
    dict
        Each kind, `entities` (disease, drug, procedure) and `numeric` (dose, lab, vital, date, number) -> kept / to be kept.
    """
    wanted, had = _known(reference), _known(summary)
    counts = {
        kind: (sum(one in had for one in wanted if one[0] == kind), sum(one[0] == kind for one in wanted))
        for kind in KINDS
    }
    found: dict[str, Ratio] = {kind: Ratio(*counts[kind]) for kind in KINDS}
    sums = {
        name: Ratio(sum(counts[kind][0] for kind in kinds), sum(counts[kind][1] for kind in kinds))
        for name, kinds in _GROUPS.items()
    }
    return {**found, **sums}


def hallucination(source: Iterable[Fact], summary: Iterable[Fact]) -> dict[str, Ratio]:
    """Return the share of the summary's facts that the source lacks: |K_summary without K_source| / |K_summary|.

    Always against the source, also for a second stage: what the first stage invented is still invented. A date given more
    coarsely than in the source ("2021-03" for "2021-03-05") and a plain number that is part of one of the source's numeric
    facts ("400" for "imatinib 400 mg") are no inventions.

    Returns
    -------
    dict
        `entities` and `numbers` (all numeric kinds) -> invented / said. Undefined for a summary that has none.
    """
    known, said = _known(source), _known(summary)
    dates = {key for kind, key in known if kind == "date"}
    numbers = {number for kind, key in known if kind in NUMERIC_KINDS for number in _NUMBER.findall(key)}

    def is_supported(kind: FactKind, key: str) -> bool:
        if (kind, key) in known:
            return True
        if kind == "date":
            return any(date.startswith(f"{key}-") for date in dates)
        if kind == "number":
            inside = _NUMBER.findall(key)
            return bool(inside) and numbers.issuperset(inside)
        return False

    found = {}
    for name, kinds in (("entities", ENTITY_KINDS), ("numbers", NUMERIC_KINDS)):
        of_kind = [one for one in said if one[0] in kinds]
        found[name] = Ratio(sum(not is_supported(*one) for one in of_kind), len(of_kind))
    return found


def negation_flips(source: Iterable[Fact], summary: Iterable[Fact]) -> Ratio:
    """Return the share of shared facts that the summary states in a way the source never does.

    Shared: the same kind and key in both. Turned round: affirmed in the summary and only negated in the source, or negated in
    the summary and only affirmed in the source. A source that says both allows both. Undefined where nothing is shared.
    """
    theirs, ours = _polarities(source), _polarities(summary)
    shared = [one for one in ours if one in theirs]
    return Ratio(sum(not ours[one] <= theirs[one] for one in shared), len(shared))


def facts_within(facts: Sequence[Fact], end: int) -> list[Fact]:
    """Return the facts that lie wholly before an offset: those of a lead baseline, which is how its source begins."""
    return [fact for fact in facts if fact.end <= end]


def _known(facts: Iterable[Fact]) -> Known:
    return {(fact.kind, fact.key) for fact in facts}


def _polarities(facts: Iterable[Fact]) -> dict[tuple[FactKind, str], set[bool]]:
    found: dict[tuple[FactKind, str], set[bool]] = {}
    for fact in facts:
        found.setdefault((fact.kind, fact.key), set()).add(fact.negated)
    return found
