"""Think, then answer: a thought of at most so many tokens, closed by force where it does not end by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.chat import CLOSE_THOUGHT
from clinical_assets.language_models.session import Session

if TYPE_CHECKING:
    import torch

__all__ = ["ThoughtError", "Thoughts", "think", "thought_end"]

_MARK = "</think>"


class ThoughtError(ValueError):
    """The tokenizer has no mark by which a thought could end."""


@dataclass(frozen=True)
class Thoughts:
    """What was thought: tokens a row (never kept as text), whether it was cut short, and the tokens that close it."""

    n_tokens: tuple[int, ...]
    cut: tuple[bool, ...]
    closing: tuple[tuple[int, ...], ...]


def thought_end(tokenizer: Any) -> int:
    """Return the id of the token that ends a thought.

    Raises
    ------
    ThoughtError
        If the tokenizer has no single token for it.
    """
    ids = tokenizer(_MARK, add_special_tokens=False)["input_ids"]
    if len(ids) != 1:
        raise ThoughtError(f"the tokenizer has no single token {_MARK}; set reasoning: false for this model")
    return int(ids[0])


def think(
    session: Session,
    before: tuple[torch.Tensor, torch.Tensor],
    tokenizer: Any,
    most: int,
) -> Thoughts:
    """Feed `before`, then let each row think greedily, at most `most` tokens.

    Parameters
    ----------
    session
        Holds the shared prefix; afterwards also the thoughts, padding where a row had ended.
    before
        Tokens and validity (n, t) of the rest of the prompt.
    most
        Budget of tokens a row, the closing mark not counted: a thought that ends right there is not cut.
    """
    import torch

    end = thought_end(tokenizer)
    stops = {end, *_ids(getattr(tokenizer, "eos_token_id", None))}
    closes, forced = (
        tokenizer(text, add_special_tokens=False)["input_ids"] for text in (CLOSE_THOUGHT, f"\n{CLOSE_THOUGHT}")
    )
    n = before[0].shape[0]
    n_tokens, ended = [0] * n, [False] * n
    by_itself = [False] * n
    logits = session.feed(*before, columns=[before[0].shape[1] - 1])
    for step in range(most + 1):
        token = logits[:, -1].argmax(-1)
        for i, id_ in enumerate(token.tolist()):
            if not ended[i] and id_ in stops:
                ended[i] = True
                by_itself[i] = id_ == end
            elif step == most:
                ended[i] = True
            elif not ended[i]:
                n_tokens[i] += 1
        if all(ended):
            break
        # A row that has ended feeds padding; the mark that closes it comes with the answer.
        logits = session.feed(token[:, None], ~torch.tensor(ended)[:, None], columns=[0])
    closing = tuple(tuple(closes if itself else forced) for itself in by_itself)
    return Thoughts(tuple(n_tokens), tuple(not e for e in by_itself), closing)


def _ids(value: Any) -> list[int]:
    return value if isinstance(value, list) else [] if value is None else [int(value)]
