"""How fast and how often a server is asked: a limit that adapts, retries, a breaker, and the thread they run in."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Generic, TypeVar

__all__ = ["Health", "NoAnswerError", "Pacing", "Patience", "Stream", "TransientError"]

T = TypeVar("T")
_OVERLOADED = frozenset({"http_429", "http_503", "timeout"})
_WORDS = {
    "TimeoutError": "timeout",
    "ClientConnectorDNSError": "host_unknown",
    "ClientConnectorCertificateError": "certificate_refused",
    "ClientPayloadError": "body_cut_off",
    "ServerDisconnectedError": "connection_cut_off",
}


class TransientError(Exception):
    """A failed attempt.

    Its `word` says why, in fixed words (of an exception the kind, never the message); `retry_after` is the header, a
    number of seconds or a date; after a `final` one the same request need not be sent again.
    """

    def __init__(self, word: str | BaseException, retry_after: str | None = None, *, final: bool = False) -> None:
        self.word = word if isinstance(word, str) else _word(word)
        super().__init__(self.word)
        self.retry_after, self.final = _seconds(retry_after), final


class NoAnswerError(Exception):
    """The breaker opened too often in a row: `attempts` since the last success, `last` the last failure's word."""

    def __init__(self, attempts: int, last: str) -> None:
        super().__init__(f"{attempts} attempts, last: {last}")
        self.attempts, self.last = attempts, last


@dataclass(frozen=True)
class Patience:
    """How long a server is borne with.

    Attributes
    ----------
    retries
        How often a request is sent again after a failure that may pass.
    backoff_seconds, longest_backoff_seconds
        Full jitter: a random wait below the first, doubled each time, up to the longest. A server's `Retry-After` is
        honoured up to the longest, too.
    failures_to_open, pause_seconds, openings
        After so many failed attempts in a row the breaker opens: nothing is sent for `pause_seconds`, then one request
        as a probe. If that fails it opens again, and the `openings`-th time in a row ends the run.
    """

    retries: int = 5
    backoff_seconds: float = 1.0
    longest_backoff_seconds: float = 60.0
    failures_to_open: int = 10
    pause_seconds: float = 30.0
    openings: int = 3


@dataclass
class Health:
    """What is known of a server; outlives a batch, so that the next one need not learn it again."""

    limit: int  # requests in flight at most, as of now
    failures: int = 0  # failed attempts in a row
    openings: int = 0  # of the breaker, in a row; above 0 one request at a time goes out, as a probe
    attempts: int = 0  # since the last success
    successes_of_round: int = 0
    not_before: float = float("-inf")
    reduced_at: float = float("-inf")
    opened_at: float = float("-inf")


@dataclass
class _Ticket:
    """Leave for one attempt. `share`: its share of the time, in seconds, once it is over."""

    started: float
    share: float = 0.0


class Pacing:
    """Admits attempts and repeats them: additive increase, multiplicative decrease, and a circuit breaker.

    Parameters
    ----------
    health
        Read and changed.
    most
        The limit's limit.
    patience
        The numbers.
    log
        Called when the breaker opens.
    """

    def __init__(self, health: Health, most: int, patience: Patience, log: Callable[[str], None]) -> None:
        self._health, self._most, self._patience, self._log = health, most, patience, log
        self._in_flight = 0
        self._freed = asyncio.Event()
        self._work, self._work_at = 0.0, time.monotonic()

    async def persist(self, attempt: Callable[[], Awaitable[T]]) -> tuple[T | TransientError, float]:
        """Attempt until it succeeds or patience ends: the result or the last failure, and its seconds' share.

        Raises
        ------
        NoAnswerError
            If the breaker opened too often in a row.
        """
        from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt
        from tenacity.wait import wait_random_exponential

        patience = self._patience
        jitter = wait_random_exponential(multiplier=patience.backoff_seconds, max=patience.longest_backoff_seconds)
        seconds = 0.0

        def wait(state: RetryCallState) -> float:
            error = state.outcome.exception() if state.outcome else None
            return max(jitter(state), self._wish(error) if isinstance(error, TransientError) else 0.0)

        async def once() -> T:
            nonlocal seconds
            ticket = None
            try:
                async with self._slot() as ticket:
                    result = await attempt()
            except TransientError as error:
                if ticket is not None:
                    self._failed(ticket, error)
                raise
            finally:
                seconds += ticket.share if ticket is not None else 0.0
            self._succeeded()
            return result

        retrying = AsyncRetrying(
            stop=stop_after_attempt(patience.retries + 1),
            wait=wait,
            retry=retry_if_exception(lambda error: isinstance(error, TransientError) and not error.final),
            reraise=True,
        )
        try:
            return await retrying(once), seconds
        except TransientError as error:
            return error, seconds

    def _wish(self, error: TransientError) -> float:
        return min(error.retry_after, self._patience.longest_backoff_seconds)

    @contextlib.asynccontextmanager
    async def _slot(self) -> AsyncIterator[_Ticket]:
        await self._admission()
        self._advance()
        self._in_flight += 1
        before = self._work
        ticket = _Ticket(time.monotonic())
        try:
            yield ticket
        finally:
            self._advance()
            self._in_flight -= 1
            ticket.share = self._work - before
            self._freed.set()

    async def _admission(self) -> None:
        while True:
            wait = self._health.not_before - time.monotonic()
            if wait > 0:
                await asyncio.sleep(wait)
            elif self._in_flight < (1 if self._health.openings else self._health.limit):
                return
            else:
                self._freed.clear()
                await self._freed.wait()

    def _advance(self) -> None:
        """Move the clock by which the time is shared out: requests in flight together share a second."""
        now = time.monotonic()
        if self._in_flight:
            self._work += (now - self._work_at) / self._in_flight
        self._work_at = now

    def _succeeded(self) -> None:
        """Close the breaker; a round of successes raises the limit by one."""
        health = self._health
        health.failures = health.openings = health.attempts = 0
        health.successes_of_round += 1
        if health.successes_of_round >= health.limit:
            health.limit, health.successes_of_round = min(health.limit + 1, self._most), 0
        self._freed.set()

    def _failed(self, ticket: _Ticket, error: TransientError) -> None:
        health, now = self._health, time.monotonic()
        health.attempts += 1
        health.failures += 1
        health.not_before = max(health.not_before, now + self._wish(error))
        # an attempt that began before the last reduction, or opening, tells nothing new
        if error.word in _OVERLOADED and ticket.started >= health.reduced_at:
            health.limit, health.successes_of_round, health.reduced_at = max(1, health.limit // 2), 0, now
        probe = health.openings > 0 and ticket.started >= health.opened_at
        if not probe and (health.openings or health.failures < self._patience.failures_to_open):
            return
        health.openings += 1
        if health.openings >= self._patience.openings:
            attempts = health.attempts
            health.failures = health.openings = health.attempts = 0
            raise NoAnswerError(attempts, error.word)
        pause = self._patience.pause_seconds
        health.opened_at, health.not_before = now, max(health.not_before, now + pause)
        self._log(f"{health.attempts} attempts failed in a row, last: {error.word}; waits {pause:g} s")


class Stream(Generic[T]):
    """What a coroutine emits, as an iterator: it runs on in a thread of its own while the consumer is busy.

    Parameters
    ----------
    work
        Called with a function that emits; its exception is raised to the consumer, after all that was emitted before.
    """

    def __init__(self, work: Callable[[Callable[[T], None]], Awaitable[None]]) -> None:
        self._work = work
        self._outbox: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None

    def __iter__(self) -> Generator[T, None, None]:
        """Yield what is emitted; ending early cancels the work."""
        self._loop = asyncio.new_event_loop()
        thread = threading.Thread(target=self._drive, args=(self._loop,), name="language-model-server", daemon=True)
        thread.start()
        try:
            while True:
                kind, item = self._outbox.get()
                if kind == "end":
                    return
                if kind == "error":
                    raise item
                yield item
        finally:
            self.cancel()
            thread.join()

    def cancel(self) -> None:
        """End the work; the consumer gets CancelledError if it still waits."""
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # the loop is closed: the work is over
                self._loop.call_soon_threadsafe(lambda: self._task and self._task.cancel())

    def _drive(self, loop: asyncio.AbstractEventLoop) -> None:
        async def main() -> None:
            await self._work(lambda item: self._outbox.put(("item", item)))

        try:
            self._task = loop.create_task(main())
            loop.run_until_complete(self._task)
        except BaseException as error:  # noqa: BLE001 - it is raised where the consumer waits
            self._outbox.put(("error", error))
        else:
            self._outbox.put(("end", None))
        finally:
            loop.run_until_complete(loop.shutdown_asyncgens())
            loop.close()


def _seconds(header: str | None) -> float:
    """Return the seconds of a Retry-After; 0 where it is none."""
    if header is None or header.strip().isdecimal():
        return float(header or 0)
    try:
        moment = parsedate_to_datetime(header)
    except (ValueError, OverflowError):
        return 0.0
    return max(0.0, (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds())


def _word(error: BaseException) -> str:
    if isinstance(getattr(error, "os_error", error), ConnectionRefusedError):
        return "connection_refused"
    return next((_WORDS[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in _WORDS), "connection_error")
