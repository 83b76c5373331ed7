"""A model behind a server that speaks OpenAI's chat completions, whatever is asked of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any, TypeVar

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.parsing import exceeds_context
from clinical_assets.language_models.server_client import Call, Reply, ServerClient
from clinical_assets.language_models.server_pacing import Patience, TransientError

__all__ = ["TEMPLATE_TOKENS", "ChatServer", "choice_of", "tokens_spent"]

Request = TypeVar("Request")
TEMPLATE_TOKENS = 32  # what a chat template adds


class ChatServer:
    """One model and what is known of its server. Parameters as those of :class:`ServerClient`."""

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
        self._client = ServerClient(entry, base_url=base_url, api_key=api_key, log=log, patience=patience)

    def token_count(self, text: str) -> int:
        """Return an estimate of the tokens of a text, rather too many than too few: a third of its characters."""
        return -(-len(text) // 3)

    def close(self) -> None:
        """Cancel what is in flight; connections end with the run that opened them."""
        self._client.close()

    def stream(
        self, requests: Sequence[Request], one: Callable[[Call, Request], Awaitable[Any]]
    ) -> Iterator[tuple[int, Any]]:
        """Yield (index, what `one` makes of the request) as it comes: :meth:`ServerClient.run`."""
        return self._client.run(requests, one)

    async def post(self, call: Call, body: dict[str, Any]) -> Reply:
        """Ask for one completion; TransientError if no whole response came."""
        return await self._client.post(call, "/chat/completions", body)

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
        raise await self._client.refusal(call, status)


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
