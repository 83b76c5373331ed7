"""A model that lists words of a text: greedily, token by token, under the grammar of `span_lists`."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.adapter_store import check_prompt, read_card
from clinical_assets.language_models.batching import TokenBudget
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.chat import Chat, ChatTemplateError
from clinical_assets.language_models.devices import find_device
from clinical_assets.language_models.generation import allowed_tokens, best_allowed
from clinical_assets.language_models.loading import Loaded, ModelError, load_model, release
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.session import Session, pad_left
from clinical_assets.language_models.span_lists import Items, SpanLists

if TYPE_CHECKING:
    import torch

__all__ = ["ListWriter", "Listed", "open_list_writer"]

_BUDGET = {"cpu": 2_048, "mps": 4_096, "cuda": 16_384}  # tokens that run at once
_LEAST_ROOM = 64


@dataclass(frozen=True)
class Listed:
    """What a model listed of one text.

    Attributes
    ----------
    lists
        Items of every list; None where status says why there is nothing: truncated (no end within the budget), parse_error (the model's
        numbers are none, or its answer cannot be read), too_long.
    """

    lists: tuple[Items, ...] | None
    status: str = "extracted"
    n_input_tokens: int | None = None
    n_output_tokens: int | None = None


class ListWriter:
    """Lists words of texts with one loaded model.

    Parameters
    ----------
    max_new_tokens
        Budget of an answer.

    Raises
    ------
    ModelError
        If the prompt does not fit the context or the tokenizer cannot write it.
    """

    def __init__(
        self,
        loaded: Loaded,
        entry: ModelEntry,
        prompt: Prompt,
        lists: SpanLists,
        max_new_tokens: int,
        log: Callable[[str], None] = lambda line: None,
    ) -> None:
        from llguidance.hf import from_tokenizer

        self._model, self._tokenizer, self._lists = loaded.model, loaded.tokenizer, lists
        self._most = max_new_tokens
        self._chat = Chat(loaded.tokenizer, prompt)
        self._budget = TokenBudget(_BUDGET.get(loaded.device, 2_048), log)
        self._n_vocabulary = int(loaded.model.config.get_text_config().vocab_size)
        try:
            n_prompt = len(self._chat.encode([""])[0])
        except ChatTemplateError as error:
            raise ModelError(f"model {entry.name!r}: {error}") from None
        self._context = entry.context_length
        self.room = entry.context_length - n_prompt - max_new_tokens
        if self.room < _LEAST_ROOM:
            raise ModelError(
                f"model {entry.name!r}: prompt and answer leave {self.room:,} of {entry.context_length:,} tokens for the text; at least "
                f"{_LEAST_ROOM} are needed. Lower entities.max_new_tokens, or choose a model with a longer context"
            )
        self._guide = from_tokenizer(loaded.tokenizer, n_vocab=self._n_vocabulary)

    def token_count(self, text: str) -> int:
        """Return how many tokens a text costs by itself."""
        return len(self._tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"])

    def write(self, texts: Sequence[str]) -> Iterator[tuple[int, Listed]]:
        """Yield (index of the text, what was listed), longest texts first, batch by batch."""
        prompts = self._chat.encode(texts)
        fits = []
        for index, tokens in enumerate(prompts):
            if len(tokens) + self._most > self._context:
                yield index, Listed(None, "too_long", len(tokens))
            else:
                fits.append(index)
        lengths = [len(tokens) + self._most for tokens in prompts]
        for batch, done in self._budget.run(
            fits, lengths, lambda rows: self._run([prompts[i] for i in rows], [texts[i] for i in rows])
        ):
            yield from zip(batch, done, strict=True)

    def _run(self, prompts: Sequence[list[int]], texts: Sequence[str]) -> list[Listed]:
        import torch
        from llguidance import LLMatcher

        matchers = [
            LLMatcher(self._guide, LLMatcher.grammar_from_lark(self._lists.grammar(self._chat.defuse(text))))
            for text in texts
        ]
        written: list[list[int]] = [[] for _ in prompts]
        with torch.inference_mode():
            session = Session(self._model, len(prompts))
            tokens, valid = pad_left(prompts)
            logits = session.feed(tokens, valid, columns=[tokens.shape[1] - 1])[:, -1].cpu()
            broken = self._answer(session, logits, matchers, written)
        return [
            self._listed(len(prompts[i]), written[i], matchers[i], is_broken=i in broken) for i in range(len(prompts))
        ]

    def _answer(
        self, session: Session, logits: torch.Tensor, matchers: Sequence[Any], written: list[list[int]]
    ) -> set[int]:
        """Write every row to its end or the end of the budget; return the rows whose logits were no numbers."""
        import torch
        from llguidance.torch import allocate_token_bitmask, fill_next_token_bitmask

        n, mask, broken = len(matchers), allocate_token_bitmask(1, self._n_vocabulary), set[int]()
        for _ in range(self._most):
            step, going = torch.zeros((n, 1), dtype=torch.long), torch.zeros((n, 1), dtype=torch.bool)
            for i, matcher in enumerate(matchers):
                if i in broken or matcher.is_stopped():
                    continue
                if not bool(torch.isfinite(logits[i]).any()) or bool(torch.isnan(logits[i]).any()):
                    # half precision can overflow; what comes out then is no answer
                    broken.add(i)
                    continue
                fill_next_token_bitmask(matcher, mask)
                token = best_allowed(logits[i], allowed_tokens(mask[0], self._n_vocabulary))
                if not matcher.consume_token(token):
                    broken.add(i)
                    continue
                written[i].append(token)
                step[i, 0], going[i, 0] = token, True
            if not bool(going.any()):
                break
            logits = session.feed(step, going, columns=[0])[:, -1].cpu()
        return broken

    def _listed(self, n_input: int, written: Sequence[int], matcher: Any, *, is_broken: bool) -> Listed:
        spent = {"n_input_tokens": n_input, "n_output_tokens": len(written)}
        if is_broken:
            return Listed(None, "parse_error", **spent)
        # only what is new is decoded: no prompt, no marker is looked for
        answer = self._tokenizer.decode(list(written), skip_special_tokens=True, clean_up_tokenization_spaces=False)
        if not matcher.is_stopped() and not matcher.is_accepting():
            return Listed(None, "truncated", **spent)
        lists = self._lists.parse(answer)
        return Listed(lists, "parse_error" if lists is None else "extracted", **spent)


@contextlib.contextmanager
def open_list_writer(
    entry: ModelEntry,
    prompt: Prompt,
    lists: SpanLists,
    max_new_tokens: int,
    *,
    adapter: Path | None = None,
    device: str = "auto",
    log: Callable[[str], None] = lambda line: None,
) -> Iterator[ListWriter]:
    """Open a model that lists words of texts, with an adapter or without; its memory is released at the end.

    Raises
    ------
    ModelError, DeviceError
        If the model cannot be used, is behind a server, thinks, or the adapter was trained with another prompt.
    """
    if entry.backend == "server" or entry.reasoning:
        raise ModelError(
            f"model {entry.name!r}: lists are held to the text token by token, which needs a local model that does not think; "
            "choose one of backend transformers or gguf"
        )
    if adapter is not None:
        check_prompt(adapter, read_card(adapter), prompt.sha256)
    loaded = load_model(entry, find_device(device), adapter=adapter, log=log)
    try:
        yield ListWriter(loaded, entry, prompt, lists, max_new_tokens, log)
    finally:
        release(loaded)
