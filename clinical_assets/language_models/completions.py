"""Training examples as tokens, batches of them, and the loss on what the model is to write.

The prompt is rendered by :class:`~clinical_assets.language_models.chat.Chat`, as it is when the model is asked. The loss is on
the answer and the end of the turn alone, and the LM head runs there alone. Padding stands at the left and is told by the mask,
never by a token's id: the end of a turn is trained on even where a tokenizer has nothing else to pad with.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.batching import plan_batches
from clinical_assets.language_models.chat import CLOSE_THOUGHT, Chat
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.session import Prefix, Session, pad_left
from clinical_assets.language_models.training_task import Example, TrainingTask

if TYPE_CHECKING:
    import torch

__all__ = ["Completion", "Encoder", "Plan", "answer_loss", "collate"]

_CUT = "\n...\n"
_GRAIN = 16  # tokens by which rows count as of like length
IGNORED = -100  # label of a column that is not trained on


@dataclass(frozen=True)
class Completion:
    """One example as tokens.

    Attributes
    ----------
    tokens
        Prompt, answer, end of turn.
    weights
        Of the answer's tokens and the turn's end in the loss, one each.
    decides
        Which of these tokens decide, as the task says.
    cut
        Whether the text was shortened to fit.
    """

    tokens: tuple[int, ...]
    weights: tuple[float, ...]
    decides: tuple[bool, ...]
    cut: bool

    @property
    def deciding(self) -> set[int]:
        """The tokens that stand where something is decided."""
        answer = self.tokens[len(self.tokens) - len(self.weights) :]
        return {token for token, decides in zip(answer, self.decides, strict=True) if decides}


class Encoder:
    """Turns examples into tokens.

    Parameters
    ----------
    tokenizer
        A fast tokenizer with a chat template.
    task
        Gives the prompt and says what decides.
    settings
        Token budget and weight of what decides.
    reasoning
        Whether the model thinks before it answers: the answer is then trained behind a thought that is shut at once.
    """

    def __init__(self, tokenizer: Any, task: TrainingTask, settings: LoraSettings, *, reasoning: bool) -> None:
        self._tokenizer, self._task, self._settings = tokenizer, task, settings
        self._chat = Chat(tokenizer, task.prompt, reasoning)
        self._shut = CLOSE_THOUGHT if reasoning else ""
        self._end = self._chat.turn_end()

    def common_tokens(self) -> tuple[int, ...]:
        """Return the tokens that all prompts begin with."""
        return tuple(self._chat.common_tokens())

    def encode(self, example: Example) -> Completion:
        """Return an example as tokens; head and tail of a text that is too long are kept, its middle is left out.

        Raises
        ------
        ModelError
            If prompt and answer alone do not fit, or the tokenizer merges the answer with what stands around it.
        """
        answer = self._answer(example)
        most = self._settings.max_tokens - len(answer[0])
        text, prompt = example.text, self._prompt(example.text)
        cut = len(prompt) > most
        if cut:
            text, prompt = self._shortened(example, most)
        head = self._chat.render(text) + self._shut
        whole = self._ids(head + answer[2] + self._end)
        if whole != [*prompt, *answer[0]]:
            raise ModelError(
                f"example {example.example_id}: the tokenizer merges the end of the prompt with the answer; end the chat "
                "template with a line break"
            )
        # Where all of an answer decides, or nothing is told apart, its tokens weigh alike.
        weight = self._settings.value_weight if any(answer[1]) else 1.0
        return Completion(tuple(whole), tuple(weight if it else 1.0 for it in answer[1]), tuple(answer[1]), cut)

    def _answer(self, example: Example) -> tuple[list[int], list[bool], str]:
        """Return the tokens of an answer and the turn's end behind an empty note, which of them decide, and the answer's text."""
        target = self._chat.defuse(example.target)
        head = self._chat.render("") + self._shut
        n = len(self._ids(head))
        read = self._tokenizer(head + target + self._end, add_special_tokens=False, return_offsets_mapping=True)
        # A target that had to be defused is another text than the one whose spans the task knows.
        spans = self._task.decides(target) if target == example.target else ()
        decides = [
            any(start - len(head) < stop and end - len(head) > first for first, stop in spans)
            for start, end in read["offset_mapping"][n:]
        ]
        return list(read["input_ids"][n:]), decides, target

    def _shortened(self, example: Example, most: int) -> tuple[str, list[int]]:
        offsets = self._tokenizer(example.text, add_special_tokens=False, return_offsets_mapping=True, verbose=False)
        places = offsets["offset_mapping"]
        bare = len(self._prompt(_CUT))
        keep = min(most - bare, len(places) - 1)
        while keep > 0:
            tail = keep // 2
            text = (
                example.text[: places[keep - tail - 1][1]] + _CUT + (example.text[places[-tail][0] :] if tail else "")
            )
            prompt = self._prompt(text)
            if len(prompt) <= most:
                return text, prompt
            # A kept token may be several in the prompt, where a sign was broken.
            over = len(prompt) - most
            keep -= max(1, keep * over // max(len(prompt) - bare, over))
        raise ModelError(
            f"example {example.example_id}: prompt and answer alone take more than max_tokens = "
            f"{self._settings.max_tokens:,}; raise it (the answer is never cut), or shorten the prompt"
        )

    def _prompt(self, text: str) -> list[int]:
        return self._ids(self._chat.render(text) + self._shut)

    def _ids(self, text: str) -> list[int]:
        ids: list[int] = self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
        return ids


class Plan:
    """Which rows run together in an epoch: rows of like length, in an order drawn anew; as many batches in every epoch.

    The order depends on seed and epoch alone, so that a training that was interrupted goes on with the same batches.
    """

    def __init__(self, lengths: Sequence[int], settings: LoraSettings) -> None:
        self._grains = [-(-n // _GRAIN) * _GRAIN for n in lengths]
        self._settings, self._epoch = settings, 0
        order = sorted(self._grains, reverse=True)
        size = settings.batch_size
        if size:
            self._sizes = [min(size, len(order) - i) for i in range(0, len(order), size)]
        else:
            self._sizes = [len(rows) for rows in plan_batches(order, settings.tokens_per_batch)]

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch (from 0)."""
        self._epoch = epoch

    def __len__(self) -> int:
        """Return the batches of an epoch."""
        return len(self._sizes)

    def __iter__(self) -> Iterator[list[int]]:
        """Yield the row numbers of each batch."""
        chance = random.Random(f"{self._settings.seed}:{self._epoch}")
        order = list(range(len(self._grains)))
        chance.shuffle(order)
        order.sort(key=lambda row: -self._grains[row])
        batches, start = [], 0
        for size in self._sizes:
            batches.append(order[start : start + size])
            start += size
        chance.shuffle(batches)
        yield from batches


def collate(rows: Sequence[Completion], n_common: int) -> dict[str, torch.Tensor]:
    """Return rows as tensors, without their first `n_common` tokens.

    Returns
    -------
    ``input_ids`` and ``valid`` (n, longest row), padded at the left; ``labels``, ``weights`` and ``decides`` (n, longest answer):
    the tokens that the last columns are to tell, -100 where a row's answer is shorter.
    """
    import torch

    tokens, valid = pad_left([row.tokens[n_common:] for row in rows])
    answers, there = pad_left([row.tokens[len(row.tokens) - len(row.weights) :] for row in rows])
    weights, decides = torch.zeros(answers.shape), torch.zeros(answers.shape, dtype=torch.bool)
    for i, row in enumerate(rows):
        start = answers.shape[1] - len(row.weights)
        weights[i, start:], decides[i, start:] = torch.tensor(row.weights), torch.tensor(row.decides)
    labels = answers.masked_fill(~there, IGNORED)
    return {"input_ids": tokens, "valid": valid, "labels": labels, "weights": weights, "decides": decides}


def answer_loss(
    model: Any,
    batch: dict[str, torch.Tensor],
    common: Sequence[int],
    alternatives: Sequence[int] = (),
    *,
    cached: bool = True,
) -> torch.Tensor:
    """Return the cross-entropy of the answers' tokens, in nats, weighted and summed over the batch.

    Parameters
    ----------
    batch
        From :func:`collate`.
    common
        The tokens that were left out there: they are read once for all rows, and gradients pass through them.
    alternatives
        Tokens among which a deciding token is told; none for the whole vocabulary, as for all other tokens.
    cached
        False with gradient checkpointing, which allows no cache; `common` must be empty then.
    """
    import torch
    from torch.nn.functional import cross_entropy

    n, width = batch["labels"].shape
    columns = batch["input_ids"].shape[1]
    session = Session(model, n, Prefix(model, common) if common else None, cached=cached)
    # The token in a column is told by the column before it.
    logits = session.feed(batch["input_ids"], batch["valid"], columns=range(columns - width - 1, columns - 1))
    losses = cross_entropy(logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=IGNORED, reduction="none")
    if alternatives:
        few = torch.tensor(alternatives, device=logits.device)
        which = (batch["labels"].flatten()[:, None] == few).int().argmax(1)
        among = cross_entropy(logits[..., few].flatten(0, 1), which, reduction="none")
        losses = torch.where(batch["decides"].flatten(), among, losses)
    return (losses * batch["weights"].flatten()).sum()
