"""A model behind a server that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, Ollama.

What a server can do is found out by what comes back, never by its 200 OK: servers pass over what they do not know. The
only address it talks to is the one given. No text of a note or an answer gets into logs, messages or reasons.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from clinical_assets.language_models.answers import Answer, AnswerSchema, Request
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.parsing import exceeds_context, parse_answer, true_probabilities
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.server_chat import TEMPLATE_TOKENS, ChatServer, choice_of, tokens_spent
from clinical_assets.language_models.server_client import Call, Reply, ServerError
from clinical_assets.language_models.server_pacing import Patience, TransientError
from clinical_assets.language_models.yes_no import read_yes_no

__all__ = ["Patience", "ServerBackend", "ServerError"]

_RESPONSE_FORMAT, _LOGPROBS = "response_format", "logprobs"


class ServerBackend(ChatServer):
    """Asks a server, many requests at a time, and goes on through what passes: overload, restarts, cut connections.

    Parameters
    ----------
    entry, schema, prompt
        The model, the fields and the wording. A reasoning model gets no `response_format`, for a grammar from the first
        token on would forbid its thought.
    base_url
        Up to `/v1`, which is added where the URL has no path.
    api_key
        Sent as bearer token; None for none.
    log
        Takes a line of text; called in the consumer's thread, while it waits for an answer.
    patience
        Retries, waits, and when the run ends.
    plain_yes_no
        Of one field only: where no JSON can be read, an explicit yes or no in the text counts, and the text is kept in the answer.

    Notes
    -----
    One `answer` at a time. What was learnt (limit of concurrency, refused features) stays for the next one.
    """

    def __init__(
        self,
        entry: ModelEntry,
        schema: AnswerSchema,
        prompt: Prompt,
        *,
        base_url: str,
        api_key: str | None = None,
        log: Callable[[str], None] | None = None,
        patience: Patience | None = None,
        plain_yes_no: bool = False,
    ) -> None:
        super().__init__(entry, base_url=base_url, api_key=api_key, log=log, patience=patience)
        self._schema, self._prompt = schema, prompt
        self._plain = plain_yes_no and len(schema.fields) == 1
        self._features = frozenset({_LOGPROBS} if entry.reasoning else {_LOGPROBS, _RESPONSE_FORMAT})
        self._proven = False  # the server answered with these features
        # generous: some models put the object on many lines, in a fence, with a word before it
        self._answer_tokens = len(schema.text([False] * len(schema.fields))) // 2 + 128
        thinking = f"think_{entry.max_thinking_tokens}+" if entry.reasoning else ""
        self.decoding = f"{thinking}server_json_schema"

    @property
    def room(self) -> int:
        """Tokens that a text may have besides the prompt (estimated), the thought and the answer; 0 where none."""
        prompt = sum(self.token_count(message["content"]) for message in self._prompt.messages("")) + TEMPLATE_TOKENS
        return max(0, self._entry.context_length - prompt - self._entry.max_thinking_tokens - self._answer_tokens)

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer) as answers come. Closing the generator early cancels what is in flight.

        Raises
        ------
        ServerError
            As :meth:`stream`.
        """
        return self.stream(requests, self._answer_one)

    async def _answer_one(self, call: Call, request: Request) -> Answer:
        messages = self._prompt.messages(request.text)

        async def attempt() -> Answer:
            return await self._read(call, await self._ask(call, messages))

        result, seconds = await call.pacing.persist(attempt)
        if isinstance(result, TransientError):
            result = Answer.failure(self._schema, "unavailable", result.word)
        return replace(result, seconds=seconds)

    async def _ask(self, call: Call, messages: list[dict[str, str]]) -> Reply:
        """Send a request; where the first ones are refused, find out which feature the server lacks."""
        features = self._features
        reply = await self._post(call, messages, features)
        if reply.status in {400, 422} and features and not self._proven and not exceeds_context(reply.complaint):
            async with call.probing:  # one request probes, the others take what it found
                if self._features != features:
                    return await self._post(call, messages, self._features)
                if self._proven:
                    return reply
                for fewer in _fewer(features, reply.complaint):
                    trial = await self._post(call, messages, fewer)
                    if trial.status == 200:
                        self._features, self._proven = fewer, True
                        lacking = " and ".join(sorted(features - fewer))
                        call.log(f"refuses {lacking} (HTTP {reply.status}); goes on without")
                        return trial
                    if trial.status not in {400, 422} or exceeds_context(trial.complaint):
                        return trial
        elif reply.status == 200:
            self._proven = True
        return reply

    async def _post(self, call: Call, messages: list[dict[str, str]], features: frozenset[str]) -> Reply:
        body: dict[str, Any] = {
            "model": self._entry.model,
            "messages": messages,
            "temperature": 0,
            "seed": 0,
            "max_tokens": self._entry.max_thinking_tokens + self._answer_tokens,
        }
        if _LOGPROBS in features:
            body |= {"logprobs": True, "top_logprobs": 5}
        if _RESPONSE_FORMAT in features:
            schema = {"name": "answer", "strict": True, "schema": self._schema.json_schema()}
            body["response_format"] = {"type": "json_schema", "json_schema": schema}
        return await self.post(call, body)

    async def _read(self, call: Call, reply: Reply) -> Answer:
        if reply.status == 200:
            return self._completion(reply.body)
        return Answer.failure(self._schema, "too_long", await self.refused(call, reply))

    def _completion(self, body: Any) -> Answer:
        """Read a completion."""
        choice, content, finish_reason = choice_of(body)
        answer = parse_answer(content, self._schema, finish_reason=finish_reason)
        if finish_reason == "content_filter":
            answer = Answer.failure(self._schema, "parse_error", "content_filter")
        if answer.status == "labelled" and _LOGPROBS in self._features:
            told = choice.get("logprobs")
            tokens = told.get("content") if isinstance(told, dict) else None
            answer = replace(answer, probabilities=true_probabilities(content, self._schema, tokens))
        if self._plain:
            answer = self._in_plain_words(answer, content)
        read, written = tokens_spent(body)
        return replace(answer, n_input_tokens=read, n_output_tokens=written)

    def _in_plain_words(self, answer: Answer, content: str) -> Answer:
        """Keep what was written; where it is no JSON, read a yes or no in it. What a filter cut is no answer."""
        if answer.status in {"parse_error", "truncated"} and answer.reason != "content_filter":
            said = read_yes_no(content)
            if said is not None:
                answer = Answer("labelled", (said,), (None,), reason="plain_yes_no")
        return replace(answer, text=content)


def _fewer(features: frozenset[str], words: str) -> list[frozenset[str]]:
    """Return what to try instead, the likeliest first: without the feature that the complaint names."""
    single = sorted(features, key=lambda feature: (feature not in words, feature))
    return list(dict.fromkeys([*(features - {feature} for feature in single), frozenset[str]()]))
