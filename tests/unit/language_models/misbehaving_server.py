"""A real server on loopback that speaks chat completions and misbehaves on cue.

A field is true if its name stands in the note. Steps are played one a request, in order of arrival; after the last one
the server answers well.
"""

from __future__ import annotations

import asyncio
import json
import math
import re
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from aiohttp import web

Step = Callable[["MisbehavingServer", web.Request, dict[str, Any]], Awaitable[web.StreamResponse]]


class MisbehavingServer:
    """Bodies received, requests in flight at most, and what is to be done."""

    def __init__(self, steps: list[Step] | None = None, *, always: Step | None = None, pause: float = 0.0) -> None:
        self.steps = list(steps or [])
        self.always = always or good
        self.pause = pause
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.arrivals: list[float] = []
        self.in_flight = self.most_in_flight = self.finished = self.cancelled = 0
        self.models = ["good-model", "other-model"]
        self.url = ""

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = await request.json()
        self.bodies.append(body)
        self.headers.append(dict(request.headers))
        self.arrivals.append(time.monotonic())
        step = self.steps.pop(0) if self.steps else self.always
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            if self.pause:
                await asyncio.sleep(self.pause)
            response = await step(self, request, body)
            self.finished += 1
            return response
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.in_flight -= 1

    async def list_models(self, _request: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": name} for name in self.models]})

    @contextmanager
    def running(self) -> Iterator[MisbehavingServer]:
        loop = asyncio.new_event_loop()
        ready = threading.Event()

        async def start() -> web.AppRunner:
            app = web.Application(client_max_size=2**26)
            app.router.add_post("/v1/chat/completions", self.chat)
            app.router.add_get("/v1/models", self.list_models)
            runner = web.AppRunner(app, handler_cancellation=True, shutdown_timeout=0.1)
            await runner.setup()
            site = web.TCPSite(runner, "127.0.0.1", 0)
            await site.start()
            self.url = "http://{}:{}/v1".format(*runner.addresses[0][:2])
            return runner

        def serve() -> None:
            runner = loop.run_until_complete(start())
            ready.set()
            loop.run_forever()
            loop.run_until_complete(runner.cleanup())
            loop.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        assert ready.wait(10)
        try:
            yield self
        finally:
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)


def note_of(body: dict[str, Any]) -> str:
    return re.search(r"<note>(.*)</note>", body["messages"][-1]["content"], re.DOTALL)[1]


def fields_of(body: dict[str, Any]) -> list[str]:
    return re.findall(r"^- (\w+):", body["messages"][0]["content"], re.MULTILINE)


def right_answer(body: dict[str, Any]) -> str:
    return json.dumps({name: name in note_of(body) for name in fields_of(body)})


def logprobs_of(text: str, certainty: float = 0.9) -> dict[str, Any]:
    """Tokens of a text with a leading blank each, as of a GPT; true and false with the other one beside them."""
    tokens = []
    for token in re.findall(r"\s?\w+|\s?[^\w\s]+|\s+", text):
        entry: dict[str, Any] = {"token": token, "logprob": -0.001, "bytes": list(token.encode())}
        word = token.strip()
        if word in {"true", "false"}:
            other = token.replace(word, "false" if word == "true" else "true")
            entry["logprob"] = math.log(certainty * 0.8)
            entry["top_logprobs"] = [
                {"token": token, "logprob": math.log(certainty * 0.8), "bytes": list(token.encode())},
                {"token": other, "logprob": math.log((1 - certainty) * 0.8), "bytes": None},
                {"token": " maybe", "logprob": math.log(0.1), "bytes": None},
            ]
        else:
            entry["top_logprobs"] = [dict(entry)]
        tokens.append(entry)
    return {"content": tokens}


def completion(
    text: str | None, *, logprobs: Any = None, finish_reason: str = "stop", **message: Any
) -> dict[str, Any]:
    return {
        "id": "x",
        "object": "chat.completion",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, **message},
                "finish_reason": finish_reason,
                "logprobs": logprobs,
            }
        ],
        "usage": {"prompt_tokens": 123, "completion_tokens": 17, "total_tokens": 140},
    }


async def good(_server: MisbehavingServer, _request: web.Request, body: dict[str, Any]) -> web.Response:
    text = right_answer(body)
    return web.json_response(completion(text, logprobs=logprobs_of(text) if body.get("logprobs") else None))


def says(make: Callable[[dict[str, Any]], Any], status: int = 200, **headers: str) -> Step:
    """Answer with a JSON body (or a text as it is) made from the request's body."""

    async def step(_server: MisbehavingServer, _request: web.Request, body: dict[str, Any]) -> web.Response:
        made = make(body)
        text = made if isinstance(made, str) else json.dumps(made)
        return web.Response(text=text, status=status, content_type="application/json", headers=headers)

    return step


def fails(status: int, message: str = "no", **headers: str) -> Step:
    """Refuse, quoting the whole request, as some servers do."""
    return says(lambda body: {"error": {"message": message, "input": body}}, status, **headers)


def refuses(*features: str) -> Step:
    """HTTP 400 as long as one of these is asked for."""

    async def step(server: MisbehavingServer, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        asked = [name for name in features if name in body]
        if asked:
            return web.json_response({"error": {"message": f"unknown field {asked[0]}"}}, status=400)
        return await good(server, request, body)

    return step


def slow(seconds: float) -> Step:
    async def step(server: MisbehavingServer, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(seconds)
        return await good(server, request, body)

    return step


async def cut_off(_server: MisbehavingServer, request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """Announce a whole body, send half of it, and hang up."""
    raw = json.dumps(completion(right_answer(body))).encode()
    response = web.StreamResponse(headers={"Content-Length": str(len(raw)), "Content-Type": "application/json"})
    await response.prepare(request)
    await response.write(raw[: len(raw) // 2])
    request.transport.close()
    return response


async def hangs_up(_server: MisbehavingServer, request: web.Request, _body: dict[str, Any]) -> web.StreamResponse:
    request.transport.close()
    return web.Response()


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
