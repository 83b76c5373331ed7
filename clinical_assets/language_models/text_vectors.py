"""From texts to vectors with an encoder on this machine: windows of tokens, batches within a token budget, pooling.

What a vector depends on besides the text is its `settings`; two vectors with the same settings and text are the same vector.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from clinical_assets.language_models.batching import TokenBudget
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.embedding_settings import EmbeddingSettings
from clinical_assets.language_models.encoders import LoadedEncoder, pieces_at_once
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.token_windows import chunk_bounds, stride_of, window_weights

if TYPE_CHECKING:
    import torch

__all__ = ["Encodes", "LocalEncoder", "Vectors", "embedding_settings", "pool", "settings_sha", "unit_rows"]

Vectors = npt.NDArray[np.float32]

ENGINE_VERSION = 1  # a change of windows, pooling or weights makes other vectors
# Length-sorted batches of so many tokens were fastest (facts: 1,000 to 4,000 on a CPU).
_TOKENS_AT_ONCE = {"cpu": 2_048}
_TOKENS_ELSEWHERE = 32_768


class Encodes(Protocol):
    """Turns texts into vectors."""

    def encode(self, texts: Sequence[str], instruction: str) -> Vectors:
        """Return one vector a text, float32 of shape (n, dimension)."""


def embedding_settings(entry: ModelEntry) -> EmbeddingSettings:
    """Return how the entry embeds; ModelError if it does not."""
    if entry.embedding is None:
        raise ModelError(
            f"model {entry.name!r} is no encoder: give its catalogue entry tasks: [embeddings] and a block embedding"
        )
    return entry.embedding


def settings_sha(entry: ModelEntry, revision: str, dtype: str, instruction: str) -> str:
    """Return the digest of all that a vector depends on besides the text: model, revision, instruction, pooling, window, format."""
    how = embedding_settings(entry)
    said = {
        "engine": ENGINE_VERSION,
        "model": entry.model or entry.package,
        "revision": revision,
        "dtype": dtype,
        "prefix": how.prefix_for(instruction),
        "window": entry.context_length,
        **how.model_dump(exclude={"prefix"}),
    }
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).hexdigest()


def pool(states: torch.Tensor, counted: torch.Tensor, last: torch.Tensor, pooling: str) -> torch.Tensor:
    """Return one vector a row, shape (n, size), float32.

    Parameters
    ----------
    states
        Token vectors, shape (n, t, size).
    counted
        Which tokens count in a mean, bool of shape (n, t).
    last
        Place of each row's last token, shape (n,).
    pooling
        mean, cls (the first token's) or last_token.
    """
    import torch

    states = states.float()
    if pooling == "cls":
        return states[:, 0]
    if pooling == "last_token":
        return states[torch.arange(len(states), device=states.device), last]
    weights = counted.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def unit_rows(vectors: npt.NDArray[Any]) -> Vectors:
    """Return the rows at length 1; a row of zeros stays one."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


class LocalEncoder:
    """An encoder of transformers in memory.

    Parameters
    ----------
    entry
        With task embeddings.
    loaded
        Its weights.
    tokens_at_once
        Of a batch; None for what is fast on the device.
    log
        Told when memory runs out.

    Raises
    ------
    ModelError
        If the model's vectors have another dimension than the catalogue says, or its window does not fit its positions.
    """

    def __init__(
        self,
        entry: ModelEntry,
        loaded: LoadedEncoder,
        *,
        tokens_at_once: int | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._entry, self._how, self._loaded = entry, embedding_settings(entry), loaded
        size = int(loaded.model.config.get_text_config().hidden_size)
        if size != self._how.dimension:
            raise ModelError(
                f"encoder {entry.name!r} gives vectors of dimension {size}, the catalogue says {self._how.dimension}: mend "
                "embedding.dimension, or model, of its entry"
            )
        if entry.context_length > pieces_at_once(loaded.model, None):
            raise ModelError(
                f"encoder {entry.name!r}: context_length is {entry.context_length}, but the model has positions for "
                f"{pieces_at_once(loaded.model, None)} tokens; lower it, longer texts are read in windows"
            )
        self._before, self._after = _special_tokens(entry.name, loaded.tokenizer, self._how.pooling)
        at_once = tokens_at_once or _TOKENS_AT_ONCE.get(loaded.device, _TOKENS_ELSEWHERE)
        self._budget = TokenBudget(at_once, log)
        self.n_windows = 0  # read so far

    def encode(self, texts: Sequence[str], instruction: str = "") -> Vectors:
        """Return one vector a text, float32 of shape (n, dimension). Texts are read in windows, none is cut off.

        Raises
        ------
        ModelError
            If prefix and special tokens leave no room in the window, or the model gives what is no number.
        """
        windows, counts, owners, weights = self._windows(texts, self._how.prefix_for(instruction))
        vectors = np.zeros((len(windows), self._how.dimension), np.float32)
        lengths = [len(window) for window in windows]
        for rows, found in self._budget.run(
            range(len(windows)), lengths, lambda rows: self._read(rows, windows, counts)
        ):
            vectors[rows] = found
        self.n_windows += len(windows)
        if self._how.normalise:
            vectors = unit_rows(vectors)
        together = np.zeros((len(texts), self._how.dimension), np.float64)
        np.add.at(together, owners, vectors.astype(np.float64) * weights[:, None])
        if not np.isfinite(together).all():
            n = int((~np.isfinite(together)).any(axis=1).sum())
            raise ModelError(
                f"encoder {self._entry.name!r} gave what is no number for {n} of {len(texts)} texts; dtype {self._loaded.dtype} may "
                "be too narrow for it: try float32"
            )
        return unit_rows(together) if self._how.normalise else together.astype(np.float32)

    def _windows(
        self, texts: Sequence[str], prefix: str
    ) -> tuple[list[list[int]], list[tuple[int, int]], npt.NDArray[np.int64], npt.NDArray[np.float64]]:
        """Return tokens of every window, the places (first, past the last) that count in a mean, whose text it is, its weight."""
        windows: list[list[int]] = []
        counts: list[tuple[int, int]] = []
        owners: list[int] = []
        weights: list[float] = []
        for owner, (ahead, pieces) in enumerate(_pieces(self._loaded.tokenizer, texts, prefix)):
            begin, end = [*self._before, *ahead], self._after
            room = self._entry.context_length - len(begin) - len(end)
            if room < 1:
                raise ModelError(
                    f"encoder {self._entry.name!r}: instruction and special tokens take all {self._entry.context_length} tokens of its "
                    "window; shorten the instruction"
                )
            bounds = chunk_bounds(len(pieces), room, stride_of(room, self._how.overlap)) or [(0, 0)]
            shares = window_weights(bounds) if pieces else np.ones(1)
            for (a, b), share in zip(bounds, shares, strict=True):
                windows.append([*begin, *pieces[a:b], *end])
                counts.append((0 if self._how.pool_instruction else len(begin), len(windows[-1])))
                owners.append(owner)
                weights.append(float(share) / max(1, len(pieces)))
        return windows, counts, np.asarray(owners, np.int64), np.asarray(weights, np.float64)

    def _read(self, rows: list[int], windows: list[list[int]], counts: list[tuple[int, int]]) -> Vectors:
        import torch

        longest, n = max(len(windows[row]) for row in rows), len(rows)
        tokens = torch.full((n, longest), self._loaded.tokenizer.pad_token_id or 0, dtype=torch.long)
        mask, counted = torch.zeros((n, longest), dtype=torch.long), torch.zeros((n, longest), dtype=torch.bool)
        for i, row in enumerate(rows):
            tokens[i, : len(windows[row])] = torch.tensor(windows[row])
            mask[i, : len(windows[row])] = 1
            counted[i, counts[row][0] : counts[row][1]] = True
        device = self._loaded.device
        whole = bool(mask.all())  # no padding: the plain attention, which is faster
        with torch.inference_mode():
            states = self._loaded.model(
                input_ids=tokens.to(device), attention_mask=None if whole else mask.to(device)
            ).last_hidden_state
            found: Vectors = (
                pool(states, counted.to(device), (mask.sum(1) - 1).to(device), self._how.pooling).cpu().numpy()
            )
        return found


def _special_tokens(name: str, tokenizer: Any, pooling: str) -> tuple[list[int], list[int]]:
    """Return the tokens that the tokenizer puts before and behind a text; a model that pools the last token gets an end of text."""
    options = {"truncation": False, "padding": False, "verbose": False}
    bare = tokenizer("a", add_special_tokens=False, **options)["input_ids"]
    dressed = tokenizer("a", add_special_tokens=True, **options)["input_ids"]
    for start in range(len(dressed) - len(bare) + 1):
        if dressed[start : start + len(bare)] == bare:
            before, after = dressed[:start], dressed[start + len(bare) :]
            if pooling == "last_token" and not after and tokenizer.eos_token_id is not None:
                after = [tokenizer.eos_token_id]
            return before, after
    raise ModelError(f"encoder {name!r}: its special tokens do not stand around the text; it cannot be read in windows")


def _pieces(tokenizer: Any, texts: Sequence[str], prefix: str) -> list[tuple[list[int], list[int]]]:
    """Return the tokens of the prefix and of the text, for every text. They are cut together, as in the models' training."""
    if not texts:
        return []
    options = {"add_special_tokens": False, "truncation": False, "padding": False, "verbose": False}
    if not prefix:
        return [([], list(ids)) for ids in tokenizer(list(texts), **options)["input_ids"]]
    told = tokenizer([prefix + text for text in texts], return_offsets_mapping=True, **options)
    pairs = []
    for ids, offsets in zip(told["input_ids"], told["offset_mapping"], strict=True):
        n = next((i for i, (_, end) in enumerate(offsets) if end > len(prefix)), len(ids))
        pairs.append((list(ids[:n]), list(ids[n:])))
    return pairs
