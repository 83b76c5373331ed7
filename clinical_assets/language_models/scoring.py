"""Schema scoring: exact greedy constrained decoding at about the cost of reading the note.

The whole answer, with its values guessed, is put behind the note and read in one pass. The logits before each value say
what the model itself would have written there, given the values before it. Up to and including the first value that was
guessed wrong this is what greedy decoding gives; with that one mended, what is left of the (short) answer is read again,
until no guess is wrong. After Leviathan et al. 2023 (speculative decoding), with the fixed parts of the answer never in doubt.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from clinical_assets.language_models.session import Session, pad_right
from clinical_assets.language_models.skeleton import Drafted, Skeleton

if TYPE_CHECKING:
    import torch

__all__ = ["Scored", "score"]


@dataclass(frozen=True)
class Scored:
    """What was decided for each row: values, P(true) of true against false, and how often the row was read."""

    values: tuple[tuple[bool, ...], ...]
    probabilities: tuple[tuple[float, ...], ...]
    n_passes: tuple[int, ...]


def score(
    session: Session,
    before: tuple[torch.Tensor, torch.Tensor] | None,
    skeleton: Skeleton,
    drafts: Sequence[Sequence[bool]],
) -> Scored:
    """Decide every field of every row.

    Parameters
    ----------
    session
        A session that holds what comes before (the shared prefix, say).
    before
        Tokens and validity (n, t) that are still to be fed before the answer; None for nothing.
    skeleton
        The answer.
    drafts
        A guess a row; it has no influence on the result.
    """
    import torch

    n, k = len(drafts), len(skeleton.schema.fields)
    guesses = [list(map(bool, draft)) for draft in drafts]
    chances: list[list[float]] = [[0.0] * k for _ in range(n)]
    passes = [0] * n
    rows = list(range(n))
    kept = 0  # tokens of the answer that are read and right, in every row that is left
    while rows:
        drafted = [skeleton.compose(guesses[row]) for row in rows]
        logits, width = _feed(session, before, skeleton, drafted, kept)
        before = None
        found = _prefer_true(logits, skeleton)
        p_true = torch.sigmoid(logits[:, :, 1] - logits[:, :, 0]).tolist()
        wrong, right_until = [], []
        for i, row in enumerate(rows):
            passes[row] += 1
            first = None
            for j, slot in enumerate(drafted[i].slots):
                if slot < kept:
                    continue  # decided by an earlier pass
                chances[row][j] = p_true[i][j]
                if found[i][j] != guesses[row][j]:
                    # What follows was read behind a wrong value, and is still the best guess at hand.
                    first = j if first is None else first
                    guesses[row][j] = found[i][j]
            if first is not None and first < k - 1:
                wrong.append(i)
                right_until.append(drafted[i].slots[first] + 1)
        if wrong:
            now = min(right_until)
            session.take_back(width - (now - kept))
            kept = now
            if len(wrong) < len(rows):
                session.keep_rows(torch.tensor(wrong))
        rows = [rows[i] for i in wrong]
    return Scored(tuple(map(tuple, guesses)), tuple(map(tuple, chances)), tuple(passes))


def _prefer_true(logits: torch.Tensor, skeleton: Skeleton) -> list[list[bool]]:
    """Say which value wins; at a tie the token with the lower id, as argmax over the vocabulary would have it."""
    import torch

    false, true = (torch.tensor(ids, device=logits.device) for ids in skeleton.deciding)
    at_tie = true < false
    better = logits[:, :, 1] > logits[:, :, 0]
    answer: list[list[bool]] = torch.where(logits[:, :, 1] == logits[:, :, 0], at_tie[None, :], better).tolist()
    return answer


def _feed(
    session: Session,
    before: tuple[torch.Tensor, torch.Tensor] | None,
    skeleton: Skeleton,
    drafted: Sequence[Drafted],
    kept: int,
) -> tuple[torch.Tensor, int]:
    """Feed drafts but for their first `kept` tokens; return the logits (n, fields, 2) of false and true before each value
    (of no meaning before `kept`), and the columns that were fed of the answers."""
    import torch

    # What follows the last slot decides nothing.
    tokens, valid = pad_right([answer.tokens[kept : answer.slots[-1] + 1] for answer in drafted])
    width, offset = tokens.shape[1], 0
    if before is not None:
        tokens, valid = torch.cat([before[0], tokens], 1), torch.cat([before[1], valid], 1)
        offset = before[0].shape[1]
    slots = offset + (torch.tensor([answer.slots for answer in drafted]) - kept).clamp(min=0)
    columns, where = torch.unique(slots, return_inverse=True)
    logits = session.feed(tokens, valid, columns=columns.tolist())
    row = torch.arange(len(drafted))[:, None]
    at_slots = logits[row.to(logits.device), where.to(logits.device)]
    deciding = torch.tensor(skeleton.deciding, device=logits.device).T.expand(len(drafted), -1, -1)
    return at_slots.gather(2, deciding), width
