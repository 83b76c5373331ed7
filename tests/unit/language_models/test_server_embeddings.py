"""The encoder behind a server, against a real one on loopback."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from json import dumps, loads
from typing import Any

import numpy as np
import pytest

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.server_client import ServerError
from clinical_assets.language_models.server_embeddings import ServerEncoder
from clinical_assets.language_models.server_pacing import Patience

CANARY = "Zebedee"
Reply = tuple[int, Any]


def vector(text: str) -> list[float]:
    return [float(len(text)), float(text.count("e")), 1.0]


def good(body: dict[str, Any]) -> Reply:
    items = [{"index": i, "embedding": vector(text)} for i, text in enumerate(body["input"])]
    return 200, {"data": items[::-1]}  # order is told by index


@contextmanager
def serving(answer: Callable[[dict[str, Any]], Reply]) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    bodies: list[dict[str, Any]] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = loads(self.rfile.read(int(self.headers["Content-Length"])))
            bodies.append(body | {"path": self.path, "key": self.headers.get("Authorization")})
            status, said = answer(body)
            raw = said if isinstance(said, bytes) else dumps(said).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1", bodies
    finally:
        server.shutdown()
        server.server_close()


def encoder(url: str, **changed: Any) -> ServerEncoder:
    how = {"dimension": 3, "normalise": False} | changed.pop("embedding", {})
    given = {
        "name": "remote", "description": "an encoder behind a server", "model": "good-model", "backend": "server", "server_url": url,
        "context_length": 4000, "licence": "none", "profile": "server", "tasks": ["embeddings"], "embedding": how,
    }  # fmt: skip
    patience = Patience(retries=2, backoff_seconds=0.01, longest_backoff_seconds=0.02, pause_seconds=0.02)
    return ServerEncoder(ModelEntry(**given | changed), api_key="key", patience=patience)


def test_vectors_come_back_in_order_with_the_instruction_before_each_text() -> None:
    texts = [f"{CANARY} {'e' * i}" for i in range(70)]
    with serving(good) as (url, bodies):
        found = encoder(url, embedding={"prefix": "Q {instruction}: "}).encode(texts, "now")
    np.testing.assert_allclose(found, [vector(f"Q now: {text}") for text in texts])
    assert sorted(len(body["input"]) for body in bodies) == [6, 32, 32]
    assert {(body["path"], body["model"], body["key"]) for body in bodies} == {
        ("/v1/embeddings", "good-model", "Bearer key")
    }


def test_long_texts_are_cut_and_cut_again_where_the_server_finds_them_too_long() -> None:
    def strict(body: dict[str, Any]) -> Reply:
        if max(map(len, body["input"])) > 40:
            return 400, {"error": {"message": "maximum context length is 8 tokens"}}
        return good(body)

    text = " ".join(["even"] * 128)
    with serving(strict) as (url, bodies):
        found = encoder(url, context_length=64, embedding={"overlap": 0.0}).encode([text, "e"])
    read = "".join(part for body in bodies if max(map(len, body["input"])) <= 40 for part in body["input"])
    assert read.count("even") == 128, "every word is read, once"
    assert found[0, 2] == pytest.approx(1)  # shares add up to one
    np.testing.assert_allclose(found[1], vector("e"))


def test_what_passes_is_tried_again_and_what_does_not_ends_with_the_mend() -> None:
    answers = iter([(503, {}), (200, b"<html>")])
    with serving(lambda body: next(answers, None) or good(body)) as (url, bodies):
        np.testing.assert_allclose(encoder(url).encode(["e"]), [vector("e")])
        assert len(bodies) == 3
    with (
        serving(lambda body: (500, {})) as (url, _),
        pytest.raises((ModelError, ServerError), match=r"http 500|does not answer") as told,
    ):
        encoder(url).encode([CANARY])
    assert CANARY not in str(told.value)
    with serving(lambda body: (401, {})) as (url, _), pytest.raises(ServerError, match=r"API key in .* is refused"):
        encoder(url).encode([CANARY])
    with (
        serving(lambda body: (404, {})) as (url, _),
        pytest.raises(ServerError, match="no embeddings for model 'good-model'"),
    ):
        encoder(url).encode([CANARY])


@pytest.mark.parametrize(
    ("row", "message"),
    [([1.0, 2.0], "have dimension 2, the catalogue says 3"), ([1.0, float("nan"), 1.0], "no number")],
)
def test_wrong_vectors_are_refused(row: list[float], message: str) -> None:
    def answer(body: dict[str, Any]) -> Reply:
        return 200, {"data": [{"index": i, "embedding": row} for i in range(len(body["input"]))]}

    with serving(answer) as (url, _), pytest.raises(ModelError, match=message):
        encoder(url).encode(["a", "b"])
