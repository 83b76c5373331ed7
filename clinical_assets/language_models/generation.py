"""Constrained generation: the answer token by token under a grammar. The reference that scoring is compared with.

The grammar allows the answer as the tokenizer itself writes it, and no other spelling of the same text (``' f'`` + ``'alse'``):
grammars over characters lead weak models to other answers (92.5 % agreement was measured with xgrammar and outlines).
llguidance does the masking.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.scoring import Scored
from clinical_assets.language_models.session import Session
from clinical_assets.language_models.skeleton import Skeleton

if TYPE_CHECKING:
    import torch

__all__ = ["Grammar", "allowed_tokens", "best_allowed"]


class Grammar:
    """The canonical answers of a skeleton as a grammar over tokens (about a second to build; keep it)."""

    def __init__(self, tokenizer: Any, skeleton: Skeleton, n_vocabulary: int) -> None:
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        values = zip(skeleton.false, skeleton.true, skeleton.fixed[1:], strict=True)
        rest = " ".join(f"( {_spelled(no)} | {_spelled(yes)} ) {_spelled(after)}" for no, yes, after in values)
        self._tokenizer = from_tokenizer(tokenizer, n_vocab=n_vocabulary)
        self._grammar = LLMatcher.grammar_from_lark(f"start: {_spelled(skeleton.fixed[0])} {rest}")
        self._skeleton, self._n_vocabulary = skeleton, n_vocabulary

    def generate(self, session: Session, before: tuple[torch.Tensor, torch.Tensor]) -> tuple[Scored, tuple[int, ...]]:
        """Feed `before` (tokens and validity, (n, t)), then write one answer a row, greedily.

        Returns
        -------
        tuple
            The values with P(true), and the tokens written a row.
        """
        import torch
        from llguidance import LLMatcher
        from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask

        n = before[0].shape[0]
        matchers = [LLMatcher(self._tokenizer, self._grammar) for _ in range(n)]
        written: list[list[int]] = [[] for _ in range(n)]
        p_true: list[list[float]] = [[] for _ in range(n)]
        false, true = self._skeleton.deciding
        mask = allocate_token_bitmask(1, self._n_vocabulary)
        logits = session.feed(*before, columns=[before[0].shape[1] - 1])[:, -1].cpu()
        while True:
            step = torch.zeros((n, 1), dtype=torch.long)
            going = torch.zeros((n, 1), dtype=torch.bool)
            for i, matcher in enumerate(matchers):
                if matcher.is_stopped():
                    continue
                fill_next_token_bitmask(matcher, mask)
                allowed = allowed_tokens(mask[0], self._n_vocabulary)
                k = len(p_true[i])
                if k < len(true) and allowed[true[k]] and allowed[false[k]]:
                    p_true[i].append(float(torch.sigmoid(logits[i, true[k]] - logits[i, false[k]])))
                token = best_allowed(logits[i], allowed)
                matcher.consume_token(token)
                written[i].append(token)
                step[i, 0], going[i, 0] = token, True
            if not bool(going.any()):
                break
            logits = session.feed(step, going, columns=[0])[:, -1].cpu()
        values = tuple(_values(tokens, self._skeleton) for tokens in written)
        lengths = tuple(map(len, written))
        return Scored(values, tuple(map(tuple, p_true)), lengths), lengths


def best_allowed(logits: torch.Tensor, allowed: torch.Tensor) -> int:
    """Return the token of the highest logit (vocabulary,) among those that are allowed (boolean, at least as long)."""
    return int(logits.masked_fill(~allowed[: logits.shape[0]], float("-inf")).argmax())


def _spelled(tokens: Sequence[int]) -> str:
    return " ".join(f"<[{token}]>" for token in tokens)


def _values(tokens: Sequence[int], skeleton: Skeleton) -> tuple[bool, ...]:
    """Read the values off the tokens that decide them."""
    values = []
    at = len(skeleton.fixed[0])
    for no, yes, after in zip(skeleton.false, skeleton.true, skeleton.fixed[1:], strict=True):
        values.append(tokens[at] == yes[0])
        at += len(yes if values[-1] else no) + len(after)
    return tuple(values)


def allowed_tokens(mask: torch.Tensor, n: int) -> torch.Tensor:
    """Return a bit mask of llguidance as booleans (n,)."""
    import torch

    return ((mask[:, None] >> torch.arange(32, dtype=torch.int32)) & 1).flatten()[:n].bool()
