"""The backend for servers, against a real one on loopback that misbehaves on cue."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest

from clinical_assets.language_models.answers import Answer, AnswerSchema, Request
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.server import Patience, ServerBackend, ServerError
from tests.unit.language_models import misbehaving_server as cues
from tests.unit.language_models.misbehaving_server import MisbehavingServer, completion, fails, logprobs_of, says

SCHEMA = AnswerSchema(("cml", "aml"))
PROMPT = Prompt.build("Say of\n{fields}\nas {example}", "<note>{note}</note>", SCHEMA, ["chronic", "acute"])
CANARY = "Zebedee Quux born 1931"
QUICK = {"backoff_seconds": 0.01, "longest_backoff_seconds": 0.05, "pause_seconds": 0.05}
NOTES = [f"{CANARY}: nothing", f"{CANARY}: cml", f"{CANARY}: aml", f"{CANARY}: cml, aml"]
VALUES = [(False, False), (True, False), (False, True), (True, True)]


def entry(url: str, **changed: Any) -> ModelEntry:
    return ModelEntry(
        **{
            "name": "model",
            "description": "a model behind a server",
            "model": "good-model",
            "backend": "server",
            "context_length": 4096,
            "licence": "none",
            "profile": "server",
            "server_url": url,
            "timeout_seconds": 5.0,
            "max_concurrency": 4,
        }
        | changed
    )


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """Log lines; whatever the test, no note is in them."""
    log: list[str] = []
    yield log
    assert CANARY.split()[0] not in "".join(log)


def backend(server: MisbehavingServer | str, lines: list[str], **changed: Any) -> ServerBackend:
    url = server if isinstance(server, str) else server.url
    patience = Patience(**QUICK | {key: changed.pop(key) for key in list(changed) if key in Patience.__annotations__})
    options = {key: changed.pop(key) for key in list(changed) if key not in ModelEntry.model_fields}
    made = entry(url, **changed)
    return ServerBackend(made, SCHEMA, PROMPT, base_url=url, log=lines.append, patience=patience, **options)


def answers(of: ServerBackend, notes: list[str]) -> list[Answer]:
    found = list(of.answer([Request(note) for note in notes]))
    assert sorted(index for index, _ in found) == list(range(len(notes)))
    assert all(CANARY.split()[0] not in (answer.reason or "") for _, answer in found)
    return [answer for _, answer in sorted(found, key=lambda pair: pair[0])]


def refused(of: ServerBackend, notes: list[str]) -> str:
    """The message of the error, having seen that no text of a note is in it or what led to it."""
    with pytest.raises(ServerError) as caught:
        list(of.answer([Request(note) for note in notes]))
    told = "".join(traceback.format_exception(caught.value))
    assert CANARY.split()[0] not in told
    return str(caught.value)


def test_answers_come_with_values_probabilities_tokens_and_seconds(lines: list[str]) -> None:
    with MisbehavingServer().running() as server:
        started = time.monotonic()
        found = answers(backend(server, lines, api_key="key\n"), NOTES)
        took = time.monotonic() - started
    assert [answer.values for answer in found] == VALUES
    assert all((a.status, a.reason, a.n_input_tokens, a.n_output_tokens) == ("labelled", None, 123, 17) for a in found)
    for answer in found:
        assert answer.probabilities == pytest.approx([0.9 if value else 0.1 for value in answer.values])
    # requests in flight together share the time
    assert all(answer.seconds is not None and answer.seconds > 0 for answer in found)
    assert sum(answer.seconds or 0 for answer in found) <= took
    body = server.bodies[0]
    assert {name: body[name] for name in ("model", "temperature", "seed", "logprobs", "top_logprobs")} == {
        "model": "good-model",
        "temperature": 0,
        "seed": 0,
        "logprobs": True,
        "top_logprobs": 5,
    }
    assert body["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": SCHEMA.json_schema()},
    }
    assert server.headers[0]["Authorization"] == "Bearer key"
    assert lines == []


def test_identity_and_room(lines: list[str]) -> None:
    plain = backend("http://127.0.0.1:1/v1", lines)
    thinking = backend("http://127.0.0.1:1/v1", lines, reasoning=True, max_thinking_tokens=512)
    assert (plain.decoding, thinking.decoding) == ("server_json_schema", "think_512+server_json_schema")
    assert [plain.token_count(text) for text in ("", "abc", "abcd")] == [0, 1, 2]
    assert plain.room - thinking.room == 512
    assert 3000 < plain.room < 4096
    assert backend("http://127.0.0.1:1/v1", lines, context_length=64).room == 0


def test_nothing_asked_is_nothing_sent(lines: list[str]) -> None:
    assert list(backend("http://127.0.0.1:1", lines).answer([])) == []


def test_a_url_without_a_path_gets_v1(lines: list[str]) -> None:
    with MisbehavingServer().running() as server:
        assert answers(backend(server.url.removesuffix("/v1"), lines), NOTES[:1])[0].status == "labelled"


@pytest.mark.parametrize(
    "step",
    [
        fails(500),
        fails(503),
        fails(429),
        fails(408),
        cues.cut_off,
        cues.hangs_up,
        says(lambda _body: "<html>gateway</html>"),
        says(lambda _body: {"error": "busy"}),
        says(lambda _body: {"choices": []}),
        says(lambda _body: [1]),
        says(lambda _body: "[" * 100_000),
    ],
)
def test_what_passes_is_tried_again(step: cues.Step, lines: list[str]) -> None:
    with MisbehavingServer([step, step]).running() as server:
        found = answers(backend(server, lines, max_concurrency=1), NOTES[1:2])
    assert [answer.values for answer in found] == VALUES[1:2]
    assert len(server.bodies) == 3


@pytest.mark.parametrize("wish", ["1", "date"])
def test_the_servers_wish_to_wait_is_granted_to_all(wish: str, lines: list[str]) -> None:
    # a date has whole seconds, so that one of 2 is 1 to 2 away
    header = wish if wish == "1" else format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
    with MisbehavingServer([fails(429, **{"Retry-After": header})]).running() as server:
        started = time.monotonic()
        found = answers(backend(server, lines, max_concurrency=1, longest_backoff_seconds=2.0), NOTES)
        took = time.monotonic() - started
    assert [answer.values for answer in found] == VALUES
    assert 0.7 < took < 3.5
    assert len(server.bodies) == 5


def test_a_wish_to_wait_for_hours_is_cut(lines: list[str]) -> None:
    with MisbehavingServer([fails(503, **{"Retry-After": "7200"})]).running() as server:
        started = time.monotonic()
        assert answers(backend(server, lines), NOTES[:1])[0].status == "labelled"
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("step", "reason"),
    [(fails(503), "http_503"), (cues.cut_off, "body_cut_off"), (says(lambda _body: "<html>"), "not_json")],
)
def test_after_all_retries_the_text_is_unavailable_and_the_next_is_asked(
    step: cues.Step, reason: str, lines: list[str]
) -> None:
    with MisbehavingServer([step] * 6).running() as server:
        found = answers(backend(server, lines, max_concurrency=1), NOTES[1:3])
    assert [(answer.status, answer.values, answer.reason) for answer in found] == [
        ("unavailable", (None, None), reason),
        ("labelled", VALUES[2], None),
    ]
    assert len(server.bodies) == 7


def test_a_slow_answer_times_out_and_is_asked_again(lines: list[str]) -> None:
    with MisbehavingServer([cues.slow(5), cues.slow(5)]).running() as server:
        found = answers(backend(server, lines, timeout_seconds=0.3, max_concurrency=1), NOTES[3:])
        assert found[0].values == VALUES[3]
        assert len(server.bodies) == 3
        assert found[0].seconds is not None
        assert found[0].seconds > 0.5
    with MisbehavingServer(always=cues.slow(5)).running() as server:
        found = answers(backend(server, lines, timeout_seconds=0.1, retries=2), NOTES[3:])
    assert (found[0].status, found[0].reason, len(server.bodies)) == ("unavailable", "timeout", 3)


def test_a_server_that_ignores_the_schema_is_read_by_effect(lines: list[str]) -> None:
    step = says(lambda body: completion(f"Sure! ```json\n{cues.right_answer(body)}\n``` Anything else?"))
    with MisbehavingServer(always=step).running() as server:
        found = answers(backend(server, lines), NOTES)
    assert [answer.values for answer in found] == VALUES
    assert {answer.reason for answer in found} == {"repaired:code_fence;repaired:surrounding_text"}
    assert {answer.probabilities for answer in found} == {(None, None)}


@pytest.mark.parametrize(
    ("text", "finish_reason", "status", "reason"),
    [
        (f"{CANARY} cannot be judged", "stop", "parse_error", "no_json_object"),
        ('{"cml": true}', "stop", "parse_error", "missing_keys:1"),
        ('{"cml": true, "aml"', "length", "truncated", "finish_reason_length"),
        (None, "length", "truncated", "finish_reason_length"),
        (None, "stop", "parse_error", "empty_answer"),
        ('{"cml": true, "aml": true}', "content_filter", "parse_error", "content_filter"),
    ],
)
def test_an_unreadable_answer_is_a_status_and_not_asked_again(
    text: str | None, finish_reason: str, status: str, reason: str, lines: list[str]
) -> None:
    with MisbehavingServer(always=says(lambda _: completion(text, finish_reason=finish_reason))).running() as server:
        (answer,) = answers(backend(server, lines), NOTES[:1])
    assert (answer.status, answer.values, answer.reason) == (status, (None, None), reason)
    assert (answer.n_input_tokens, answer.n_output_tokens, len(server.bodies)) == (123, 17, 1)


@pytest.mark.parametrize("thought_in", ["content", "reasoning_content"])
def test_a_reasoning_model_may_think_first(thought_in: str, lines: list[str]) -> None:
    thought = 'Is it {"cml": false, "aml": false}? No.'

    def make(body: dict[str, Any]) -> dict[str, Any]:
        text = cues.right_answer(body)
        if thought_in == "content":
            text = f"<think>{thought}</think>\n{text}"
            return completion(text, logprobs=logprobs_of(text))
        return completion(text, logprobs=logprobs_of(thought + text), reasoning_content=thought)

    with MisbehavingServer(always=says(make)).running() as server:
        found = answers(backend(server, lines, reasoning=True, max_thinking_tokens=300), NOTES)
    assert [answer.values for answer in found] == VALUES
    assert found[1].probabilities == pytest.approx((0.9, 0.1))
    assert "response_format" not in server.bodies[0]
    assert server.bodies[0]["max_tokens"] > 400


@pytest.mark.parametrize(
    ("features", "probes"),
    [(("logprobs",), 2), (("response_format",), 2), (("response_format", "logprobs"), 4)],
)
def test_a_feature_refused_is_found_out_once(features: tuple[str, ...], probes: int, lines: list[str]) -> None:
    with MisbehavingServer(always=cues.refuses(*features)).running() as server:
        one = backend(server, lines, max_concurrency=1)
        found = answers(one, NOTES) + answers(one, NOTES)
    assert [answer.values for answer in found] == VALUES * 2
    assert len(server.bodies) == 7 + probes
    assert not set(features) & set(server.bodies[-1])
    told = "logprobs" in features
    assert all((answer.probabilities[0] is None) == told for answer in found)
    assert [line.partition(": ")[2] for line in lines] == [
        f"refuses {' and '.join(sorted(features))} (HTTP 400); goes on without"
    ]


def test_many_at_once_find_it_out_together(lines: list[str]) -> None:
    with MisbehavingServer(always=cues.refuses("logprobs"), pause=0.02).running() as server:
        found = answers(backend(server, lines, max_concurrency=8), NOTES * 4)
    assert [answer.values for answer in found] == VALUES * 4
    assert len(lines) == 1
    assert len(server.bodies) == 16 + 8  # the first eight were refused


@pytest.mark.parametrize(
    "step",
    [
        fails(400, "This model's maximum context length is 4096 tokens. However, you requested 5000 tokens"),
        fails(400, "The input (9000 tokens) is longer than the model's context length (4096 tokens)."),
        fails(400, "the request exceeds the available context size, try increasing it"),
        fails(422, "prompt is too long"),
        fails(413),
        says(lambda _body: {"object": "error", "message": "bad", "code": "context_length_exceeded"}, 400),
    ],
)
def test_a_text_that_exceeds_the_context_is_too_long(step: cues.Step, lines: list[str]) -> None:
    with MisbehavingServer([step]).running() as server:
        found = answers(backend(server, lines, max_concurrency=1), NOTES[1:3])
    assert [(answer.status, answer.values) for answer in found] == [
        ("too_long", (None, None)),
        ("labelled", VALUES[2]),
    ]
    assert len(server.bodies) == 2


def test_a_request_refused_alone_is_unavailable_and_the_next_is_asked(lines: list[str]) -> None:
    with MisbehavingServer([cues.good, fails(400, f"no {CANARY}")]).running() as server:
        found = answers(backend(server, lines, max_concurrency=1), NOTES[:3])
    assert [(answer.status, answer.reason) for answer in found] == [
        ("labelled", None),
        ("unavailable", "http_400"),
        ("labelled", None),
    ]
    assert len(server.bodies) == 3


def test_requests_refused_all_end_the_run(lines: list[str]) -> None:
    with MisbehavingServer(always=fails(400, f"no {CANARY}")).running() as server:
        message = refused(backend(server, lines), NOTES * 10)
    assert "last: http 400" in message


@pytest.mark.parametrize(
    ("status", "key", "words"),
    [
        (401, None, ["HTTP 401", "wants an API key; set LLM_KEY"]),
        (403, "secret", ["HTTP 403", "LLM_KEY is refused"]),
        (404, None, ["HTTP 404", "'bad-model'", "good-model, other-model"]),
        (307, None, ["HTTP 307", "redirects"]),
        (405, None, ["HTTP 405"]),
    ],
)
def test_a_server_set_up_wrongly_ends_the_run_at_once(
    status: int, key: str | None, words: list[str], lines: list[str]
) -> None:
    step = fails(status, f"no {CANARY}", Location="http://127.0.0.1:9/elsewhere")
    with MisbehavingServer(always=step).running() as server:
        of = backend(server, lines, api_key=key, model="bad-model", api_key_variable="LLM_KEY", max_concurrency=1)
        message = refused(of, NOTES)
    assert all(word in message for word in [*words, "127.0.0.1:"])
    assert "secret" not in message
    assert len(server.bodies) == 1


def test_an_unknown_address_is_told_from_an_unknown_model(lines: list[str]) -> None:
    with MisbehavingServer(always=fails(404)).running() as server:
        assert "no chat completions" in refused(backend(server, lines), NOTES)
        server.models = []
        assert "no chat completions" in refused(backend(server, lines), NOTES)


def test_what_was_answered_before_an_error_is_kept(lines: list[str]) -> None:
    kept = []
    with MisbehavingServer([cues.good, cues.good, fails(401)]).running() as server:
        running = backend(server, lines, max_concurrency=1).answer([Request(note) for note in NOTES])
        with pytest.raises(ServerError):
            for index, answer in running:
                kept.append((index, answer.values))
    assert kept == [(0, VALUES[0]), (1, VALUES[1])]


def test_a_port_where_nobody_listens_ends_the_run(lines: list[str]) -> None:
    url = f"http://someone:password@127.0.0.1:{cues.free_port()}/v1"
    message = refused(backend(url, lines, max_concurrency=16), NOTES * 10)
    assert "does not answer" in message
    assert "last: connection refused" in message
    assert "materialize again" in message
    assert "password" not in message + "".join(lines)
    assert [("10 attempts" in line, "last: connection_refused" in line) for line in lines[:1]] == [(True, True)]
    assert len(lines) == 2  # the third opening is the error


def test_a_server_that_comes_back_is_found_by_a_probe(lines: list[str]) -> None:
    # ten failures open the breaker, the first probe opens it again, the second closes it
    with MisbehavingServer([fails(500)] * 11).running() as server:
        found = answers(backend(server, lines, max_concurrency=1, retries=20), NOTES)
        assert [answer.values for answer in found] == VALUES
        assert len(server.bodies) == 15
    assert len(lines) == 2


def test_a_server_that_is_down_is_noticed_over_batches_of_one(lines: list[str]) -> None:
    of = backend(f"http://127.0.0.1:{cues.free_port()}/v1", lines)
    seen = []
    with pytest.raises(ServerError):
        for note in NOTES:
            seen += [answer.status for _, answer in of.answer([Request(note)])]
    assert seen == ["unavailable"]


def test_never_more_in_flight_than_allowed(lines: list[str]) -> None:
    with MisbehavingServer(pause=0.01).running() as server:
        found = answers(backend(server, lines, max_concurrency=12), NOTES * 30)
    assert [answer.values for answer in found] == VALUES * 30
    assert 8 < server.most_in_flight <= 12  # begins with 8


def test_overload_halves_what_is_in_flight_and_success_raises_it_by_one(lines: list[str]) -> None:
    with MisbehavingServer([cues.good] * 8 + [fails(429)] * 2, pause=0.02).running() as server:
        of = backend(server, lines, max_concurrency=16)
        answers(of, NOTES * 2)
        assert (server.most_in_flight, of._client._health.limit) == (8, 9)
        answers(of, NOTES[:2])  # refused both, but one burst halves once
        assert of._client._health.limit == 4
        server.most_in_flight = 0
        answers(of, NOTES * 2)
        assert server.most_in_flight in {4, 5, 6}
        assert of._client._health.limit in {5, 6}
        assert len(server.bodies) == 8 + 2 + 2 + 8


def test_a_wish_to_wait_holds_back_the_other_requests(lines: list[str]) -> None:
    steps = [fails(429, **{"Retry-After": "1"}), cues.slow(0.1)]
    with MisbehavingServer(steps).running() as server:
        found = answers(backend(server, lines, max_concurrency=2, longest_backoff_seconds=2.0), NOTES)
    assert [answer.values for answer in found] == VALUES
    assert len(server.arrivals) == 5
    assert all(at - server.arrivals[0] > 0.9 for at in server.arrivals[2:])


def test_failures_that_pass_do_not_open_the_breaker(lines: list[str]) -> None:
    with MisbehavingServer([fails(500), cues.good] * 12).running() as server:
        found = answers(backend(server, lines, max_concurrency=1), NOTES * 3)
    assert [answer.values for answer in found] == VALUES * 3
    assert (lines, len(server.bodies)) == ([], 24)


@pytest.mark.parametrize("by", ["generator", "backend"])
def test_ending_early_cancels_what_is_in_flight(by: str, lines: list[str]) -> None:
    with MisbehavingServer([cues.good], always=cues.slow(30)).running() as server:
        of = backend(server, lines, timeout_seconds=60)
        running = of.answer([Request(note) for note in NOTES * 5])
        first, answer = next(running)
        assert answer.status == "labelled"
        assert first in range(4)
        while server.in_flight < 4:
            time.sleep(0.01)
        if by == "generator":
            running.close()  # type: ignore[attr-defined]
        else:
            of.close()
            with pytest.raises(ServerError, match="was closed"):
                next(running)
        deadline = time.monotonic() + 5
        while server.cancelled < 4 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (server.cancelled, server.in_flight, len(server.bodies)) == (4, 0, 5)
    assert not [thread for thread in threading.enumerate() if thread.name == "language-model-server"]
    of.close()


def test_answers_go_on_coming_in_while_the_consumer_is_busy(lines: list[str]) -> None:
    with MisbehavingServer().running() as server:
        running = backend(server, lines, timeout_seconds=0.5).answer([Request(note) for note in NOTES * 3])
        next(running)
        time.sleep(1)
        assert server.finished == 12
        assert {answer.status for _, answer in running} == {"labelled"}
        assert len(server.bodies) == 12


def test_a_note_of_any_letters_arrives_whole(lines: list[str]) -> None:
    note = f'{CANARY} cml "{{}}" \\ </note> \u2028 é 漢字 \x00 \ud800'
    with MisbehavingServer().running() as server:
        (answer,) = answers(backend(server, lines), [note])
        assert answer.values == (True, False)
        assert cues.note_of(server.bodies[0]) == note.replace("</note>", "< /note>")
