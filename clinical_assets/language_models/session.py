"""One batch in a causal language model: a shared prefix, rows of different lengths, tokens fed in blocks, blocks taken back.

Masks are made here from positions, not left to the library: it builds sliding windows on the slot of a token, which is
wrong as soon as padding stands between a cached prefix and a row (errors of 0.6 in logits were measured). The cache is a
plain `DynamicCache` whatever the model's windows, so that it can be cropped; this module alone touches its interface.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

__all__ = ["Prefix", "Session", "pad_left", "pad_right"]


class Prefix:
    """Keys and values of the tokens that all prompts begin with, computed once. Shapes per layer: (1, heads, n, size)."""

    def __init__(self, model: Any, tokens: Sequence[int]) -> None:
        import torch

        self.tokens = tuple(tokens)
        self.layers: list[tuple[torch.Tensor, torch.Tensor]] = []
        if tokens:
            session = Session(model, 1)
            session.feed(torch.tensor([list(tokens)]), columns=[len(tokens) - 1])
            self.layers = [(layer.keys, layer.values) for layer in session.cache.layers]


class Session:
    """The state of a batch: what has been fed, which of it counts, and at which position.

    Parameters
    ----------
    model
        A causal language model of transformers.
    n_rows
        Rows of the batch.
    prefix
        Tokens that every row begins with.
    cached
        Whether blocks are remembered; without, there is one block and no prefix (gradient checkpointing allows no cache).
    """

    def __init__(self, model: Any, n_rows: int, prefix: Prefix | None = None, *, cached: bool = True) -> None:
        import torch
        from transformers import DynamicCache

        self._model, self._device, self._cached = model, model.device, cached
        self.cache: Any = DynamicCache()
        length = len(prefix.tokens) if prefix else 0
        for index, (keys, values) in enumerate(prefix.layers if prefix else ()):
            self.cache.update(keys.expand(n_rows, -1, -1, -1), values.expand(n_rows, -1, -1, -1), index)
        self._valid = torch.ones((n_rows, length), dtype=torch.bool, device=self._device)
        self._positions = torch.arange(length, device=self._device).expand(n_rows, length)

    def feed(self, tokens: torch.Tensor, valid: torch.Tensor | None = None, *, columns: Sequence[int]) -> torch.Tensor:
        """Run a block of tokens (n_rows, t); return float32 logits (n_rows, len(columns), vocabulary) at those columns.

        `valid` (n_rows, t) tells tokens from padding, which may stand anywhere.
        """
        import torch

        keep = torch.tensor(list(columns), device=self._device)
        logits: torch.Tensor = self._model(**self._block(tokens, valid), logits_to_keep=keep).logits
        return logits.float()

    def states(self, tokens: torch.Tensor, valid: torch.Tensor | None = None) -> torch.Tensor:
        """Run a block of tokens (n_rows, t); return the last hidden states (n_rows, t, size), with gradients if they are on."""
        states: torch.Tensor = self._model.base_model(**self._block(tokens, valid)).last_hidden_state
        return states

    def _block(self, tokens: torch.Tensor, valid: torch.Tensor | None) -> dict[str, Any]:
        """Account for a block; return the model's arguments."""
        import torch

        tokens = tokens.to(self._device)
        valid = torch.ones_like(tokens, dtype=torch.bool) if valid is None else valid.to(self._device)
        before = self._valid.sum(1, keepdim=True)
        positions = torch.where(valid, before + valid.cumsum(1) - 1, 0)
        self._valid = torch.cat([self._valid, valid], 1)
        self._positions = torch.cat([self._positions, positions], 1)
        return {
            "input_ids": tokens,
            "attention_mask": self._masks(positions, tokens.shape[1]),
            "position_ids": positions,
            "past_key_values": self.cache if self._cached else None,
            "use_cache": self._cached,
        }

    def take_back(self, n: int) -> None:
        """Forget the last `n` columns."""
        self.cache.crop(-n)
        left = self._valid.shape[1] - n
        self._valid, self._positions = self._valid[:, :left], self._positions[:, :left]

    def keep_rows(self, rows: torch.Tensor) -> None:
        """Go on with these rows only, in this order."""
        rows = rows.to(self._device)
        self.cache.batch_select_indices(rows)
        self._valid, self._positions = self._valid[rows], self._positions[rows]

    def _masks(self, positions: torch.Tensor, n: int) -> Any:
        import torch

        total = self._valid.shape[1]
        slots = torch.arange(total, device=self._device)
        own = slots[-n:, None] == slots[None, :]
        query, key = positions[:, :, None], self._positions[:, None, :]
        causal = self._valid[:, None, :] & (key <= query) & (slots[None, :] <= slots[-n:, None])
        # A token that is padding attends to itself: a row of the mask without any key gives NaN, which spreads.
        full = (causal | own)[:, None]
        config = self._model.config.get_text_config()
        window = getattr(config, "sliding_window", None)
        kinds = set(getattr(config, "layer_types", None) or [])
        if not window or kinds == {"full_attention"}:
            return full
        sliding = ((causal & (query - key < window)) | own)[:, None]
        if len(kinds) > 1:
            return {"full_attention": full, "sliding_attention": sliding}
        return sliding


def pad_left(rows: Sequence[Sequence[int]], pad: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows as (tokens, valid), each (n, longest), padded at the left."""
    return _padded(rows, pad, left=True)


def pad_right(rows: Sequence[Sequence[int]], pad: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Return rows as (tokens, valid), each (n, longest), padded at the right."""
    return _padded(rows, pad, left=False)


def _padded(rows: Sequence[Sequence[int]], pad: int, *, left: bool) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    longest = max(len(row) for row in rows)
    tokens = torch.full((len(rows), longest), pad, dtype=torch.long)
    valid = torch.zeros((len(rows), longest), dtype=torch.bool)
    for i, row in enumerate(rows):
        place = slice(longest - len(row), longest) if left else slice(0, len(row))
        tokens[i, place] = torch.tensor(list(row), dtype=torch.long)
        valid[i, place] = True
    return tokens, valid
