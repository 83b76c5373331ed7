"""Servers that write neither JSON nor log-probabilities: their words are read where the caller asks for it, and kept."""

from __future__ import annotations

from typing import Any

import pytest

from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.server import ServerBackend

ENTRY = ModelEntry(
    name="served", description="a model behind a server", model="m", backend="server", server_url="http://127.0.0.1:1/v1",
    context_length=4096, licence="MIT", profile="server",
)  # fmt: skip


def said(content: str, *, plain: bool = True, fields: tuple[str, ...] = ("removal",), finish: str = "stop") -> Any:
    prompt = Prompt("Answer.", "<note>{note}</note>")
    backend = ServerBackend(ENTRY, AnswerSchema(fields), prompt, base_url="http://127.0.0.1:1/v1", plain_yes_no=plain)
    return backend._completion({"choices": [{"message": {"content": content}, "finish_reason": finish}]})


@pytest.mark.parametrize(
    ("content", "status", "value"),
    [
        ("Yes", "labelled", True),
        ("<think>therefore, no</think>\nYes.", "labelled", True),
        ('{"removal": false}', "labelled", False),
        ("I cannot tell.", "parse_error", None),
        ("<think>yes, surely yes", "truncated", None),
    ],
)
def test_a_word_counts_where_no_json_can_be_read_and_all_is_kept(content: str, status: str, value: bool | None) -> None:
    answer = said(content)
    assert (answer.status, answer.values, answer.text) == (status, (value,), content)
    assert answer.probabilities == (None,)


def test_nothing_is_guessed_or_kept_unless_asked_for_one_field() -> None:
    assert (said("Yes", plain=False).status, said("Yes", plain=False).text) == ("parse_error", None)
    assert said("Yes", fields=("a", "b")).status == "parse_error"
    filtered = said("Yes", finish="content_filter")
    assert (filtered.status, filtered.values) == ("parse_error", (None,))
    assert "Yes" not in repr(said("Yes"))  # what a model wrote does not get into logs
