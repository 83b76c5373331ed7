"""Free text from weights in this process: batches of like length under a token budget, with a cache of keys and values.

Generation stops at the end of the turn as the chat template writes it, or at the model's own end-of-sequence tokens. Rows
that are done leave the batch. Only new tokens are decoded.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from clinical_assets.language_models.answers import sha256
from clinical_assets.language_models.batching import TokenBudget
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.chat import Chat, ChatTemplateError
from clinical_assets.language_models.decoding import Chooser, Decoding
from clinical_assets.language_models.loading import Loaded, ModelError
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.repetition import cut_loop, find_loop
from clinical_assets.language_models.session import Prefix, Session, pad_left
from clinical_assets.language_models.texts import TextRequest, WrittenText, without_thought
from clinical_assets.language_models.thinking import ThoughtError, think, thought_end

if TYPE_CHECKING:
    import torch

__all__ = ["LocalWriter", "Row", "stop_tokens", "write_rows"]

_BUDGET = {"cpu": 2_048, "mps": 8_192, "cuda": 65_536}  # tokens at once, prompts and answers
_LOOK_EVERY = 16  # tokens between two looks for a loop
_CLOSING = 16  # more tokens than closing a thought takes


@dataclass
class Row:
    """What one row wrote: its tokens without the one that ended it, and how it ended."""

    tokens: list[int] = field(default_factory=list)
    end: Literal["stopped", "looping", "budget", "not_finite"] = "budget"


def stop_tokens(model: Any, chat: Chat) -> frozenset[int]:
    """Return the tokens at which an answer ends: that of the turn, and the end-of-sequence tokens of model and tokenizer.

    Raises
    ------
    ChatTemplateError
        If nothing ends a turn.
    """
    turn = chat.tokenizer(chat.turn_end(), add_special_tokens=False)["input_ids"][-1]
    own = (getattr(model.generation_config, "eos_token_id", None), chat.tokenizer.eos_token_id)
    return frozenset(
        {int(turn), *(int(i) for ids in own if ids is not None for i in (ids if isinstance(ids, list) else [ids]))}
    )


def write_rows(
    session: Session,
    before: tuple[torch.Tensor, torch.Tensor],
    stops: frozenset[int],
    budgets: Sequence[int],
    chooser: Chooser,
    *,
    look_for_loops: bool = True,
) -> list[Row]:
    """Feed `before` (tokens and validity, (n, t)), then write until every row has ended or spent its budget of new tokens."""
    import torch

    rows = [Row() for _ in budgets]
    live = list(range(len(rows)))
    logits = session.feed(*before, columns=[before[0].shape[1] - 1])[:, -1]
    while True:
        finite = torch.isfinite(logits).any(-1) & ~torch.isnan(logits).any(-1)
        chosen = chooser.choose(torch.where(finite[:, None], logits, 0.0), [rows[i].tokens for i in live])
        going = []
        for at, (i, token, whole) in enumerate(zip(live, chosen, finite.tolist(), strict=True)):
            row = rows[i]
            if not whole:
                row.end = "not_finite"
            elif token in stops:
                row.end = "stopped"
            else:
                row.tokens.append(token)
                if look_for_loops and len(row.tokens) % _LOOK_EVERY == 0 and (cut := find_loop(row.tokens)) is not None:
                    row.tokens, row.end = row.tokens[:cut], "looping"
                elif len(row.tokens) < budgets[i]:
                    going.append(at)
        if not going:
            return rows
        if len(going) < len(live):
            session.keep_rows(torch.tensor(going))
            chooser.keep_rows(going)
        live = [live[at] for at in going]
        step = torch.tensor([[rows[i].tokens[-1]] for i in live])
        logits = session.feed(step, columns=[0])[:, -1]


class LocalWriter:
    """Writes texts with one loaded model.

    Parameters
    ----------
    loaded
        Model and tokenizer.
    entry
        Its catalogue entry.
    decoding
        How tokens are chosen.
    token_budget
        Tokens that run at once, prompts and answers; None for the device's default.
    log
        Takes lines about what was adapted.

    Raises
    ------
    ModelError
        If the tokenizer cannot close a thought.
    """

    def __init__(
        self,
        loaded: Loaded,
        entry: ModelEntry,
        decoding: Decoding,
        *,
        token_budget: int | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.entry, self.decoding = entry, decoding.name
        self._how, self._model, self._tokenizer = decoding, loaded.model, loaded.tokenizer
        self._budget = TokenBudget(token_budget or _BUDGET.get(loaded.device, 2_048), log)
        self._asked: dict[Prompt, _Asked] = {}
        if entry.reasoning:
            try:
                thought_end(loaded.tokenizer)
            except ThoughtError as error:
                raise ModelError(f"model {entry.name!r}: {error}") from None
        self._thought = entry.max_thinking_tokens + _CLOSING if entry.reasoning else 0

    def token_count(self, text: str) -> int:
        """Return how many tokens a text costs by itself."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def room(self, prompt: Prompt, max_new_tokens: int) -> int:
        """Return the tokens that the slots of a prompt may have together; 0 where none."""
        spent = self._ask(prompt).n_bare + max_new_tokens + self._thought
        return max(0, self.entry.context_length - spent)

    def close(self) -> None:
        """Let go of the model and all that was cached; nothing can be written afterwards."""
        self._asked.clear()
        self._model = self._tokenizer = None

    def write(self, requests: Sequence[TextRequest]) -> Iterator[tuple[int, WrittenText]]:
        """Yield (index, text), those of one wording together, longest first, batch by batch.

        Raises
        ------
        EmptySlotError
            If a slot of a request is empty; nothing is written then.
        ModelError
            If the chat template cannot be used.
        """
        for request in requests:
            request.prompt.check_slots(request.slots)
        for prompt in dict.fromkeys(request.prompt for request in requests):
            yield from self._of_wording(prompt, [i for i, r in enumerate(requests) if r.prompt == prompt], requests)

    def _of_wording(
        self, prompt: Prompt, rows: Sequence[int], requests: Sequence[TextRequest]
    ) -> Iterator[tuple[int, WrittenText]]:
        asked = self._ask(prompt)
        texts = [asked.chat.render(**requests[i].slots) for i in rows]
        encoded = self._tokenizer(texts, add_special_tokens=False, verbose=False)["input_ids"]
        tokens: dict[int, list[int]] = dict(zip(rows, encoded, strict=True))
        fits = []
        for i in rows:
            if len(tokens[i]) + requests[i].max_new_tokens + self._thought > self.entry.context_length:
                yield i, WrittenText("too_long", None, len(tokens[i]), 0, 0.0, "longer_than_context")
            else:
                fits.append(i)
        lengths = [0] * len(requests)
        for i in fits:
            lengths[i] = len(tokens[i]) + requests[i].max_new_tokens + self._thought
        for shared in (True, False):  # rows that begin like the others, then those that do not
            part = [i for i in fits if asked.begins(tokens[i]) == shared]
            for batch, made in self._budget.run(part, lengths, lambda some: self._run(asked, some, tokens, requests)):
                yield from zip(batch, made, strict=True)

    def _run(
        self, asked: _Asked, batch: Sequence[int], tokens: dict[int, list[int]], requests: Sequence[TextRequest]
    ) -> list[WrittenText]:
        import torch

        started = time.monotonic()
        n_thought = [0] * len(batch)
        with torch.inference_mode():
            prefix = asked.prefix(self._model) if asked.begins(tokens[batch[0]]) else None
            skip = len(prefix.tokens) if prefix else 0
            session = Session(self._model, len(batch), prefix)
            before = pad_left([tokens[i][skip:] for i in batch])
            if self.entry.reasoning:
                thoughts = think(session, before, self._tokenizer, self.entry.max_thinking_tokens)
                n_thought, before = list(thoughts.n_tokens), pad_left(thoughts.closing)
            seeds = [int(sha256(*map(str, tokens[i]))[:12], 16) for i in batch] if not self._how.is_greedy else []
            chooser = Chooser(self._how, seeds)
            budgets = [requests[i].max_new_tokens for i in batch]
            rows = write_rows(session, before, asked.stops, budgets, chooser)
        seconds = (time.monotonic() - started) / len(batch)
        return [
            self._told(row, len(tokens[i]), extra, seconds)
            for i, row, extra in zip(batch, rows, n_thought, strict=True)
        ]

    def _told(self, row: Row, n_input: int, n_thought: int, seconds: float) -> WrittenText:
        spent: tuple[int, int, float] = (n_input, len(row.tokens) + n_thought, seconds)
        if row.end == "not_finite":
            # Half precision can overflow; what comes out then is no text.
            return WrittenText("failed", None, *spent, "logits_not_finite")
        text, unclosed = without_thought(self._tokenizer.decode(row.tokens, skip_special_tokens=True))
        if not text:
            return WrittenText("empty", None, *spent, "thought_not_closed" if unclosed else "nothing_written")
        shorter = cut_loop(text)
        if shorter is not None or row.end == "looping":
            return WrittenText("looping", shorter or text, *spent, "repeats_itself")
        if row.end == "budget":
            return WrittenText("truncated", text, *spent, "no_end_within_budget")
        return WrittenText("written", text, *spent)

    def _ask(self, prompt: Prompt) -> _Asked:
        if prompt not in self._asked:
            try:
                # A model that does not think has a thought that its template opens shut at once.
                chat = Chat(self._tokenizer, prompt, self.entry.reasoning)
                self._asked[prompt] = _Asked(
                    chat, stop_tokens(self._model, chat), chat.common_tokens(), len(chat.encode([""])[0])
                )
            except ChatTemplateError as error:
                raise ModelError(f"model {self.entry.name!r}: {error}") from None
        return self._asked[prompt]


@dataclass
class _Asked:
    """A wording in a model's own words: where answers end, what all prompts begin with, tokens without any text."""

    chat: Chat
    stops: frozenset[int]
    common: list[int]
    n_bare: int
    cached: Prefix | None = None

    def begins(self, tokens: Sequence[int]) -> bool:
        """Tell whether a prompt begins like the others and goes on."""
        n = len(self.common)
        return 0 < n < len(tokens) and list(tokens[:n]) == self.common

    def prefix(self, model: Any) -> Prefix:
        """Return keys and values of the common beginning, computed once."""
        if self.cached is None:
            self.cached = Prefix(model, self.common)
        return self.cached
