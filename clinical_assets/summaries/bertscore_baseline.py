"""The floor of an encoder's BERTScore: what it gives to pairs of texts that have nothing to do with each other.

As in bert-score (its baselines are means over random pairs of sentences), but for our own encoders and texts. A baseline is
a small JSON file that names encoder, layer and files' digest; it refuses to rescale scores of any other.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from clinical_assets.summaries.bertscore import BertScores, bert_scores
from clinical_assets.summaries.encoders import Encoder

__all__ = ["Baseline", "BaselineError", "load_baseline", "random_baseline", "rescaled", "save_baseline"]

_FEW = 20  # distinct texts: fewer make random pairs repeat each other


class BaselineError(ValueError):
    """A baseline that cannot be made, read or used; the message says why and what to do."""


@dataclasses.dataclass(frozen=True)
class Baseline:
    """Mean raw scores of random pairs.

    Attributes
    ----------
    encoder
        `Encoder.identity` of what they were computed with.
    precision, recall, f1
        Means.
    n_pairs, n_texts, seed, texts_sha256
        How many pairs, of how many distinct texts, drawn from which seed; digest of the texts.
    """

    encoder: str
    precision: float
    recall: float
    f1: float
    n_pairs: int
    n_texts: int
    seed: int
    texts_sha256: str


def random_baseline(texts: Sequence[str], encoder: Encoder, *, n_pairs: int = 1000, seed: int = 0) -> Baseline:
    """Return the mean scores of random pairs of different texts.

    Parameters
    ----------
    texts
        Texts of the kind that is scored (summaries or their sources), one person each if they can be had.
    n_pairs, seed
        How many pairs to draw, from which seed. Two distinct texts are drawn for each, with replacement between pairs.

    Raises
    ------
    BaselineError
        If there are fewer than 20 distinct texts that are not blank.
    """
    distinct = sorted({text.strip() for text in texts} - {""})
    if len(distinct) < _FEW:
        raise BaselineError(
            f"a baseline needs at least {_FEW} distinct texts that are not blank; got {len(distinct)}: give more texts, or report raw "
            "scores only"
        )
    if n_pairs < 1:
        raise BaselineError(f"n_pairs is {n_pairs}; expected at least 1, better 1000")
    generator = np.random.default_rng(seed)
    first = generator.integers(len(distinct), size=n_pairs)
    second = (first + generator.integers(1, len(distinct), size=n_pairs)) % len(distinct)
    scores = bert_scores([distinct[i] for i in first], [distinct[i] for i in second], encoder)
    digest = hashlib.sha256("\0".join(distinct).encode("utf-8", "surrogatepass")).hexdigest()
    precision, recall, f1 = (float(values.mean()) for values in (scores.precision, scores.recall, scores.f1))
    return Baseline(encoder.identity, precision, recall, f1, n_pairs, len(distinct), seed, digest)


def rescaled(scores: BertScores, baseline: Baseline) -> BertScores:
    """Return ``(x - b) / (1 - b)``: 0 is a random pair, 1 the same text.

    Below 0 is worse than random. An empty candidate stays at 0, where it would otherwise be far below and rule the mean.

    Raises
    ------
    BaselineError
        If the baseline is of another encoder, layer, number format or revision.
    """
    if scores.encoder != baseline.encoder:
        raise BaselineError(
            f"the baseline is of {baseline.encoder}, the scores are of {scores.encoder}; make one with random_baseline and the same encoder"
        )
    empty = np.isnan(scores.precision) & ~np.isnan(scores.recall)
    moved = []
    for values, b in (
        (scores.precision, baseline.precision),
        (scores.recall, baseline.recall),
        (scores.f1, baseline.f1),
    ):
        if b >= 1:
            raise BaselineError(
                f"random pairs score {b}, so the encoder tells no texts apart; choose another one or layer"
            )
        moved.append(np.where(empty & ~np.isnan(values), 0.0, (values - b) / (1 - b)))
    return dataclasses.replace(scores, precision=moved[0], recall=moved[1], f1=moved[2])


def save_baseline(baseline: Baseline, path: Path) -> None:
    """Write a baseline as JSON, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".tmp", delete=False, encoding="utf-8") as stream:
        json.dump(dataclasses.asdict(baseline), stream, indent=1)
        stream.flush()
        os.fsync(stream.fileno())
    os.replace(stream.name, path)


def load_baseline(path: Path, encoder: Encoder) -> Baseline:
    """Read a baseline and see that it is of this encoder.

    Raises
    ------
    BaselineError
        If it is missing, no such JSON, or of another encoder.
    """
    how = "make it anew with random_baseline and save_baseline"
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise BaselineError(f"baseline {path} cannot be read ({error.strerror}); {how}") from None
    except ValueError:
        raise BaselineError(f"baseline {path} is not JSON; {how}") from None
    kinds: dict[str, tuple[type, ...]] = {"str": (str,), "int": (int,), "float": (float, int)}
    fields = {field.name: kinds[str(field.type)] for field in dataclasses.fields(Baseline)}
    if not isinstance(given, dict) or given.keys() != fields.keys():
        raise BaselineError(f"baseline {path} must have exactly {', '.join(fields)}; {how}")
    wrong = [
        name for name, kind in fields.items() if not isinstance(given[name], kind) or isinstance(given[name], bool)
    ]
    if wrong:
        raise BaselineError(f"baseline {path}: {', '.join(wrong)} of the wrong type; {how}")
    baseline = Baseline(**given)
    if baseline.encoder != encoder.identity:
        raise BaselineError(f"baseline {path} is of {baseline.encoder}, not of {encoder.identity}; {how}")
    return baseline
