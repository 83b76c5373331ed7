"""Free text from a model behind a server that speaks OpenAI's chat completions. The contract is that of `texts`."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.decoding import Decoding
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.repetition import cut_loop
from clinical_assets.language_models.server_chat import TEMPLATE_TOKENS, ChatServer, choice_of, tokens_spent
from clinical_assets.language_models.server_client import Call, Reply
from clinical_assets.language_models.server_pacing import Patience, TransientError
from clinical_assets.language_models.texts import TextRequest, WrittenText, without_thought

__all__ = ["ServerWriter"]


class ServerWriter(ChatServer):
    """Asks a server for texts, many at a time, and goes on through what passes: overload, restarts, cut connections.

    Parameters
    ----------
    entry, decoding
        The model, and how tokens are chosen. `top_k` and `repetition_penalty` are no part of OpenAI's protocol; vLLM, SGLang and
        llama.cpp know them, and they are sent only where the decoding has them.
    base_url, api_key, log, patience
        See :class:`~clinical_assets.language_models.server_chat.ChatServer`.
    """

    def __init__(
        self,
        entry: ModelEntry,
        decoding: Decoding,
        *,
        base_url: str,
        api_key: str | None = None,
        log: Callable[[str], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        super().__init__(entry, base_url=base_url, api_key=api_key, log=log, patience=patience)
        self.decoding, self._how = decoding.name, decoding

    def room(self, prompt: Prompt, max_new_tokens: int) -> int:
        """Return the tokens (estimated) that the slots of a prompt may have together; 0 where none."""
        bare = sum(self.token_count(message["content"]) for message in prompt.messages("")) + TEMPLATE_TOKENS
        return max(0, self._entry.context_length - bare - max_new_tokens - self._entry.max_thinking_tokens)

    def write(self, requests: Sequence[TextRequest]) -> Iterator[tuple[int, WrittenText]]:
        """Yield (index, text) as texts come. Closing the generator early cancels what is in flight.

        Raises
        ------
        EmptySlotError
            If a slot of a request is empty; nothing is asked then.
        ServerError
            If the server does not answer at all, or refuses key, address or model; what came before is yielded first.
        """
        for request in requests:
            request.prompt.check_slots(request.slots)
        return self.stream(requests, self._write_one)

    async def _write_one(self, call: Call, request: TextRequest) -> WrittenText:
        async def attempt() -> WrittenText:
            return await self._read(call, await self.post(call, self._body(request)))

        result, seconds = await call.pacing.persist(attempt)
        if isinstance(result, TransientError):
            result = WrittenText("unavailable", None, reason=result.word)
        return replace(result, seconds=seconds)

    def _body(self, request: TextRequest) -> dict[str, Any]:
        how = self._how
        extras = {"top_k": how.top_k or None, "repetition_penalty": how.repetition_penalty}
        return {
            "model": self._entry.model,
            "messages": request.prompt.messages(**request.slots),
            "temperature": how.temperature,
            "top_p": how.top_p,
            "seed": how.seed,
            "max_tokens": self._entry.max_thinking_tokens + request.max_new_tokens,
            **{name: value for name, value in extras.items() if value not in (None, 1.0)},
        }

    async def _read(self, call: Call, reply: Reply) -> WrittenText:
        if reply.status != 200:
            return WrittenText("too_long", None, reason=await self.refused(call, reply))
        _, content, finish_reason = choice_of(reply.body)
        spent = tokens_spent(reply.body)
        if finish_reason == "content_filter":
            return WrittenText("failed", None, *spent, reason="content_filter")
        text, unclosed = without_thought(content)
        if not text:
            return WrittenText("empty", None, *spent, reason="thought_not_closed" if unclosed else "nothing_written")
        shorter = cut_loop(text)
        if shorter is not None:
            return WrittenText("looping", shorter, *spent, reason="repeats_itself")
        if finish_reason == "length":
            return WrittenText("truncated", text, *spent, reason="no_end_within_budget")
        return WrittenText("written", text, *spent)
