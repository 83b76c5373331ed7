"""Stage 2 by a model: drafts, and in each round the facts that the last draft lost are named, until enough is kept.

After Chain of Density (Adams et al. 2023, arXiv 2309.04269), turned round: there a summary of fixed length takes in entities
that it lacks; here one that gets shorter must not lose them. Which are lost is found by the platform's own extractor, not by
the model. What stage 1 invented is not asked for.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field

from clinical_assets.language_models.texts import TextRequest, Writer, WrittenText
from clinical_assets.study.summarizing import Summaries
from clinical_assets.summaries.extractive import FactId, fact_id
from clinical_assets.summaries.fact_metrics import hallucination
from clinical_assets.summaries.facts import Fact
from clinical_assets.summaries.text_metrics import count_tokens
from clinical_assets.summaries.written.map_reduce import Drafted, pieces_of, plain_document, settle
from clinical_assets.summaries.written.stage import Wordings

__all__ = ["FirstStage", "compress_summaries", "named"]

_BEFORE = re.compile(r"(?:\S+[ \t]+){0,4}\Z")
_AFTER = re.compile(r"(?:[ \t]+\S+){0,2}")
_CONTEXT = 60  # characters in which these words are looked for


@dataclass(frozen=True)
class FirstStage:
    """A summary of stage 1, and the facts of its source."""

    text: str = field(repr=False)
    source: Sequence[Fact]


@dataclass
class _Draft:
    """One draft of a part, and how good it is."""

    made: WrittenText
    lost: set[FactId]
    n_invented: int
    n_tokens: int
    targets: tuple[bool, bool, bool]  # numeric facts, entities, length
    kept: tuple[float, float]

    @property
    def is_whole(self) -> bool:
        return self.made.status == "written"

    @property
    def is_enough(self) -> bool:
        return self.is_whole and not self.n_invented and all(self.targets)

    @property
    def worth(self) -> tuple[float, ...]:
        numeric, entities, short = self.targets
        return (
            self.is_whole, self.n_invented == 0, numeric + entities + short, numeric, *self.kept, -self.n_invented, -self.n_tokens,
        )  # fmt: skip


@dataclass
class _Part:
    """A part of a summary of stage 1 while it is shortened."""

    text: str
    facts: list[Fact]
    source: Sequence[Fact]
    drafts: list[_Draft] = field(default_factory=list)
    last: WrittenText | None = None  # the last call, where it gave no draft
    asked: set[tuple[tuple[str, str], ...]] = field(default_factory=set)

    @property
    def wanted(self) -> set[FactId]:
        true = {(fact.kind, fact.key) for fact in self.source}
        return {fact_id(fact) for fact in self.facts if (fact.kind, fact.key) in true}

    def is_new(self, request: TextRequest) -> bool:
        """Tell whether this was not asked before, and remember it."""
        slots = tuple(sorted(request.slots.items()))
        fresh = slots not in self.asked
        self.asked.add(slots)
        return fresh

    @property
    def best(self) -> _Draft | None:
        return max(self.drafts, key=lambda draft: draft.worth, default=None)


def compress_summaries(
    writer: Writer,
    firsts: Sequence[FirstStage],
    words: Wordings,
    rules: Summaries,
    extract: Callable[[str], list[Fact]],
) -> list[Drafted]:
    """Return a shorter summary of each, in their order: of all drafts the best, which need not be the last."""
    room = writer.room(words.compress, rules.written.compressed_max_new_tokens)
    split = [
        [_Part(piece, extract(piece), first.source) for piece in pieces_of(plain_document(first.text), room, writer)]
        for first in firsts
    ]
    drafts = [Drafted("summarized", None, n_parts=len(parts), n_rounds=0, rounds=[]) for parts in split]
    owner = {id(part): draft for parts, draft in zip(split, drafts, strict=True) for part in parts}
    going = [part for parts in split for part in parts]
    for number in range(rules.written.rounds):
        asked = [(part, _request(part, words, rules)) for part in going]
        # The same question would give the same answer: where a round made nothing better, there is no other.
        asked = [(part, request) for part, request in asked if part.is_new(request)]
        going, requests = [part for part, _ in asked], [request for _, request in asked]
        if not going:
            break
        for index, made in writer.write(requests):
            part = going[index]
            owner[id(part)].spend(made)
            if made.text is None:
                part.last = made
            else:
                part.drafts.append(_judged(part, made, rules, extract))
        for draft, parts in zip(drafts, split, strict=True):
            if any(part in going for part in parts):
                draft.n_rounds = number + 1
        going = [part for part in going if part.last is None and not part.drafts[-1].is_enough]
    for draft, parts in zip(drafts, split, strict=True):
        draft.rounds = _rounds(parts, draft.n_rounds)
        chosen = [part.best for part in parts]
        draft.parts = [
            best.made if best is not None else part.last or WrittenText("failed", None)
            for best, part in zip(chosen, parts, strict=True)
        ]
        settle(draft)
        if draft.status == "summarized" and any(best is not None and not all(best.targets[:2]) for best in chosen):
            draft.status = "facts_lost"
    return drafts


def named(text: str, facts: Collection[Fact], most: int) -> str:
    """Return facts of a text as lines for a prompt, numbers first; what is denied is said to be, a bare number with its words."""
    lines: dict[str, None] = {}
    for fact in sorted(facts, key=lambda fact: (not fact.is_numeric, fact.start)):
        said = " ".join(text[fact.start : fact.end].split())
        if fact.kind in {"number", "date"}:
            line = text[text.rfind("\n", 0, fact.start) + 1 : fact.start][-_CONTEXT:]
            before, after = _BEFORE.search(line), _AFTER.match(text[fact.end : fact.end + _CONTEXT])
            said = f"{before[0] if before else ''}{said}{after[0] if after else ''}".strip()
        lines.setdefault(f"- {said}{' (denied or absent)' if fact.negated and not fact.is_numeric else ''}")
    return "\n".join(list(lines)[:most])


def _request(part: _Part, words: Wordings, rules: Summaries) -> TextRequest:
    most, best = rules.written.compressed_max_new_tokens, part.best
    if best is None or best.made.text is None:
        return TextRequest(words.compress, {"note": part.text}, most)
    once: dict[FactId, Fact] = {}
    for fact in part.facts:
        if fact_id(fact) in best.lost:
            once.setdefault(fact_id(fact), fact)
    lost = named(part.text, once.values(), rules.written.named_facts) or "- nothing; only the length is to be mended"
    return TextRequest(words.refine, {"note": part.text, "draft": best.made.text, "lost": lost}, most)


def _judged(part: _Part, made: WrittenText, rules: Summaries, extract: Callable[[str], list[Fact]]) -> _Draft:
    text = made.text or ""
    found, wanted, enough = extract(text), part.wanted, rules.written
    lost = wanted - {fact_id(fact) for fact in found}
    kept = []
    for numeric in (True, False):
        of_kind = {one for one in wanted if Fact(one[0], "", 0, 0).is_numeric == numeric}  # type: ignore[arg-type]
        kept.append(1 - len(lost & of_kind) / len(of_kind) if of_kind else 1.0)
    n_tokens = count_tokens(text)
    short = n_tokens <= rules.compressed_ratio * count_tokens(part.text)
    targets = (kept[0] >= enough.numeric_retention, kept[1] >= enough.entity_retention, short)
    invented = hallucination(part.source, found)["numbers"].numerator
    return _Draft(made, lost, int(invented), n_tokens, targets, (kept[0], kept[1]))


def _rounds(parts: Sequence[_Part], n: int) -> list[dict[str, int]]:
    """Return what was lost by round, over all parts; a part that was done earlier counts with its last draft."""
    out = []
    for number in range(n):
        drafts = [part.drafts[min(number, len(part.drafts) - 1)] for part in parts if part.drafts]
        numeric = [sum(Fact(one[0], "", 0, 0).is_numeric for one in draft.lost) for draft in drafts]  # type: ignore[arg-type]
        out.append(
            {
                "n_tokens": sum(draft.n_tokens for draft in drafts),
                "n_entities_lost": sum(len(draft.lost) for draft in drafts) - sum(numeric),
                "n_numeric_lost": sum(numeric),
                "n_numeric_invented": sum(draft.n_invented for draft in drafts),
            }
        )
    return out
