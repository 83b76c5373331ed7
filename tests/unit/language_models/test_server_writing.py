"""Free text from a server: the contract of the local writer, over retries, refusals and answers in disguise."""

from __future__ import annotations

import pytest

from clinical_assets.language_models.decoding import decoding_of
from clinical_assets.language_models.prompts import EmptySlotError, Prompt
from clinical_assets.language_models.server_client import ServerError
from clinical_assets.language_models.server_pacing import Patience
from clinical_assets.language_models.server_writing import ServerWriter
from clinical_assets.language_models.texts import TextRequest, WrittenText
from tests.unit.language_models.misbehaving_server import MisbehavingServer, Step, completion, fails
from tests.unit.language_models.misbehaving_server import says as answers
from tests.unit.language_models.test_server import CANARY, QUICK, entry

PROMPT = Prompt("Summarize it.", "<note>{note}</note>")
ONCE = "Hb 12.6 on 3/17/2020, imatinib 400 mg daily. "


def says(text: str, **how: str) -> Step:
    return answers(lambda body: completion(text, **how))


def written(
    server: MisbehavingServer, texts: list[str], decoding: str = "greedy", **changed: object
) -> list[WrittenText]:
    of = ServerWriter(
        entry(server.url, **changed), decoding_of(decoding), base_url=server.url, patience=Patience(**QUICK)
    )
    made = dict(of.write([TextRequest(PROMPT, {"note": text}, 50) for text in texts]))
    assert all(CANARY.split()[0] not in (one.reason or "") for one in made.values())
    return [made[i] for i in range(len(texts))]


def test_every_way_an_answer_can_end() -> None:
    steps = [
        says("A summary."), says("<think>hm</think>\n\nA summary."), says("A sum", finish_reason="length"), says(ONCE * 5),
        says("  "), says("<think>hm", finish_reason="length"), says("x", finish_reason="content_filter"),
    ]  # fmt: skip
    with MisbehavingServer(steps).running() as server:
        made = written(server, [CANARY] * len(steps), max_concurrency=1)
    found = [(one.status, one.text) for one in made]
    assert found == [
        ("written", "A summary."), ("written", "A summary."), ("truncated", "A sum"), ("looping", ONCE.strip()),
        ("empty", None), ("empty", None), ("failed", None),
    ]  # fmt: skip
    assert made[0].n_output_tokens is not None
    assert made[0].seconds is not None


def test_what_passes_is_asked_again_and_what_does_not_fit_is_said() -> None:
    with MisbehavingServer([fails(503), says("A summary.")]).running() as server:
        assert [one.status for one in written(server, [CANARY])] == ["written"]
    with MisbehavingServer(always=fails(413)).running() as server:
        assert [(one.status, one.reason) for one in written(server, [CANARY])] == [("too_long", "http_413")]
    with MisbehavingServer(always=fails(401)).running() as server, pytest.raises(ServerError, match="wants an API key"):
        written(server, [CANARY])
    with MisbehavingServer().running() as server, pytest.raises(EmptySlotError):
        written(server, [" "])
    assert server.bodies == []


def test_the_request_says_how_to_choose_tokens() -> None:
    with MisbehavingServer(always=says("A summary.")).running() as server:
        written(server, ["x"])
        written(server, ["x"], "seed_ds", reasoning=True, max_thinking_tokens=7)
    greedy, drawn = server.bodies
    assert (greedy["temperature"], greedy["max_tokens"], "top_k" in greedy, "response_format" in greedy) == (
        0,
        50,
        False,
        False,
    )
    assert (drawn["temperature"], drawn["top_p"], drawn["top_k"], drawn["repetition_penalty"], drawn["max_tokens"]) == (0.7, 0.9, 50, 1.1, 57)  # fmt: skip
    assert greedy["messages"][1]["content"] == "<note>x</note>"
