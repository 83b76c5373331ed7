"""A model behind a server that speaks OpenAI's chat completions: vLLM, SGLang, llama.cpp, Ollama.

What a server can do is found out by what comes back, never by its 200 OK: servers pass over what they do not know. The
only address it talks to is the one given. No text of a note or an answer gets into logs, messages or reasons.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from clinical_assets.language_models.answers import Answer, AnswerSchema, Request
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.parsing import complaint, exceeds_context, parse_answer, true_probabilities
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.server_pacing import (
    Health,
    NoAnswerError,
    Pacing,
    Patience,
    Stream,
    TransientError,
)

if TYPE_CHECKING:
    import aiohttp
from clinical_assets.language_models.yes_no import read_yes_no

__all__ = ["Patience", "ServerBackend", "ServerError"]

_TEMPLATE_TOKENS = 32  # what a chat template adds
_RESPONSE_FORMAT, _LOGPROBS = "response_format", "logprobs"


class ServerError(RuntimeError):
    """The server cannot be used as it is set up; the message names host, what it said (a status) and how to mend it."""


@dataclass
class _Reply:
    """What came back: `body` is the JSON value, None where it is not JSON."""

    status: int
    retry_after: str | None
    body: Any
    complaint: str


@dataclass
class _Call:
    """What one run of `answer` shares."""

    session: aiohttp.ClientSession
    pacing: Pacing
    log: Callable[[str], None]
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)


class ServerBackend:
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
        self._entry, self._schema, self._prompt = entry, schema, prompt
        parts = urlsplit(base_url)
        # without user and password, which may stand in a URL
        self._host = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
        self._base = base_url.rstrip("/") + ("" if parts.path.strip("/") else "/v1")
        self._headers = {"Authorization": f"Bearer {api_key.strip()}"} if api_key else {}
        self._plain = plain_yes_no and len(schema.fields) == 1
        self._log = log or (lambda _line: None)
        self._patience = patience or Patience()
        self._health = Health(limit=min(8, entry.max_concurrency))
        self._features = frozenset({_LOGPROBS} if entry.reasoning else {_LOGPROBS, _RESPONSE_FORMAT})
        self._proven = False  # the server answered with these features
        self._stream: Stream[Any] | None = None
        # generous: some models put the object on many lines, in a fence, with a word before it
        self._answer_tokens = len(schema.text([False] * len(schema.fields))) // 2 + 128
        thinking = f"think_{entry.max_thinking_tokens}+" if entry.reasoning else ""
        self.decoding = f"{thinking}server_json_schema"

    def token_count(self, text: str) -> int:
        """Return an estimate of the tokens of a text, rather too many than too few: a third of its characters."""
        return -(-len(text) // 3)

    @property
    def room(self) -> int:
        """Tokens that a text may have besides the prompt (estimated), the thought and the answer; 0 where none."""
        prompt = sum(self.token_count(message["content"]) for message in self._prompt.messages("")) + _TEMPLATE_TOKENS
        return max(0, self._entry.context_length - prompt - self._entry.max_thinking_tokens - self._answer_tokens)

    def close(self) -> None:
        """Cancel what is in flight; connections end with the run that opened them."""
        if self._stream is not None:
            self._stream.cancel()

    def answer(self, requests: Sequence[Request]) -> Iterator[tuple[int, Answer]]:
        """Yield (index, answer) as answers come. Closing the generator early cancels what is in flight.

        Raises
        ------
        ServerError
            If the server does not answer at all, refuses key, address or model, or `close` was called meanwhile. What
            was answered before is yielded first.
        """
        self._stream = Stream[Any](lambda emit: self._answer_all(requests, emit))
        try:
            with closing(iter(self._stream)) as items:
                for item in items:
                    if isinstance(item, str):
                        self._log(f"server at {self._host}: {item}")
                    else:
                        yield item
        except asyncio.CancelledError:
            raise ServerError(f"the server at {self._host} was closed while answers were due") from None
        except NoAnswerError as error:
            raise ServerError(
                f"the server at {self._host} does not answer: {error.attempts} attempts, last: "
                f"{error.last.replace('_', ' ')}; what is answered so far is kept; see that the server runs and that "
                f"server_url is right, then materialize again to go on"
            ) from None
        finally:
            self._stream = None

    async def _answer_all(self, requests: Sequence[Request], emit: Callable[[Any], None]) -> None:
        import aiohttp

        todo = iter(enumerate(requests))
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=self._entry.timeout_seconds),
        ) as session:
            call = _Call(session, Pacing(self._health, self._entry.max_concurrency, self._patience, emit), emit)

            async def work() -> None:
                for index, request in todo:  # shared by all workers
                    emit((index, await self._answer_one(call, request)))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(len(requests), self._entry.max_concurrency)):
                        group.create_task(work())
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None

    async def _answer_one(self, call: _Call, request: Request) -> Answer:
        messages = self._prompt.messages(request.text)

        async def attempt() -> Answer:
            return await self._read(call, await self._ask(call, messages))

        result, seconds = await call.pacing.persist(attempt)
        if isinstance(result, TransientError):
            result = Answer.failure(self._schema, "unavailable", result.word)
        return replace(result, seconds=seconds)

    async def _ask(self, call: _Call, messages: list[dict[str, str]]) -> _Reply:
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

    async def _post(self, call: _Call, messages: list[dict[str, str]], features: frozenset[str]) -> _Reply:
        import aiohttp

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
        url = f"{self._base}/chat/completions"
        try:
            async with call.session.post(url, json=body, allow_redirects=False) as response:
                raw = await response.read()
                status, wish = response.status, response.headers.get("Retry-After")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TransientError(error) from None
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            content = None
        return _Reply(status, wish, content, complaint(content, raw))

    async def _read(self, call: _Call, reply: _Reply) -> Answer:
        status = reply.status
        if status == 200:
            return self._completion(reply.body)
        if status in {408, 429} or status >= 500:
            raise TransientError(f"http_{status}", reply.retry_after)
        if status == 413 or (status in {400, 422} and exceeds_context(reply.complaint)):
            return Answer.failure(self._schema, "too_long", f"http_{status}")
        if status in {400, 422}:
            # this text only, perhaps; if it is all of them, the breaker says so
            raise TransientError(f"http_{status}", final=True)
        raise ServerError(f"the server at {self._host} says HTTP {status}: {await self._remedy(call, status)}")

    async def _remedy(self, call: _Call, status: int) -> str:
        variable = self._entry.api_key_variable or "the variable named by api_key_variable"
        if status in {401, 403}:
            return f"the API key in {variable} is refused" if self._headers else f"it wants an API key; set {variable}"
        if status == 404:
            known = await self._models(call)
            if known and self._entry.model not in known:
                return f"it has no model {self._entry.model!r}; it has: {', '.join(known[:10])}; mend `model`"
            return f"no chat completions for model {self._entry.model!r} there; server_url mostly ends in /v1"
        if 300 <= status < 400:
            return "it redirects, which is not followed; give the final address as server_url"
        return "see the server's own log, and whether server_url leads to chat completions"

    async def _models(self, call: _Call) -> list[str]:
        try:
            async with call.session.get(f"{self._base}/models", allow_redirects=False) as response:
                return [str(model["id"])[:80] for model in (await response.json(content_type=None))["data"]]
        except Exception:  # noqa: BLE001 - it is only for a better message
            return []

    def _completion(self, body: Any) -> Answer:
        """Read a completion; a body of another shape may be an error in disguise, so it is asked again."""
        try:
            choice = body["choices"][0]
            content = choice["message"].get("content")
            finish_reason = choice.get("finish_reason")
        except (TypeError, LookupError, AttributeError):
            raise TransientError("not_json" if body is None else "unexpected_body") from None
        content = content if isinstance(content, str) else ""
        answer = parse_answer(content, self._schema, finish_reason=finish_reason)
        if finish_reason == "content_filter":
            answer = Answer.failure(self._schema, "parse_error", "content_filter")
        if answer.status == "labelled" and _LOGPROBS in self._features:
            told = choice.get("logprobs")
            tokens = told.get("content") if isinstance(told, dict) else None
            answer = replace(answer, probabilities=true_probabilities(content, self._schema, tokens))
        if self._plain:
            answer = self._in_plain_words(answer, content)
        usage = body.get("usage")
        spent = [usage.get(key) if isinstance(usage, dict) else None for key in ("prompt_tokens", "completion_tokens")]
        read, written = (number if isinstance(number, int) else None for number in spent)
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
