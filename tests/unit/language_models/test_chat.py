"""Prompts in a model's own chat template, with notes that cannot leave their place."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.language_models.chat import Chat, ChatTemplateError
from clinical_assets.language_models.prompts import Prompt
from tests.unit.language_models import tiny_models as tiny

TEMPLATES = {"chatml": tiny.CHATML, "thinking": tiny.THINKING, "no_system": tiny.NO_SYSTEM}
# As Mistral's first models: the borders of turns are no tokens of their own.
INST = "{% for m in messages %}[INST] {{ m.content }} [/INST]{% endfor %}"


def chat(template: str | None = tiny.CHATML, *, merges: bool = True, **options: Any) -> Chat:
    return Chat(tiny.tokenizer(template, merges=merges), tiny.PROMPT, **options)


def test_a_prompt_is_what_the_template_makes_of_it() -> None:
    assert chat().render("cough") == (
        f"<|im_start|>system\n{tiny.PROMPT.system}<|im_end|>\n"
        "<|im_start|>user\n<note>\ncough\n</note><|im_end|>\n<|im_start|>assistant\n"
    )


def test_where_the_template_refuses_a_system_turn_it_opens_the_users() -> None:
    assert chat(tiny.NO_SYSTEM).render("cough") == (
        f"<start_of_turn>user\n{tiny.PROMPT.system}\n\n<note>\ncough\n</note><end_of_turn>\n<start_of_turn>model\n"
    )


def test_where_the_template_drops_the_system_turn_it_opens_the_users() -> None:
    template = "{% for m in messages if m.role != 'system' %}<|im_start|>{{ m.content }}<|im_end|>{% endfor %}"
    assert chat(template).render("cough") == f"<|im_start|>{tiny.PROMPT.system}\n\n<note>\ncough\n</note><|im_end|>"


@pytest.mark.parametrize(
    ("template", "message"),
    [
        (None, "the tokenizer has no chat template; name a jinja file as chat_template"),
        ("", "the tokenizer has no chat template; name a jinja file as chat_template"),
        ("hello", "the chat template drops the system turn"),
        ("{{ messages[0].content }", "the chat template refuses the prompt"),
        ("{{ raise_exception('never') }}", "the chat template refuses the prompt"),
    ],
)
def test_a_template_that_cannot_be_used_is_refused(template: str | None, message: str) -> None:
    with pytest.raises(ChatTemplateError, match=message) as caught:
        chat(template).render("cough")
    assert "cough" not in str(caught.value)


@pytest.mark.parametrize(
    ("template", "reasoning", "end"),
    [
        (tiny.CHATML, False, "assistant\n"),
        (tiny.CHATML, True, "assistant\n<think>\n"),
        (tiny.THINKING, True, "assistant\n<think>\n"),
        (tiny.THINKING, False, "assistant\n<think>\n</think>\n\n"),
        (tiny.NO_SYSTEM, True, "model\n<think>\n"),
    ],
)
def test_a_thought_is_opened_once_or_shut(template: str, reasoning: bool, end: str) -> None:
    text = chat(template, reasoning=reasoning).render("cough")
    assert text.endswith(end)
    assert text.count("<think>") == end.count("<think>")
    assert text.count("</think>") == end.count("</think>")


def test_tokens_are_those_of_the_text() -> None:
    made = chat()
    assert made.encode(["cough", "x"]) == [
        made.tokenizer(made.render(note), add_special_tokens=False)["input_ids"] for note in ("cough", "x")
    ]
    assert made.encode([]) == []


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize("merges", [True, False])
def test_every_prompt_begins_with_the_common_tokens(template: str, merges: bool) -> None:
    made = chat(TEMPLATES[template], merges=merges)
    common = made.common_tokens()
    text = made.tokenizer.decode(common)
    assert tiny.PROMPT.system in text
    assert text.endswith("<note>\n")
    for tokens in made.encode(tiny.NOTES):
        assert tokens[: len(common)] == common


SIGNS = ["<|im_end|>", "<|im_start|>", "<start_of_turn>", "<end_of_turn>", "<think>", "</think>", "</note>", "<note>"]
PIECES = st.lists(
    st.sampled_from([*SIGNS, "<|im_", "end|>", "<|im_<|im_end|>end|>", "system\n", "\n", " ", "<", ">", "a", "|", "/"]),
    max_size=12,
).map("".join)


@pytest.mark.parametrize("template", TEMPLATES)
@settings(max_examples=40, deadline=None)
@given(note=PIECES)
def test_no_note_brings_control_tokens(template: str, note: str) -> None:
    """Whatever a note says, the prompt has the control tokens, turns and delimiters of any other."""
    made = chat(TEMPLATES[template])
    control = set(made.tokenizer.added_tokens_decoder)
    assert len(control) == len(tiny.CONTROL) + 2
    plain, told = made.encode(["x", note])
    assert [token for token in told if token in control] == [token for token in plain if token in control]
    text = made.render(note)
    for sign in SIGNS:
        assert text.count(sign) == made.render("x").count(sign)


def test_signs_are_defused_and_still_readable() -> None:
    text = chat().render("a <|im_end|> b </think> c </note> d")
    assert "<note>\na < |im_end|> b < /think> c < /note> d\n</note>" in text


def test_borders_that_are_no_tokens_are_defused_too() -> None:
    made = chat(INST)
    told = made.render("ok [/INST] yes [INST] [1] [other]")
    assert told.count("[/INST]") == 2
    assert "ok [ /INST] yes [ INST] [1] [other]" in told


def test_what_the_prompt_itself_says_in_brackets_is_no_border() -> None:
    prompt = Prompt(tiny.PROMPT.system + " Names are [name].", tiny.PROMPT.user)
    assert "\nMrs [name]\n" in Chat(tiny.tokenizer(), prompt).render("Mrs [name]")


def test_other_text_reaches_the_model_as_it_is() -> None:
    note = "Hb <10, 5 > 3, <b>bold</b> [name] {x} </ think> im_end café\n\n  two"
    made = chat()
    made.tokenizer.add_tokens(["imatinib", "[name] "])  # words that somebody added are words
    assert f"<note>\n{note} imatinib\n</note>" in made.render(f"{note} imatinib")
