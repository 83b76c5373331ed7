"""Calls that are let in and calls that are not: what each is told, what the audit keeps of it, and that no word of a text stays."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from clinical_assets.serving.audit import AuditError, verify_audit
from clinical_assets.serving.engines import Engines, EngineUnavailable
from clinical_assets.serving.models import MAX_CHARS, MAX_TEXTS
from clinical_assets.serving.openings import deployment_engines
from clinical_assets.settings import Settings
from tests.hospital import CANARY, CML
from tests.unit.serving.conftest import BEARER, LABELS_ONLY, TOKEN

CALL = {"texts": [{"id": "a", "text": CML}]}
JSON = {**BEARER, "Content-Type": "application/json"}


def rows(tmp_path: Path, event: str = "call") -> list[dict]:
    verify_audit(tmp_path / "audit")
    files = sorted((tmp_path / "audit").glob("*.jsonl"))
    found = [json.loads(line) for path in files for line in path.read_text().splitlines()]
    return [row for row in found if row["event"] == event]


def test_a_call_leaves_one_row_that_says_who_what_and_with_what(client: TestClient, tmp_path: Path) -> None:
    answer = client.post("/labels", json=CALL, headers=BEARER)
    (row,) = rows(tmp_path)
    assert (row["who"], row["endpoint"], row["n_texts"], row["status"]) == ("warden", "labels", 1, 200)
    assert row["text_sha256"] == [answer.json()["results"][0]["text_sha256"]]
    assert row["engines"] == {"labels": answer.json()["engine"]["digest"]}
    assert row["call_id"] == answer.headers["x-call-id"]
    assert 0 < row["seconds"] < 60
    assert answer.headers["cache-control"] == "no-store"
    assert [row["event"] for row in rows(tmp_path, "start")] == ["start"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "Bearer wrong"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": f"Bearer {TOKEN}x"},
        [("Authorization", f"Bearer {TOKEN}"), ("Authorization", "Bearer other")],
    ],
)
def test_without_a_known_token_nothing_is_read(client: TestClient, tmp_path: Path, headers) -> None:
    answer = client.post("/labels", content=b"{ not even json", headers=headers)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    (row,) = rows(tmp_path)
    assert (row["who"], row["status"], row["n_texts"], row["text_sha256"]) == (None, 401, 0, [])
    assert TOKEN not in (tmp_path / "audit").joinpath(f"calls-{row['at'][:10]}.jsonl").read_text()


def test_a_token_may_be_for_some_tasks_only(client: TestClient) -> None:
    bearer = {"Authorization": f"Bearer {LABELS_ONLY}"}
    assert client.post("/labels", json=CALL, headers=bearer).status_code == 200
    assert client.post("/summaries", json=CALL, headers=bearer).status_code == 403
    assert client.post("/batch", json={**CALL, "tasks": ["labels"]}, headers=bearer).status_code == 200
    assert client.post("/batch", json={**CALL, "tasks": ["labels", "entities"]}, headers=bearer).status_code == 403


def test_a_problem_has_the_id_of_its_call_and_says_how_to_mend_it(client: TestClient, tmp_path: Path) -> None:
    answer = client.post("/labels", json={"texts": []}, headers=BEARER)
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["instance"] == f"urn:uuid:{rows(tmp_path)[0]['call_id']}"
    assert problem["errors"] == [{"where": "texts", "expected": "at least 1 entries"}]
    assert problem["mend"]


def text_of(length: int) -> dict:
    return {"texts": [{"id": "a", "text": "x" * length}]}


@pytest.mark.parametrize(
    ("body", "where", "expected"),
    [
        ([], "body", "an object"),
        ({}, "texts", "required"),
        ({"texts": {}}, "texts", "a list"),
        ({"texts": [{"id": "a"}]}, "texts[0].text", "required"),
        ({"texts": [{"id": "a", "text": None}]}, "texts[0].text", "a text"),
        ({"texts": [{"id": "a", "text": 1}]}, "texts[0].text", "a text"),
        ({"texts": [{"id": "a b", "text": "x"}]}, "texts[0].id", "matches"),
        ({"texts": [{"id": "a\n", "text": "x"}]}, "texts[0].id", "matches"),
        ({"texts": [{"id": "", "text": "x"}]}, "texts[0].id", "matches"),
        ({"texts": [{"id": "a", "text": "x"}] * 2}, "texts", "every id once"),
        ({"texts": [{"id": str(n), "text": ""} for n in range(MAX_TEXTS + 1)]}, "texts", f"at most {MAX_TEXTS}"),
        (text_of(MAX_CHARS + 1), "texts[0].text", f"at most {MAX_CHARS} characters"),
        ({**CALL, CANARY: 1}, "(unknown field)", "no such field"),
        ({"texts": [{"id": "a", "text": "x", CANARY: 1}]}, "texts[0].(unknown field)", "no such field"),
    ],
)
def test_a_body_that_is_not_as_described_is_explained(client: TestClient, body, where: str, expected: str) -> None:
    answer = client.post("/labels", json=body, headers=BEARER)
    assert answer.status_code == 422
    assert any(e["where"] == where and expected in e["expected"] for e in answer.json()["errors"]), answer.text
    assert CANARY not in answer.text


def test_the_longest_text_and_the_most_texts_are_taken(client: TestClient) -> None:
    assert client.post("/entities", json=text_of(MAX_CHARS), headers=BEARER).status_code == 200
    texts = [{"id": str(n), "text": CML} for n in range(MAX_TEXTS)]
    assert len(client.post("/entities", json={"texts": texts}, headers=BEARER).json()["results"]) == MAX_TEXTS


@pytest.mark.parametrize("tasks", [[], ["labels", "labels"], ["risk"], "labels"])
def test_tasks_of_a_batch_are_named_once_each(client: TestClient, tasks) -> None:
    assert client.post("/batch", json={**CALL, "tasks": tasks}, headers=BEARER).status_code == 422


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b'{"texts": [{"id": "a", "text": NaN}]}',
        b'{"texts": [], "texts": [{"id": "a", "text": "x"}]}',
        b'{"texts": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"texts": [{"id": "a", "text": ' + b"9" * 10_000 + b"}]}",
        '{"texts": [{"id": "a", "text": "x"}]}'.encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(CALL).encode(),
    ],
)
def test_a_body_that_is_not_strict_json_is_refused(client: TestClient, content: bytes) -> None:
    answer = client.post("/labels", content=content, headers=JSON)
    assert answer.status_code == 422
    assert answer.json()["errors"]


def test_only_declared_json_is_read(client: TestClient) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/json5"):
        answer = client.post("/labels", content=json.dumps(CALL), headers={**BEARER, "Content-Type": kind})
        assert answer.status_code == 415
    headers = {**BEARER, "Content-Type": "application/json; charset=utf-8"}
    assert client.post("/labels", content=json.dumps(CALL), headers=headers).status_code == 200


def test_a_query_is_refused(client: TestClient) -> None:
    assert client.post(f"/labels?text={CANARY}", json=CALL, headers=BEARER).status_code == 400


def test_a_large_body_is_refused_whether_it_says_its_size_or_not(start, tmp_path: Path) -> None:
    def parts() -> Iterator[bytes]:
        yield from (b"x" * 1000 for _ in range(5))

    with TestClient(start(max_body_bytes=4000)) as client:
        assert client.post("/labels", content=b"x" * 5000, headers=JSON).status_code == 413
        assert client.post("/labels", content=parts(), headers=JSON).status_code == 413
        assert client.post("/labels", json=CALL, headers=BEARER).status_code == 200
    assert [row["status"] for row in rows(tmp_path)] == [413, 413, 200]


def asgi(app, body: list[dict], path: str = "/labels") -> list[dict]:
    """Call an app without a client: messages in, messages out."""
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "path": path, "raw_path": path.encode(),
        "query_string": b"", "root_path": "", "scheme": "http", "server": ("testserver", 80), "client": ("testclient", 1),
        "headers": [(b"authorization", f"Bearer {TOKEN}".encode()), (b"content-type", b"application/json")],
    }  # fmt: skip
    sent: list[dict] = []
    left = list(body)

    async def receive() -> dict:
        if left:
            return left.pop(0)
        await asyncio.sleep(60)
        raise AssertionError

    async def send(message: dict) -> None:
        sent.append(message)

    async def go() -> None:
        async with app.router.lifespan_context(app):
            await app(scope, receive, send)

    asyncio.run(go())
    return sent


def test_a_body_that_does_not_come_is_given_up(start, tmp_path: Path) -> None:
    sent = asgi(start(body_seconds=0.05), [{"type": "http.request", "body": b"{", "more_body": True}])
    assert sent[0]["status"] == 408
    assert rows(tmp_path)[0]["status"] == 408


def test_a_caller_who_hangs_up_is_in_the_audit(start, tmp_path: Path) -> None:
    asgi(start(), [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}])
    assert rows(tmp_path)[0]["status"] == 499


class Slow:
    """An engine that holds until it is let go."""

    def __init__(self, engine) -> None:
        self.info, self._engine = engine.info, engine
        self.begun, self.go = threading.Event(), threading.Event()

    def answer(self, prepared):
        self.begun.set()
        assert self.go.wait(30)
        return self._engine.answer(prepared)


def test_more_calls_than_may_wait_are_told_when_to_come_again(start, engines: Engines, tmp_path: Path) -> None:
    slow, statuses = Slow(engines.get("entities")), []
    with TestClient(start(Engines({"entities": lambda: slow}), max_calls=2)) as client:
        callers = [
            threading.Thread(
                target=lambda: statuses.append(client.post("/entities", json=CALL, headers=BEARER).status_code)
            )
            for _ in range(2)
        ]
        for caller in callers:
            caller.start()
        assert slow.begun.wait(30)
        while client.get("/health", headers=BEARER).json()["calls"] < 2:
            pass
        refused = client.post("/entities", json=CALL, headers=BEARER)
        assert refused.status_code == 429
        assert 1 <= int(refused.headers["retry-after"]) <= 60
        slow.go.set()
        for caller in callers:
            caller.join()
        assert statuses == [200, 200]
        assert client.post("/entities", json=CALL, headers=BEARER).status_code == 200
    assert sorted(row["status"] for row in rows(tmp_path)) == [200, 200, 200, 429]


def test_a_call_that_waited_too_long_is_not_begun(start, engines: Engines) -> None:
    slow, statuses = Slow(engines.get("entities")), []
    with TestClient(start(Engines({"entities": lambda: slow}), wait_seconds=0.05)) as client:

        def call() -> None:
            statuses.append(client.post("/entities", json=CALL, headers=BEARER).status_code)

        first, second = threading.Thread(target=call), threading.Thread(target=call)
        first.start()
        assert slow.begun.wait(30)
        second.start()
        while client.get("/health", headers=BEARER).json()["calls"] < 2:
            pass
        threading.Event().wait(0.1)
        slow.go.set()
        first.join()
        second.join()
    assert sorted(statuses) == [200, 503]


def test_an_engine_that_is_not_there_says_why_and_is_tried_again(start, engines: Engines) -> None:
    clock, missing = [0.0], [True]

    def opening():
        if missing[0]:
            raise EngineUnavailable("no model is trained: materialize entities/model")
        return engines.get("entities")

    with TestClient(start(Engines({"entities": opening}, clock=lambda: clock[0]))) as client:
        answer = client.post("/entities", json=CALL, headers=BEARER)
        assert answer.status_code == 503
        assert answer.json()["detail"] == "no model is trained: materialize entities/model"
        assert answer.headers["retry-after"]
        assert client.get("/health").json()["status"] == "degraded"
        missing[0] = False
        assert client.post("/entities", json=CALL, headers=BEARER).status_code == 503  # not looked at again at once
        clock[0] = 31.0
        assert client.post("/entities", json=CALL, headers=BEARER).status_code == 200
        assert client.get("/health").json()["status"] == "ready"


def test_a_deployment_without_a_model_says_which_job_makes_one(start, study, tmp_path: Path) -> None:
    with TestClient(start(deployment_engines(Settings(data=tmp_path / "data"), study))) as client:
        answer = client.post("/entities", json=CALL, headers=BEARER)
    assert answer.status_code == 503
    assert "gazetteer" in answer.json()["detail"] or "train_entity_model" in answer.json()["detail"]


class Broken:
    """An engine whose errors quote what it reads."""

    def __init__(self, engine) -> None:
        self.info = engine.info

    def answer(self, prepared):
        raise ValueError(f"cannot read {prepared.rows[0]['text']!r}")


def test_no_word_of_a_text_stays_anywhere(
    start, engines: Engines, tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    others = Engines({"labels": lambda: engines.get("labels"), "entities": lambda: Broken(engines.get("entities"))})
    with caplog.at_level(logging.DEBUG), TestClient(start(others), raise_server_exceptions=True) as client:
        assert client.post("/labels", json=CALL, headers=BEARER).status_code == 200
        failed = client.post("/entities", json=CALL, headers=BEARER)
        assert failed.status_code == 500
        told = [failed.text]
        bodies = ({"texts": [{"id": CML, "text": CML}]}, {CML: 1}, {"texts": CML}, [CML], CML)
        told += [client.post("/labels", json=body, headers=BEARER).text for body in bodies]
        told.append(client.post("/labels", content=CML.encode(), headers=JSON).text)
        told.append(client.post("/labels", content=CML.encode(), headers={**JSON, "Content-Type": CANARY}).text)
        told.append(client.request(CANARY, "/labels", headers=BEARER).text)
        logged = [r.getMessage() for r in caplog.records if not r.name.startswith(("httpx", "httpcore", "asyncio"))]
        told.append(client.post("/labels", json=CALL, headers={"Authorization": f"Bearer {CANARY}"}).text)
    assert [len(row["text_sha256"]) for row in rows(tmp_path)][:2] == [1, 1]  # what failed was here, too
    assert failed.json()["instance"].removeprefix("urn:uuid:") in " ".join(logged)  # the log says where, by the id
    kept = [path.read_text() for path in (tmp_path / "audit").iterdir()]
    for text in (*told, *logged, *kept, *capfd.readouterr()):
        assert CANARY not in text


def test_without_a_row_there_is_no_answer(start, engines: Engines, monkeypatch: pytest.MonkeyPatch) -> None:
    app = start()
    with TestClient(app) as client:
        log = app.state.serving.log

        def full(rows) -> None:
            raise AuditError(28, "the audit cannot be written")

        with monkeypatch.context() as patch:
            patch.setattr(log, "append", full)
            answer = client.post("/labels", json=CALL, headers=BEARER)
        assert answer.status_code == 503
        assert "results" not in answer.json()
        assert client.post("/labels", json=CALL, headers=BEARER).status_code == 200


def test_health_tells_strangers_little_and_holders_of_a_token_all(client: TestClient) -> None:
    assert client.get("/health").json() == {
        "status": "ready", "versions": None, "study": None, "tasks": None, "audit": None, "calls": None,
    }  # fmt: skip
    client.post("/labels", json=CALL, headers=BEARER)
    told = client.get("/health", headers=BEARER).json()
    assert told["tasks"]["labels"]["state"] == "ready"
    assert len(told["tasks"]["labels"]["engine"]["digest"]) == 64
    assert told["versions"]["fastapi"]
    assert (told["audit"]["writable"], told["audit"]["n_rows"]) == (True, 2)
    assert TOKEN not in json.dumps(told)


def test_the_user_that_a_proxy_names_is_in_the_audit(start, tmp_path: Path) -> None:
    with TestClient(start(user_header="X-Forwarded-User")) as client:
        for user in ("dr.who@ward.example", "<script>"):
            client.post("/labels", json=CALL, headers={**BEARER, "X-Forwarded-User": user})
        client.post("/labels", json=CALL, headers={"X-Forwarded-User": "nobody"})
    assert [row["user"] for row in rows(tmp_path)] == ["dr.who@ward.example", None, None]


def test_unknown_places_and_methods_are_problems_too(client: TestClient) -> None:
    for method, path, status in (
        ("GET", f"/{CANARY}", 404),
        ("GET", "/labels", 405),
        ("POST", "/health", 405),
        ("POST", "/labels/", 404),
    ):
        answer = client.request(method, path, headers=BEARER, follow_redirects=False)
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
        assert CANARY not in answer.text


def test_nothing_is_traced_whatever_the_environment_says(monkeypatch: pytest.MonkeyPatch, start) -> None:
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")
    assert not any(
        start()._telemetry[name] for name in ("tracing", "metrics", "logs", "operation_spans", "auto_configure")
    )


def test_examples_of_the_description_are_accepted(client: TestClient) -> None:
    schemas = client.get("/openapi.json").json()["components"]["schemas"]
    (example,) = schemas["Call"]["examples"]
    assert client.post("/labels", json=example, headers=BEARER).status_code == 200
    (example,) = schemas["BatchCall"]["examples"]
    assert client.post("/batch", json=example, headers=BEARER).status_code == 200
