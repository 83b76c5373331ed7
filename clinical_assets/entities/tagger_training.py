"""Training the tagger on annotated documents, in stages that a run which was stopped finds done.

Stages: word classes from all texts, a conditional random field and a network on most of the documents, what joins them on the rest,
then the field on all documents. Nothing here reads a dev or test split: what is held back is a part of what is given.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from itertools import product
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from clinical_assets.entities.extraction import Found
from clinical_assets.entities.linear_chain import LinearChain, train_linear_chain
from clinical_assets.entities.names import Names
from clinical_assets.entities.neural_tagger import NeuralSettings, TaggedText, neural_probabilities, train_neural
from clinical_assets.entities.scoring import counts_of, f1_of
from clinical_assets.entities.tagger import Choice, joint, mentions_from, mentions_of
from clinical_assets.entities.tagger_store import Stages
from clinical_assets.entities.tags import best_tags, encode_tags
from clinical_assets.entities.token_features import FeatureMaker, WordClasses
from clinical_assets.entities.tokens import tokenize
from clinical_assets.entities.word_classes import ClassSettings, Vectors, learn_vectors, word_clusters
from clinical_assets.storage.entity_contracts import ENTITY_TYPES

__all__ = ["Gold", "TaggerSettings", "held_back", "train_tagger"]

Floats = npt.NDArray[np.float64]
Log = Callable[[str], None]
_LEAST_HELD_BACK = 8  # documents; with fewer, choosing on them would be choosing by chance


class Gold(NamedTuple):
    """A text and its annotated mentions (start, end, type)."""

    text: str
    mentions: tuple[tuple[int, int, str], ...]


@dataclass(frozen=True)
class TaggerSettings:
    """Everything that training depends on beside its documents."""

    c1: float = 0.1
    c2: float = 0.02
    iterations: int = 60
    share_held_back: float = 0.15
    network: NeuralSettings | None = field(default_factory=NeuralSettings)
    classes: ClassSettings = field(default_factory=ClassSettings)

    def described(self) -> dict[str, Any]:
        """Return them as JSON-serialisable values."""
        return asdict(self)


def held_back(text: str, share: float) -> bool:
    """Tell whether a document is held back for choosing: by its text, so that two copies are on one side."""
    digest = hashlib.sha256(
        ("held back:" + " ".join(text.lower().split())).encode("utf-8", "surrogatepass")
    ).hexdigest()
    return int(digest[:8], 16) / 16**8 < share


def train_tagger(
    documents: Sequence[Gold],
    background: Sequence[str],
    names: Names,
    settings: TaggerSettings,
    stages: Stages,
    log: Log,
) -> dict[str, Any]:
    """Train; leave words.json, names.json, chain.crfsuite, network/ and choice.json in the stages' folder; return what is worth telling.

    Parameters
    ----------
    documents
        All of them may be trained on.
    background
        Texts without annotations, for word classes only.
    names
        Names of a vocabulary or of other corpora.
    stages
        Where finished stages stand.
    """
    tagged = [_tagged(one) for one in documents]
    rest = [i for i, one in enumerate(documents) if held_back(one.text, settings.share_held_back)]
    choosing = len(rest) >= _LEAST_HELD_BACK
    rest_set = set(rest) if choosing else set()
    fit = [i for i in range(len(documents)) if i not in rest_set]
    vectors, classes = _classes([one.text for one in documents], background, settings.classes, stages, log)
    stages.json("names.json", names.to_json)
    maker = FeatureMaker(classes, names)
    told: dict[str, Any] = {
        "n_documents": len(documents),
        "n_held_back": len(rest_set),
        "n_background": len(background),
    }

    def chain(name: str, which: Sequence[int]) -> LinearChain:
        def make(path: Path) -> None:
            log(f"field {name}: {len(which):,} documents")
            rows = ((maker.document([w for _, _, w in tagged[i].tokens]), list(tagged[i].tags)) for i in which)
            train_linear_chain(rows, path, c1=settings.c1, c2=settings.c2, iterations=settings.iterations)

        return LinearChain(stages.file(f"{name}.crfsuite", make))

    choice = Choice(network_weight=0.5 if settings.network else 0.0)
    if choosing:
        gold = [documents[i].mentions for i in rest]
        texts, tokens = [documents[i].text for i in rest], [tagged[i].tokens for i in rest]
        held = chain("held", fit)
        fields = [held.probabilities(maker.document([w for _, _, w in one])) for one in tokens]
        network = None
        if settings.network:
            wanted = settings.network

            def score(ask: Callable[[Sequence[str]], list[Floats]]) -> float:
                found = [
                    mentions_of(t, p, Choice().bonus_columns(), 2.0) for t, p in zip(tokens, ask(texts), strict=True)
                ]
                return _f1(gold, found)

            nlp = stages.network(lambda: train_neural([tagged[i] for i in fit], score, wanted, vectors, log))
            network = neural_probabilities(nlp, texts)
        choice, reached = _choose(gold, tokens, fields, network)
        told |= {"held_back_f1": reached, "choice": asdict(choice)}
        log(f"chosen on {len(rest):,} documents held back: F1 {reached}")
    elif settings.network:
        once = settings.network
        stages.network(lambda: train_neural([tagged[i] for i in fit], lambda _: 0.0, once, vectors, log))
    chain("chain", range(len(documents)))
    stages.file(
        "choice.json", lambda path: path.write_text(json.dumps(asdict(choice), sort_keys=True), encoding="utf-8")
    )
    return told


def _tagged(one: Gold) -> TaggedText:
    tokens = tokenize(one.text)
    return TaggedText(one.text, tokens, encode_tags(tokens, one.mentions))


def _classes(
    texts: Sequence[str], background: Sequence[str], settings: ClassSettings, stages: Stages, log: Log
) -> tuple[Vectors | None, WordClasses]:
    vectors = stages.vectors(lambda: learn_vectors([*texts, *background], settings, log))
    said = stages.json("words.json", lambda: {} if vectors is None else word_clusters(vectors, settings))
    return vectors, {word: tuple(row) for word, row in said.items()}


def _choose(
    gold: Sequence[tuple[tuple[int, int, str], ...]],
    tokens: Sequence[Any],
    fields: Sequence[Floats],
    network: Sequence[Floats] | None,
) -> tuple[Choice, dict[str, float]]:
    """Return the choice with the best mean F1 of the types, and the F1 of each; of equals the first, which changes least."""
    best: tuple[float, Choice, dict[str, float]] | None = None
    tags: list[list[str]] = []
    kinds = [kind for kind in ENTITY_TYPES if any(kind == g[2] for one in gold for g in one)]
    for weight in (0.0,) if network is None else (0.5, 0.35, 0.65, 0.2, 0.0):
        probabilities = joint(fields, network, Choice(network_weight=weight))
        for bonus, again in product((0.0, 0.3, 0.6, 1.0), (2.0, 0.05, 0.15)):
            one = Choice(weight, dict.fromkeys(ENTITY_TYPES, bonus), again)
            if again > 1:  # the first of a bonus: the tags are the same for the others
                tags = [best_tags(p, one.bonus_columns()) for p in probabilities]
            found = [mentions_from(t, p, tag, again) for t, p, tag in zip(tokens, probabilities, tags, strict=True)]
            reached = {kind: _f1(gold, found, kind) for kind in kinds}
            mean = sum(reached.values()) / max(len(reached), 1)
            if best is None or mean > best[0]:
                best = (mean, one, reached)
    assert best is not None
    return best[1], {kind: round(value, 4) for kind, value in best[2].items()}


def _f1(
    gold: Sequence[tuple[tuple[int, int, str], ...]], found: Sequence[list[Found]], kind: str | None = None
) -> float:
    said = [{f[:3] for f in one if kind in (None, f.entity_type)} for one in found]
    meant = [{g for g in one if kind in (None, g[2])} for one in gold]
    return f1_of(counts_of(meant, said).sum(axis=0)) or 0.0
