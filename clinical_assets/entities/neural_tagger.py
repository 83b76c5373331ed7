"""A small convolutional network over tokens as a spaCy pipeline: hashed embeddings of forms, word vectors, P(tag) of each token.

spaCy keeps it in msgpack and JSON, no pickle. Its component is spaCy's `tagger`: `token.tag_` is the BIOES tag.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from clinical_assets.entities.tags import TAGS
from clinical_assets.entities.tokens import Token, blank_pipeline
from clinical_assets.entities.word_classes import Vectors

if TYPE_CHECKING:
    from spacy.language import Language

__all__ = ["NeuralSettings", "TaggedText", "neural_probabilities", "train_neural"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class NeuralSettings:
    """The network and its training.

    Attributes
    ----------
    width, depth
        Of the convolutions; each sees one token to either side.
    patience
        Epochs without a better score after which training ends.
    """

    width: int = 96
    depth: int = 4
    epochs: int = 20
    patience: int = 4
    batch: int = 8
    dropout: float = 0.25
    learning_rate: float = 0.001
    rows: tuple[int, ...] = (5000, 1000, 2500, 2500)
    seed: int = 0


@dataclass(frozen=True)
class TaggedText:
    """A text, its tokens that are no white space, and their tags."""

    text: str
    tokens: Sequence[Token]
    tags: Sequence[str]


def build_pipeline(settings: NeuralSettings, vectors: Vectors | None) -> Language:
    """Return the untrained pipeline."""
    from spacy.vectors import Vectors as SpacyVectors

    nlp = blank_pipeline()
    if vectors is not None:
        strings = nlp.vocab.strings
        keys = [strings.add(word) for word in vectors.words]
        nlp.vocab.vectors = SpacyVectors(strings=strings, data=vectors.values, keys=keys, attr="LOWER", name="classes")
    embed = {
        "@architectures": "spacy.MultiHashEmbed.v2",
        "width": settings.width,
        "attrs": ["NORM", "PREFIX", "SUFFIX", "SHAPE"],
        "rows": list(settings.rows),
        "include_static_vectors": vectors is not None,
    }
    encode = {
        "@architectures": "spacy.MaxoutWindowEncoder.v2",
        "width": settings.width,
        "window_size": 1,
        "maxout_pieces": 3,
        "depth": settings.depth,
    }
    tok2vec = {"@architectures": "spacy.Tok2Vec.v2", "embed": embed, "encode": encode}
    model = {"@architectures": "spacy.Tagger.v2", "nO": None, "normalize": True, "tok2vec": tok2vec}
    pipe: Any = nlp.add_pipe("tagger", config={"model": model})
    for tag in TAGS:
        pipe.add_label(tag)
    return nlp


def train_neural(
    train: Sequence[TaggedText],
    score: Callable[[Callable[[Sequence[str]], list[Floats]]], float],
    settings: NeuralSettings,
    vectors: Vectors | None,
    log: Callable[[str], None],
) -> Language:
    """Train and return the pipeline as it was when its score was best.

    Parameters
    ----------
    score
        Takes a function from texts to P(tag), returns how good that is (on documents that are not in `train`).
    """
    from spacy.util import fix_random_seed, minibatch  # type: ignore[attr-defined]
    from thinc.api import Adam

    fix_random_seed(settings.seed)
    shuffler = random.Random(settings.seed)
    nlp = build_pipeline(settings, vectors)
    examples = [_example(nlp, one) for one in train]
    nlp.initialize(lambda: examples)
    optimizer: Any = Adam(settings.learning_rate, use_averages=True)
    pipe: Any = nlp.get_pipe("tagger")
    best, since, kept = -1.0, 0, nlp.to_bytes()
    for epoch in range(1, settings.epochs + 1):
        shuffler.shuffle(examples)
        losses: dict[str, float] = {}
        for batch in minibatch(examples, settings.batch):
            nlp.update(batch, sgd=optimizer, drop=settings.dropout, losses=losses)
        with pipe.model.use_params(optimizer.averages):
            reached = score(lambda texts: neural_probabilities(nlp, texts))
            if reached >= best:  # of equals the later, which is all there is where nothing is held back
                best, since, kept = reached, 0, nlp.to_bytes()
            else:
                since += 1
        log(
            f"network: epoch {epoch} of at most {settings.epochs}, loss {losses['tagger']:,.0f}, F1 {reached:.4f}, best {best:.4f}"
        )
        if since >= settings.patience:
            break
    trained = build_pipeline(settings, vectors)
    trained.from_bytes(kept)
    return trained


def _example(nlp: Language, one: TaggedText) -> Any:
    from spacy.tokens import Doc
    from spacy.training import Example

    doc = nlp.make_doc(one.text)
    tags = ["O"] * len(doc)
    for i, tag in zip((t.i for t in doc if not t.is_space), one.tags, strict=True):
        tags[i] = tag
    reference = Doc(nlp.vocab, words=[t.text for t in doc], spaces=[bool(t.whitespace_) for t in doc], tags=tags)
    return Example(doc, reference)


def neural_probabilities(nlp: Language, texts: Sequence[str]) -> list[Floats]:
    """Return P(tag) of each token that is no white space, per text: shape (tokens, len(TAGS))."""
    pipe: Any = nlp.get_pipe("tagger")
    docs = [nlp.make_doc(text) for text in texts]
    order = [pipe.labels.index(tag) for tag in TAGS]
    out = []
    for doc, scores in zip(docs, pipe.model.predict(docs), strict=True):
        rows = [t.i for t in doc if not t.is_space]
        out.append(np.asarray(scores, dtype=np.float64)[rows][:, order])
    return out
