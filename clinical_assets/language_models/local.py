"""The backend for weights in this process: any causal language model of transformers, on any device."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.answers import Answer, AnswerSchema, Request
from clinical_assets.language_models.batching import TokenBudget
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.chat import CLOSE_THOUGHT, Chat, ChatTemplateError
from clinical_assets.language_models.generation import Grammar
from clinical_assets.language_models.loading import Loaded, ModelError
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.scoring import Scored, score
from clinical_assets.language_models.session import Prefix, Session, pad_left
from clinical_assets.language_models.skeleton import Skeleton, SkeletonError, compile_skeleton
from clinical_assets.language_models.thinking import ThoughtError, Thoughts, think, thought_end

if TYPE_CHECKING:
    import torch

__all__ = ["LocalBackend"]

_BUDGET = {"cpu": 2_048, "mps": 8_192, "cuda": 32_768}  # tokens at once; on a CPU more is slower (measured)
_LEAST_ROOM = 64


class LocalBackend:
    """Answers requests with one loaded model.

    Parameters
    ----------
    loaded
        Model and tokenizer.
    entry
        Its catalogue entry.
    schema, prompt
        What is asked, and how.
    token_budget
        Tokens that run at once; None for the device's default.
    log
        Takes lines about what was adapted.

    Raises
    ------
    ModelError
        If the prompt does not fit the context, or the tokenizer cannot write the prompt, the thought's end or the answer.
    """

    def __init__(
        self,
        loaded: Loaded,
        entry: ModelEntry,
        schema: AnswerSchema,
        prompt: Prompt,
        *,
        token_budget: int | None = None,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        self.decoding = entry.full_decoding
        self.schema, self.entry = schema, entry
        self._model, self._tokenizer = loaded.model, loaded.tokenizer
        self._chat = Chat(loaded.tokenizer, prompt, entry.reasoning)
        self._budget = TokenBudget(token_budget or _BUDGET.get(loaded.device, 2_048), log)
        try:
            before_answer = self._chat.render("") + (CLOSE_THOUGHT if entry.reasoning else "")
            self._skeleton: Skeleton = compile_skeleton(loaded.tokenizer, schema, before_answer)
            if entry.reasoning:
                thought_end(loaded.tokenizer)
        except (ChatTemplateError, SkeletonError, ThoughtError) as error:
            raise ModelError(f"model {entry.name!r}: {error}") from None
        self._common = self._chat.common_tokens()
        n_prompt = len(self._chat.encode([""])[0])
        # The tokens that close a thought are few; 16 is more than any tokenizer needs.
        self._spent = n_prompt + self._skeleton.longest + (entry.max_thinking_tokens + 16 if entry.reasoning else 0)
        if self.room < _LEAST_ROOM:
            raise ModelError(
                f"model {entry.name!r}: prompt, thought and answer take {self._spent:,} of {entry.context_length:,} tokens of "
                f"context and leave {self.room:,} for the note; at least {_LEAST_ROOM} are needed. "
                "Shorten prompt.system, lower max_thinking_tokens, or choose a model with a longer context"
            )
        self._prefix: Prefix | None = None
        self._grammar: Grammar | None = None
        self.n_passes = 0

    @property
    def room(self) -> int:
        """Tokens that a text may have besides the prompt, the thought and the answer."""
        return self.entry.context_length - self._spent

    def token_count(self, text: str) -> int:
        """Return how many tokens a text costs by itself."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def close(self) -> None:
        """Forget the cached prefix (the model belongs to who loaded it)."""
        self._prefix = None

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer), longest texts first, batch by batch."""
        prompts = self._chat.encode([request.text for request in requests])
        limit = self.room + self._spent - self._skeleton.longest
        fits = []
        for index, tokens in enumerate(prompts):
            if len(tokens) > limit - (self.entry.max_thinking_tokens + 16 if self.entry.reasoning else 0):
                yield index, Answer.failure(self.schema, "too_long", "longer_than_context", n_input_tokens=len(tokens))
            else:
                fits.append(index)
        after = self._skeleton.longest + self.entry.max_thinking_tokens
        lengths = [len(tokens) - self._shared(tokens) + after for tokens in prompts]
        for same in (True, False):  # rows that begin like the others, then (never seen) those that do not
            rows = [i for i in fits if (self._shared(prompts[i]) > 0) == same]
            for batch, answers in self._budget.run(rows, lengths, lambda part: self._run(part, prompts, requests)):
                yield from zip(batch, answers, strict=True)

    def _shared(self, tokens: Sequence[int]) -> int:
        n = len(self._common)
        return n if tokens[:n] == self._common and len(tokens) > n else 0

    def _run(self, batch: Sequence[int], prompts: Sequence[list[int]], requests: Sequence[Request]) -> list[Answer]:
        import torch

        started = time.monotonic()
        with torch.inference_mode():
            shared = self._shared(prompts[batch[0]])
            if shared and self._prefix is None:
                self._prefix = Prefix(self._model, self._common)
            session = Session(self._model, len(batch), self._prefix if shared else None)
            before = pad_left([prompts[i][shared:] for i in batch])
            drafts = [requests[i].draft or (False,) * len(self.schema.fields) for i in batch]
            scored, n_output, thoughts = self._decide(session, before, drafts)
        self.n_passes += sum(scored.n_passes)
        seconds = (time.monotonic() - started) / len(batch)
        answers = []
        for i, row in enumerate(batch):
            spent: dict[str, Any] = {
                "n_input_tokens": len(prompts[row]),
                "n_output_tokens": n_output[i] + (thoughts.n_tokens[i] if thoughts else 0),
                "seconds": seconds,
            }
            if any(math.isnan(p) for p in scored.probabilities[i]):
                # Half precision can overflow; what comes out then is no answer, least of all "false".
                answers.append(Answer.failure(self.schema, "parse_error", "logits_not_finite", **spent))
                continue
            reason = "thought_cut" if thoughts and thoughts.cut[i] else None
            answers.append(Answer("labelled", scored.values[i], scored.probabilities[i], reason=reason, **spent))
        return answers

    def _decide(
        self, session: Session, before: tuple[torch.Tensor, torch.Tensor], drafts: Sequence[tuple[bool, ...]]
    ) -> tuple[Scored, tuple[int, ...], Thoughts | None]:
        thoughts = None
        if self.entry.reasoning:
            thoughts = think(session, before, self._tokenizer, self.entry.max_thinking_tokens)
            before = pad_left(thoughts.closing)
        if self.entry.decoding == "constrained_generation":
            if self._grammar is None:
                size: Any = self._model.config.get_text_config().vocab_size
                self._grammar = Grammar(self._tokenizer, self._skeleton, size)
            scored, written = self._grammar.generate(session, before)
            return scored, written, thoughts
        return score(session, before, self._skeleton, drafts), (0,) * len(drafts), thoughts
