"""What every call passes before and after the app: who calls, how much they send, how many at once; then the audit, then the answer.

A call whose row cannot be written is not answered. Nothing of a body, a query or an unknown path is logged or repeated.
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass, field
from typing import Any

from clinical_assets.privacy import StepError, withhold_messages
from clinical_assets.serving.audit import AuditError
from clinical_assets.serving.audit_writer import AuditWriter
from clinical_assets.serving.problems import PROBLEM_TYPE, ProblemError, problem_bytes
from clinical_assets.serving.settings import ServingSettings
from clinical_assets.serving.tokens import Caller, Tokens
from clinical_assets.serving.worker import Worker

__all__ = ["CallRecord", "Gate"]

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_USER = re.compile(rb"[A-Za-z0-9._@+-]{1,120}\Z")
_RETRY_AUDIT = "10"
_log = logging.getLogger("clinical_assets.serving")


@dataclass
class CallRecord:
    """One call as the audit and the log know it. Endpoints add what they learn."""

    call_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    caller: Caller | None = None
    user: str | None = None
    text_sha256: list[str] = field(default_factory=list)
    n_texts: int = 0
    engines: dict[str, str] = field(default_factory=dict)


@dataclass
class _Answer:
    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class _HungUp(Exception):
    """The caller is gone before the body was."""


class Gate:
    """ASGI middleware, outside of everything that reads bodies.

    Parameters
    ----------
    audited
        Paths whose calls need a token and leave a row.
    """

    def __init__(
        self,
        app: Callable[..., Awaitable[None]],
        *,
        settings: ServingSettings,
        tokens: Tokens,
        audited: Mapping[str, str],
        worker: Worker[Any],
        audit: Callable[[], AuditWriter],
        calls: set[str],
    ) -> None:
        self._app, self._settings, self._tokens = app, settings, tokens
        self._audited, self._worker, self._audit = audited, worker, audit
        self._calls = calls  # ids of the calls that are let in

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve one call."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError("only HTTP is served")
        started, record = time.monotonic(), CallRecord()
        scope.setdefault("state", {})["record"] = record
        record.caller = self._caller(scope)
        record.user = self._user(scope) if record.caller else None
        audited = scope["path"] in self._audited and scope["method"] == "POST"
        try:
            answer = await (self._guarded if audited else self._call)(scope, receive, record)
        except _HungUp:
            answer = _Answer(499, [], b"")
        seconds = time.monotonic() - started
        if audited:
            answer = await self._write_down(self._audited[scope["path"]], record, answer, seconds)
            _log.info("%s %s %d %.3fs", record.call_id, scope["path"], answer.status, seconds)
        await _send(send, answer, record.call_id)

    async def _guarded(self, scope: Message, receive: Receive, record: CallRecord) -> _Answer:
        """Let a call in, or say why not; read its body; have it answered."""
        try:
            self._admit(scope, record)
        except ProblemError as error:
            return _problem(error, record)
        self._calls.add(record.call_id)
        try:
            body = await self._body(scope, receive)
            return await self._call(scope, _replay(body), record)
        except ProblemError as error:
            return _problem(error, record)
        finally:
            self._calls.discard(record.call_id)

    def _admit(self, scope: Message, record: CallRecord) -> None:
        if record.caller is None:
            raise ProblemError(
                401,
                "No token that is known here.",
                "Send the header Authorization: Bearer <token>; who runs the server gives tokens.",
                headers={"WWW-Authenticate": "Bearer"},
            )
        task = self._audited[scope["path"]]
        if task not in record.caller.tasks and task != "batch":
            raise ProblemError(
                403, "The token is not for this task.", "Ask who runs the server, or call another endpoint."
            )
        if scope["query_string"]:
            raise ProblemError(
                400, "The address has a query; there is none to give.", "Send what is to be read in the body."
            )
        kind = _header(scope, b"content-type").split(b";")[0].strip().lower()
        if kind != b"application/json":
            raise ProblemError(
                415, "The body is not declared as JSON.", "Send the header Content-Type: application/json."
            )
        if len(self._calls) >= self._settings.max_calls:
            wait = self._worker.seconds_for(len(self._calls))
            raise ProblemError(
                429,
                f"{len(self._calls)} calls are being worked on, which is as many as wait here.",
                f"Call again in {wait} s; send several texts in one call.",
                headers={"Retry-After": str(wait)},
            )

    def _caller(self, scope: Message) -> Caller | None:
        given = [value for name, value in scope["headers"] if name == b"authorization"]
        kind, _, token = given[0].partition(b" ") if len(given) == 1 else (b"", b"", b"")
        return self._tokens.caller(token.strip()) if kind.lower() == b"bearer" else None

    async def _body(self, scope: Message, receive: Receive) -> bytes:
        most = self._settings.max_body_bytes
        too_large = ProblemError(
            413,
            f"The body is larger than {most} bytes.",
            "Send fewer texts in a call.",
            headers={"Connection": "close"},
        )
        declared = _header(scope, b"content-length")
        if declared.isdigit() and int(declared) > most:
            raise too_large
        parts, size = [], 0
        try:
            async with asyncio.timeout(self._settings.body_seconds):
                while True:
                    message = await receive()
                    if message["type"] == "http.disconnect":
                        raise _HungUp
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if size > most:
                        raise too_large
                    if not message.get("more_body", False):
                        return b"".join(parts)
        except TimeoutError:
            raise ProblemError(
                408, "The body did not come in time.", "Send it at once.", headers={"Connection": "close"}
            ) from None

    async def _call(self, scope: Message, receive: Receive, record: CallRecord) -> _Answer:
        answer = _Answer(500, [], b"")
        body: list[bytes] = []

        async def keep(message: Message) -> None:
            if message["type"] == "http.response.start":
                answer.status, answer.headers = message["status"], list(message.get("headers", []))
            else:
                body.append(message.get("body", b""))

        try:
            with withhold_messages(ProblemError):
                await self._app(scope, receive, keep)
        except ProblemError as error:
            return _problem(error, record)
        except StepError as error:
            _log.error("%s failed: %s", record.call_id, error)
            return _problem(_unforeseen(), record)
        answer.body = b"".join(body)
        return answer

    async def _write_down(self, task: str, record: CallRecord, answer: _Answer, seconds: float) -> _Answer:
        row = {
            "event": "call",
            "call_id": record.call_id,
            "who": record.caller.name if record.caller else None,
            "user": record.user,
            "endpoint": task,
            "n_texts": record.n_texts,
            "text_sha256": record.text_sha256,
            "engines": record.engines,
            "status": answer.status,
            "seconds": round(seconds, 4),
        }
        try:
            await self._audit().write(row)
        except AuditError as error:
            _log.error("%s: %s", record.call_id, error)
            return _problem(
                ProblemError(
                    503,
                    "The audit cannot be written; without a row in it nothing is answered.",
                    "Tell who runs the server; the call may be repeated.",
                    headers={"Retry-After": _RETRY_AUDIT},
                ),
                record,
            )
        return answer

    def _user(self, scope: Message) -> str | None:
        """Return whom the proxy names: believed because the proxy holds the token."""
        wanted = self._settings.user_header
        value = _header(scope, wanted.lower().encode()) if wanted else b""
        return value.decode("ascii") if _USER.match(value) else None


def _unforeseen() -> ProblemError:
    return ProblemError(
        500,
        "The call failed in a way that nobody foresaw.",
        "Tell who runs the server the id of this call; its log says where.",
    )


def _problem(error: ProblemError, record: CallRecord) -> _Answer:
    headers = [(b"content-type", PROBLEM_TYPE.encode())]
    headers += [(name.lower().encode(), value.encode()) for name, value in (error.headers or {}).items()]
    return _Answer(error.status_code, headers, problem_bytes(error, record.call_id))


def _header(scope: Message, wanted: bytes) -> bytes:
    return next((bytes(value) for name, value in scope["headers"] if name == wanted), b"")


def _replay(body: bytes) -> Receive:
    left = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return left.pop() if left else {"type": "http.disconnect"}

    return receive


async def _send(send: Send, answer: _Answer, call_id: str) -> None:
    headers = [(name, value) for name, value in answer.headers if name != b"content-length"]
    headers += [
        (b"content-length", str(len(answer.body)).encode()),
        (b"cache-control", b"no-store"),
        (b"x-content-type-options", b"nosniff"),
        (b"x-call-id", call_id.encode()),
    ]
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body, "more_body": False})
