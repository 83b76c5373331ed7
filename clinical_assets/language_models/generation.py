"""Constrained generation: the answer token by token under a grammar. The reference that scoring is compared with.

llguidance computes the allowed tokens because it forces canonical tokens where the answer is fixed; grammars that allow
every spelling of the same text lead weak models to other answers (xgrammar, outlines: 92.5 % agreement was measured).
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.scoring import Scored
from clinical_assets.language_models.session import Session
from clinical_assets.language_models.skeleton import Skeleton

if TYPE_CHECKING:
    import torch

__all__ = ["Grammar"]


class Grammar:
    """The answers to a schema as a grammar over a tokenizer's tokens (about a second to build; keep it)."""

    def __init__(self, tokenizer: Any, schema: AnswerSchema, n_vocabulary: int) -> None:
        from llguidance import LLMatcher
        from llguidance.hf import from_tokenizer

        self._schema = schema
        self._tokenizer = from_tokenizer(tokenizer, n_vocab=n_vocabulary)
        # Blanks as the schema's own text has them, and nowhere else.
        options = {"whitespace_flexible": False, "item_separator": ", ", "key_separator": ": "}
        self._grammar = LLMatcher.grammar_from_json_schema({**schema.json_schema(), "x-guidance": options})
        self._n_vocabulary = n_vocabulary

    def generate(
        self, session: Session, before: tuple[torch.Tensor, torch.Tensor], skeleton: Skeleton
    ) -> tuple[Scored, tuple[int, ...]]:
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
        false, true = skeleton.deciding
        mask = allocate_token_bitmask(1, self._n_vocabulary)
        logits = session.feed(*before, columns=[before[0].shape[1] - 1])[:, -1].cpu()
        while True:
            step = torch.zeros((n, 1), dtype=torch.long)
            going = torch.zeros((n, 1), dtype=torch.bool)
            for i, matcher in enumerate(matchers):
                if matcher.is_stopped():
                    continue
                fill_next_token_bitmask(matcher, mask)
                allowed = _bits(mask[0], self._n_vocabulary)
                k = len(p_true[i])
                if k < len(true) and allowed[true[k]] and allowed[false[k]]:
                    p_true[i].append(float(torch.sigmoid(logits[i, true[k]] - logits[i, false[k]])))
                token = int(logits[i].masked_fill(~allowed[: logits.shape[1]], float("-inf")).argmax())
                matcher.consume_token(token)
                written[i].append(token)
                step[i, 0], going[i, 0] = token, True
            if not bool(going.any()):
                break
            logits = session.feed(step, going, columns=[0])[:, -1].cpu()
        texts = [self._tokenizer.decode_str(tokens) for tokens in written]
        values = [_read(text, self._schema) for text in texts]
        n_fields = len(self._schema.fields)
        padded = tuple(tuple((row + [float("nan")] * n_fields)[:n_fields]) for row in p_true)
        return Scored(tuple(values), padded, tuple(map(len, written))), tuple(map(len, written))


def _read(text: str, schema: AnswerSchema) -> tuple[bool, ...]:
    answer = json.loads(text[: text.rindex("}") + 1])
    return tuple(bool(answer[name]) for name in schema.fields)


def _bits(mask: torch.Tensor, n: int) -> torch.Tensor:
    import torch

    return ((mask[:, None] >> torch.arange(32, dtype=torch.int32)) & 1).flatten()[:n].bool()
