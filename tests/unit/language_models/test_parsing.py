"""What the reader of answers accepts, what it refuses, and that it never takes one for the other."""

from __future__ import annotations

import json
import math
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.parsing import parse_answer, true_probabilities
from tests.unit.language_models.misbehaving_server import logprobs_of

SCHEMA = AnswerSchema(("cml", "aml"))
GOOD = '{"cml": true, "aml": false}'


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (GOOD, None),
        ('{\n  "aml" : false,\n  "cml" : true\n}\n', None),
        (f"<think>maybe {{}} \"cml\": false {{'cml'</think>\n{GOOD}", None),
        (f'thought without its tag {{"cml": false, "aml": true}}</think>{GOOD}', None),
        (f"```json\n{GOOD}\n```", "repaired:code_fence"),
        (f"Here:\n```\n{GOOD}\n```\nDone.", "repaired:code_fence;repaired:surrounding_text"),
        (f"The patient's answer is {GOOD}. That's it {{sic}}.", "repaired:surrounding_text"),
        (f'{{"cml": false, "aml": true}} no, rather {GOOD}', "repaired:surrounding_text"),
        (f'{GOOD} {{"comment": "cml was hard"}}', "repaired:surrounding_text"),
        (f"a set {{x, y and {GOOD}", "repaired:surrounding_text"),
        (f"{GOOD} and a brace {{", "repaired:surrounding_text"),
        ("{'cml': True, 'aml': False}", "repaired:single_quotes;repaired:python_boolean"),
        ("{cml: true, aml: false}", "repaired:unquoted_keys"),
        ('{"cml": true, "aml": false,}', "repaired:trailing_comma"),
        ('{"cml": true "aml": false}', "repaired:syntax"),
        ('{"cml": true, // sure\n "aml": false}', "repaired:syntax"),
        ("{“cml”: true, “aml”: false}", "repaired:syntax"),
        ('{"cml": "yes", "aml": "No"}', "repaired:string_boolean"),
        ('{"cml": " TRUE ", "aml": false}', "repaired:string_boolean"),
        ('{"cml": 1, "aml": 0}', "repaired:number_boolean"),
        ("{'cml': yes, 'aml': 0}", "repaired:single_quotes;repaired:string_boolean;repaired:number_boolean"),
        ('{"cml": true, "aml": false, "why": "{"}', "repaired:extra_keys"),
        ("{'cml': true, 'aml': false, 'why': ['a', {'b': 1}]}", "repaired:single_quotes;repaired:extra_keys"),
        ('{"cml": true, "aml": false, "cml": true}', "repaired:repeated_keys"),
    ],
)
def test_a_readable_answer_is_read_and_what_was_mended_is_told(text: str, reason: str | None) -> None:
    answer = parse_answer(text, SCHEMA)
    assert (answer.status, answer.values, answer.reason) == ("labelled", (True, False), reason)
    assert answer.probabilities == (None, None)


@pytest.mark.parametrize(
    ("text", "status", "reason"),
    [
        ("", "parse_error", "empty_answer"),
        (" \n", "parse_error", "empty_answer"),
        ("I cannot say.", "parse_error", "no_json_object"),
        ("{}", "parse_error", "no_json_object"),
        ('{"other": true}', "parse_error", "no_json_object"),
        ('{"answer": {"cml": true, "aml": false}}', "parse_error", "missing_keys:2"),
        ('{"cml": true}', "parse_error", "missing_keys:1"),
        ('{"cml": null, "aml": null}', "parse_error", "missing_keys:2"),
        ("{'cml': None, 'aml': False}", "parse_error", None),
        ('{"cml": true, "aml": false, "cml": false}', "parse_error", "duplicate_keys"),
        ("{'cml': true, 'aml': false, 'cml': false}", "parse_error", "duplicate_keys"),
        ('{"cml": NaN, "aml": false}', "parse_error", "wrong_type:1"),
        ('{"cml": 2, "aml": 1.0}', "parse_error", "wrong_type:2"),
        ('{"cml": "maybe", "aml": false}', "parse_error", "wrong_type:1"),
        ('{"cml": [true], "aml": {"x": false}}', "parse_error", "wrong_type:2"),
        ("{'cml': not true, 'aml': false}", "parse_error", None),
        # json_repair reads True in these
        ("{'cml': true or false, 'aml': false}", "parse_error", "not_json"),
        ("{'cml': !true, 'aml': false}", "parse_error", "not_json"),
        ("{'cml': true (unsure), 'aml': false}", "parse_error", "not_json"),
        ("{'cml': 'aml': false}", "parse_error", None),
        ('{"cml": , "aml": false}', "parse_error", None),
        ('{"cml": tru, "aml": false}', "parse_error", None),
        ('{"cml": true, "am', "truncated", "unbalanced_braces"),
        ("{", "truncated", "unbalanced_braces"),
        ('{"cml": true, "aml": false', "truncated", "unbalanced_braces"),
        ('{"answer": {"cml": true, "aml": false}', "truncated", "unbalanced_braces"),
        (f'{GOOD} or {{"cml', "truncated", "unbalanced_braces"),
        (f"<think>first {GOOD}", "truncated", "unclosed_thought"),
        (f"<think>a</think>{GOOD}<think>", "truncated", "unclosed_thought"),
        ("{" * 100_000, "truncated", "unbalanced_braces"),
        ('{"cml":' * 50_000, "truncated", "unbalanced_braces"),
        ('{"cml":' * 50_000 + "}" * 50_000, "parse_error", "not_json"),
        ('{"cml": ' + "9" * 10_000 + ', "aml": false}', "parse_error", None),
    ],
)
def test_an_unreadable_answer_has_no_values(text: str, status: str, reason: str | None) -> None:
    answer = parse_answer(text, SCHEMA)
    assert (answer.status, answer.values) == (status, (None, None))
    assert answer.reason == reason or reason is None
    assert re.fullmatch(r"[a-z_]+(:\d+)?", answer.reason or "")


def test_an_answer_that_the_server_calls_cut_is_cut() -> None:
    answer = parse_answer(GOOD, SCHEMA, finish_reason="length")
    assert (answer.status, answer.values, answer.reason) == ("truncated", (None, None), "finish_reason_length")


booleans = st.booleans()
prose = st.text(st.characters(exclude_characters="{}<>`", exclude_categories=()), max_size=200)
pieces = st.lists(
    st.sampled_from(['"', "'", "{", "}", ":", ",", "cml", "aml", '"cml"', "true", "false", "null", "1", " ", "<think>",
                     "</think>", "```", "//", "\\", "[", "]", "True", "NaN", '{"cml": true, "aml": ', "\n"]),
    max_size=30,
).map("".join)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(max_size=200), pieces), st.sampled_from([None, "stop", "length"]))
def test_no_text_raises_and_an_answer_is_whole_or_nothing(text: str, finish_reason: str | None) -> None:
    answer = parse_answer(text, SCHEMA, finish_reason=finish_reason)
    assert answer.status in {"labelled", "parse_error", "truncated"}
    assert all((value is not None) == (answer.status == "labelled") for value in answer.values)
    assert len(true_probabilities(text, SCHEMA, logprobs_of(text)["content"])) == 2


@settings(max_examples=200, deadline=None)
@given(st.tuples(booleans, booleans), prose, prose, st.sampled_from(["", "```", "```json"]), st.integers(0, 4))
def test_text_around_an_answer_changes_nothing(
    values: tuple[bool, bool], before: str, after: str, fence: str, indent: int
) -> None:
    body = json.dumps(dict(zip(SCHEMA.fields, values, strict=True)), indent=indent or None)
    text = f"{before}\n{fence}\n{body}\n{fence[:3]}\n{after}"
    assert parse_answer(text, SCHEMA).values == values
    assert parse_answer(f"<think>{before}</think>{text}", SCHEMA).values == values


@settings(max_examples=300, deadline=None)
@given(pieces, st.tuples(booleans, booleans))
def test_whatever_stands_before_an_answer_its_values_are_read_or_none(before: str, values: tuple[bool, bool]) -> None:
    answer = parse_answer(f"{before} \n{SCHEMA.text(values)}", SCHEMA)
    assert answer.values in {values, (None, None)}


@given(st.integers(0, 26))
def test_no_beginning_of_an_answer_has_values(length: int) -> None:
    assert parse_answer(GOOD[:length], SCHEMA).values == (None, None)


def test_probabilities_are_those_of_the_token_that_begins_a_value() -> None:
    tokens = logprobs_of(GOOD, 0.9)["content"]
    assert true_probabilities(GOOD, SCHEMA, tokens) == pytest.approx((0.9, 0.1))


def test_probabilities_know_thoughts_fences_and_letters_cut_between_tokens() -> None:
    text = f"```json\n{GOOD}\n```"
    tokens = logprobs_of(f"<think>é {GOOD}</think>", 0.6)["content"] + logprobs_of(text, 0.7)["content"]
    at = next(i for i, token in enumerate(tokens) if "é" in token["token"])
    raw = tokens[at]["bytes"]
    tokens[at : at + 1] = [{**tokens[at], "token": "\ufffd", "bytes": part} for part in (raw[:-1], raw[-1:])]
    assert true_probabilities(text, SCHEMA, tokens) == pytest.approx((0.7, 0.3))


def alternative(token: str, p: float) -> dict[str, object]:
    return {"token": token, "logprob": math.log(p)}


def test_spellings_of_a_value_are_added_and_glued_tokens_understood() -> None:
    text = '{"cml":true,"aml":"False"}'
    first = [alternative('":true', 0.4), alternative('":t', 0.1), alternative('":false', 0.25), alternative("x", 0.2)]
    second = [alternative("F", 0.3), alternative("False", 0.3), alternative("tr", 0.2), alternative("truely", 0.1)]
    tokens = [
        {"token": '{"', "logprob": 0.0},
        {"token": "cml", "logprob": 0.0},
        {**first[0], "top_logprobs": first},
        {"token": ',"aml":"', "logprob": 0.0, "top_logprobs": []},
        {**second[1], "top_logprobs": second[:1] + second[2:]},
        {"token": '"}', "logprob": 0.0},
        {"token": "<|im_end|>", "logprob": 0.0},
    ]
    assert true_probabilities(text, SCHEMA, tokens) == pytest.approx((0.5 / 0.75, 0.3 / 0.9))


@pytest.mark.parametrize(
    "tokens",
    [
        None,
        [],
        "text",
        [None],
        [{}],
        [{"token": GOOD}],
        [{"token": GOOD, "logprob": "x"}],
        [{"token": "token_id:17", "logprob": 0.0}],
        [{"token": GOOD, "bytes": [999], "logprob": 0.0}],
        [{"token": GOOD, "logprob": float("nan")}],
    ],
)
def test_logprobs_of_any_other_shape_are_none(tokens: object) -> None:
    assert true_probabilities(GOOD, SCHEMA, tokens) == (None, None)
