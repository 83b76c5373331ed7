"""The trained tagger put together: conditional random field and network, averaged, the best legal tags, one voice per document."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from clinical_assets.entities.extraction import Found
from clinical_assets.entities.linear_chain import LinearChain
from clinical_assets.entities.neural_tagger import neural_probabilities
from clinical_assets.entities.tags import TAGS, best_tags, decode_tags, type_columns
from clinical_assets.entities.token_features import FeatureMaker
from clinical_assets.entities.tokens import Token, tokenize
from clinical_assets.storage.entity_contracts import ENTITY_TYPES

if TYPE_CHECKING:
    from spacy.language import Language

__all__ = ["Choice", "Tagger", "joint", "mentions_from", "mentions_of", "one_voice"]

Floats = npt.NDArray[np.float64]
_SHORTEST = 3  # characters from which on a name is looked for in the rest of its document


@dataclass(frozen=True)
class Choice:
    """What is set on documents that neither part was trained on.

    Attributes
    ----------
    network_weight
        Weight of the network in the average of the two, 0 to 1.
    bonus
        Added to the log probability of each type's tags: above 0, more of it is found.
    again_least
        P(type) of every token from which on words are a mention because they are one elsewhere in the document; above 1: never.
    """

    network_weight: float = 0.5
    bonus: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(ENTITY_TYPES, 0.3))
    again_least: float = 0.05

    def bonus_columns(self) -> Floats:
        """Return the bonus of each tag."""
        out = np.zeros(len(TAGS))
        for kind, value in self.bonus.items():
            out[type_columns(kind)] = value
        return out


@dataclass(frozen=True)
class Tagger:
    """Both parts and how they are joined; without a network, the field alone."""

    features: FeatureMaker
    chain: LinearChain
    network: Language | None
    choice: Choice

    def tag(self, texts: Sequence[str], batch: int = 32) -> Iterator[list[Found]]:
        """Yield the mentions of each text, by start."""
        bonus = self.choice.bonus_columns()
        for first in range(0, len(texts), batch):
            part = texts[first : first + batch]
            tokens = [tokenize(text) for text in part]
            fields = [self.chain.probabilities(self.features.document([w for _, _, w in one])) for one in tokens]
            joined = joint(fields, self._network(part), self.choice)
            for said, probabilities in zip(tokens, joined, strict=True):
                yield mentions_of(said, probabilities, bonus, self.choice.again_least)

    def _network(self, texts: Sequence[str]) -> list[Floats] | None:
        if self.network is None or self.choice.network_weight == 0:
            return None
        return neural_probabilities(self.network, texts)


def joint(fields: Sequence[Floats], network: Sequence[Floats] | None, choice: Choice) -> list[Floats]:
    """Return the weighted mean of both parts' probabilities."""
    if network is None:
        return list(fields)
    w = choice.network_weight
    return [(1 - w) * a + w * b for a, b in zip(fields, network, strict=True)]


def mentions_of(tokens: Sequence[Token], probabilities: Floats, bonus: Floats, again_least: float) -> list[Found]:
    """Return the mentions of one document from P(tag) of its tokens."""
    return mentions_from(tokens, probabilities, best_tags(probabilities, bonus), again_least)


def mentions_from(tokens: Sequence[Token], probabilities: Floats, tags: list[str], again_least: float) -> list[Found]:
    """Return the mentions of one document from its best tags, with one voice."""
    tags = one_voice(tokens, probabilities, tags, again_least)
    chosen = [round(float(probabilities[i, _COLUMN[tag]]), 4) for i, tag in enumerate(tags)]  # as in any batch
    return decode_tags(tokens, tags, chosen)


_COLUMN = {tag: i for i, tag in enumerate(TAGS)}


def one_voice(tokens: Sequence[Token], probabilities: Floats, tags: list[str], least: float) -> list[str]:
    """Return tags in which words that are a mention in one place are one wherever nothing speaks clearly against it.

    The longest mentions first; the type is the one that the words have most often.
    """
    if least > 1:
        return tags
    low = [word.lower() for _, _, word in tokens]
    names: dict[tuple[str, ...], Counter[str]] = defaultdict(Counter)
    first = 0
    for i, tag in enumerate(tags):
        if tag[0] in "BS":
            first = i
        if tag[0] in "ES":
            names[tuple(low[first : i + 1])][tag[2:]] += 1
    at: dict[str, list[int]] = defaultdict(list)
    for i, word in enumerate(low):
        at[word].append(i)
    out, sums = list(tags), {kind: probabilities[:, type_columns(kind)].sum(axis=1) for kind in ENTITY_TYPES}
    for name, kinds in sorted(names.items(), key=lambda item: (-len(item[0]), item[0])):
        if sum(map(len, name)) < _SHORTEST:
            continue
        kind, n = kinds.most_common(1)[0][0], len(name)
        for i in at[name[0]]:
            if (
                tuple(low[i : i + n]) == name
                and all(tag == "O" for tag in out[i : i + n])
                and sums[kind][i : i + n].min() >= least
            ):
                out[i : i + n] = [f"{part}-{kind}" for part in ("S" if n == 1 else "B" + "I" * (n - 2) + "E")]
    return out
