"""Asking a server that speaks OpenAI's protocol: many requests at a time, through what passes: overload, restarts, cut connections.

The only address it talks to is the one given. No text of a request or an answer gets into logs, messages or reasons.
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
from clinical_assets.language_models.parsing import complaint
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

__all__ = ["Call", "Reply", "ServerClient", "ServerError"]

Item = TypeVar("Item")
Result = TypeVar("Result")


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
    """What one run shares."""

    session: aiohttp.ClientSession
    pacing: Pacing
    log: Callable[[str], None]
    probing: asyncio.Lock = field(default_factory=asyncio.Lock)


class ServerClient:
    """One server, as one entry of the catalogue sees it.

    Parameters
    ----------
    base_url
        Up to `/v1`, which is added where the URL has no path.
    api_key
        Sent as bearer token; None for none.
    log
        Takes a line of text; called in the consumer's thread, while it waits for an answer.
    patience
        Retries, waits, and when the run ends.
    asked_for
        What the server is asked for, in words, for messages.

    Notes
    -----
    One `run` at a time. What was learnt of the limit of concurrency stays for the next one.
    """

    def __init__(
        self,
        entry: ModelEntry,
        *,
        base_url: str,
        api_key: str | None = None,
        log: Callable[[str], None] | None = None,
        patience: Patience | None = None,
        asked_for: str = "chat completions",
    ) -> None:
        self._entry, self._asked_for = entry, asked_for
        parts = urlsplit(base_url)
        # without user and password, which may stand in a URL
        self.host = f"{parts.hostname or ''}:{parts.port}" if parts.port else parts.hostname or ""
        self._base = base_url.rstrip("/") + ("" if parts.path.strip("/") else "/v1")
        self._headers = {"Authorization": f"Bearer {api_key.strip()}"} if api_key else {}
        self._log = log or (lambda _line: None)
        self._patience = patience or Patience()
        self._health = Health(limit=min(8, entry.max_concurrency))
        self._stream: Stream[Any] | None = None

    def close(self) -> None:
        """Cancel what is in flight; connections end with the run that opened them."""
        if self._stream is not None:
            self._stream.cancel()

    def run(
        self, items: Sequence[Item], one: Callable[[Call, Item], Awaitable[Result]]
    ) -> Iterator[tuple[int, Result]]:
        """Yield (index, what `one` returns for the item) as they come. Closing the generator early cancels what is in flight.

        Raises
        ------
        ServerError
            If the server does not answer at all, refuses key, address or model, or `close` was called meanwhile. What
            was answered before is yielded first.
        """
        self._stream = Stream[Any](lambda emit: self._run_all(items, one, emit))
        try:
            with closing(iter(self._stream)) as found:
                for item in found:
                    if isinstance(item, str):
                        self._log(f"server at {self.host}: {item}")
                    else:
                        yield item
        except asyncio.CancelledError:
            raise ServerError(f"the server at {self.host} was closed while answers were due") from None
        except NoAnswerError as error:
            raise ServerError(
                f"the server at {self.host} does not answer: {error.attempts} attempts, last: "
                f"{error.last.replace('_', ' ')}; what is answered so far is kept; see that the server runs and that "
                f"server_url is right, then materialize again to go on"
            ) from None
        finally:
            self._stream = None

    async def _run_all(
        self, items: Sequence[Item], one: Callable[[Call, Item], Awaitable[Result]], emit: Callable[[Any], None]
    ) -> None:
        import aiohttp

        todo = iter(enumerate(items))
        async with aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            headers=self._headers,
            timeout=aiohttp.ClientTimeout(total=self._entry.timeout_seconds),
        ) as session:
            call = Call(session, Pacing(self._health, self._entry.max_concurrency, self._patience, emit), emit)

            async def work() -> None:
                for index, item in todo:  # shared by all workers
                    emit((index, await one(call, item)))

            try:
                async with asyncio.TaskGroup() as group:
                    for _ in range(min(len(items), self._entry.max_concurrency)):
                        group.create_task(work())
            except BaseExceptionGroup as errors:
                raise errors.exceptions[0] from None

    async def post(self, call: Call, path: str, body: Any) -> Reply:
        """Send JSON to ``<base><path>``; TransientError if nothing comes back."""
        import aiohttp

        try:
            async with call.session.post(f"{self._base}{path}", json=body, allow_redirects=False) as response:
                raw = await response.read()
                status, wish = response.status, response.headers.get("Retry-After")
        except (TimeoutError, aiohttp.ClientError, OSError) as error:
            raise TransientError(error) from None
        try:
            content = json.loads(raw)
        except (ValueError, RecursionError):
            content = None
        return Reply(status, wish, content, complaint(content, raw))

    async def refusal(self, call: Call, status: int) -> ServerError:
        """Return the error that says what a status means that no retry can mend."""
        return ServerError(f"the server at {self.host} says HTTP {status}: {await self._remedy(call, status)}")

    async def _remedy(self, call: Call, status: int) -> str:
        variable = self._entry.api_key_variable or "the variable named by api_key_variable"
        if status in {401, 403}:
            return f"the API key in {variable} is refused" if self._headers else f"it wants an API key; set {variable}"
        if status == 404:
            known = await self._models(call)
            if known and self._entry.model not in known:
                return f"it has no model {self._entry.model!r}; it has: {', '.join(known[:10])}; mend `model`"
            return f"no {self._asked_for} for model {self._entry.model!r} there; server_url mostly ends in /v1"
        if 300 <= status < 400:
            return "it redirects, which is not followed; give the final address as server_url"
        return f"see the server's own log, and whether server_url leads to {self._asked_for}"

    async def _models(self, call: Call) -> list[str]:
        try:
            async with call.session.get(f"{self._base}/models", allow_redirects=False) as response:
                return [str(model["id"])[:80] for model in (await response.json(content_type=None))["data"]]
        except Exception:  # noqa: BLE001 - it is only for a better message
            return []
