"""How a server that speaks OpenAI's chat completions is talked to, whatever is asked of it: many requests, retries, a breaker.

The only address it talks to is the one given. No text of a note or an answer gets into logs, messages or reasons.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.parsing import complaint, exceeds_context
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

__all__ = ["TEMPLATE_TOKENS", "Call", "ChatServer", "Reply", "ServerError", "choice_of", "tokens_spent"]

Request = TypeVar("Request")
TEMPLATE_TOKENS = 32  # what a chat template adds


class ServerError(RuntimeError):
    """The server cannot be used as it is set up; the message names host, what it said (a status) and how to mend it."""


@dataclass
class Reply:
    """What came back: `body` is the JSON value, None where it is not JSON."""

    status: int
    retry_after: str | None
    body: Any
    complaint: str


@dataclass
class Call:
    """What one run of `answer` shares."""

    session: aiohttp.ClientSession
    pacing: Pacing
    log: Callable[[str], None]
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)


class ChatServer:
    """One server and what is known of it.

    Parameters
    ----------
    entry
        The model.
    base_url
        Up to `/v1`, which is added where the URL has no path.
    api_key
        Sent as bearer token; None for none.
    log
        Takes a line of text; called in the consumer's thread, while it waits for an answer.
    patience
        Retries, waits, and when the run ends.

    Notes
    -----
    One stream at a time. What was learnt (limit of concurrency) stays for the next one.
    """

    def __init__(
        self,
        entry: ModelEntry,
        *,
        base_url: str,
        api_key: str | None = None,
        log: Callable[[str], None] | None = None,
        patience: Patience | None = None,
    ) -> None:
        self._entry = entry
        parts = urlsplit(base_url)
        # without user and password, which may stand in a URL
        self._host = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
        self._base = base_url.rstrip("/") + ("" if parts.path.strip("/") else "/v1")
        self._headers = {"Authorization": f"Bearer {api_key.strip()}"} if api_key else {}
        self._log = log or (lambda _line: None)
        self._patience = patience or Patience()
        self._health = Health(limit=min(8, entry.max_concurrency))
        self._stream: Stream[Any] | None = None

    def token_count(self, text: str) -> int:
        """Return an estimate of the tokens of a text, rather too many than too few: a third of its characters."""
        return -(-len(text) // 3)

    def close(self) -> None:
        """Cancel what is in flight; connections end with the run that opened them."""
        if self._stream is not None:
            self._stream.cancel()

    def stream(
        self, requests: Sequence[Request], one: Callable[[Call, Request], Awaitable[Any]]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (index, what `one` makes of the request) as it comes. Closing the generator early cancels what is in flight.

        Raises
        ------
        ServerError
            If the server does not answer at all, refuses key, address or model, or `close` was called meanwhile. What
            was answered before is yielded first.
        """
        self._stream = Stream[Any](lambda emit: self._run(requests, one, emit))
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

    async def _run(
        self,
        requests: Sequence[Request],
        one: Callable[[Call, Request], Awaitable[Any]],
        emit: Callable[[Any], None],
    ) -> None:
        import aiohttp

        todo = iter(enumerate(requests))
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=self._entry.timeout_seconds),
        ) as session:
            call = Call(session, Pacing(self._health, self._entry.max_concurrency, self._patience, emit), emit)

            async def work() -> None:
                for index, request in todo:  # shared by all workers
                    emit((index, await one(call, request)))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(len(requests), self._entry.max_concurrency)):
                        group.create_task(work())
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None

    async def post(self, call: Call, body: dict[str, Any]) -> Reply:
        """Send one request.

        Raises
        ------
        TransientError
            If no whole response came.
        """
        import aiohttp

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
        return Reply(status, wish, content, complaint(content, raw))

    async def refused(self, call: Call, reply: Reply) -> str:
        """Return why a text is too long for the server; for any other reply that is no answer raise what it means.

        Raises
        ------
        TransientError
            If it may pass, or concerns this text alone.
        ServerError
            If nothing can be asked as it is set up.
        """
        status = reply.status
        if status in {408, 429} or status >= 500:
            raise TransientError(f"http_{status}", reply.retry_after)
        if status == 413 or (status in {400, 422} and exceeds_context(reply.complaint)):
            return f"http_{status}"
        if status in {400, 422}:
            # this text only, perhaps; if it is all of them, the breaker says so
            raise TransientError(f"http_{status}", final=True)
        raise ServerError(f"the server at {self._host} says HTTP {status}: {await self._remedy(call, status)}")

    async def _remedy(self, call: Call, status: int) -> str:
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

    async def _models(self, call: Call) -> list[str]:
        try:
            async with call.session.get(f"{self._base}/models", allow_redirects=False) as response:
                return [str(model["id"])[:80] for model in (await response.json(content_type=None))["data"]]
        except Exception:  # noqa: BLE001 - it is only for a better message
            return []


def choice_of(body: Any) -> tuple[dict[str, Any], str, str | None]:
    """Return the first choice of a completion, its text and why it ended.

    Raises
    ------
    TransientError
        If the body has another shape: it may be an error in disguise, so it is asked again.
    """
    try:
        choice = body["choices"][0]
        content = choice["message"].get("content")
        finish_reason = choice.get("finish_reason")
    except (TypeError, LookupError, AttributeError):
        raise TransientError("not_json" if body is None else "unexpected_body") from None
    return choice, content if isinstance(content, str) else "", finish_reason


def tokens_spent(body: Any) -> tuple[int | None, int | None]:
    """Return tokens read and written, as far as the server tells."""
    usage = body.get("usage")
    spent = [usage.get(key) if isinstance(usage, dict) else None for key in ("prompt_tokens", "completion_tokens")]
    read, written = (number if isinstance(number, int) else None for number in spent)
    return read, written
