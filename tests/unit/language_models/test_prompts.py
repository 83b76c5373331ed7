"""The wording: slots, definitions, and a note that cannot end itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.prompts import Prompt

SCHEMA = AnswerSchema(("cml", "aml"))
SYSTEM, USER = "Fields:\n{fields}\nlike {example}", "<note>\n{note}\n</note>"
DEFINITIONS = ("chronic", "acute")


def build(system: str = SYSTEM, user: str = USER, definitions: Any = DEFINITIONS) -> Prompt:
    return Prompt.build(system, user, SCHEMA, definitions)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"system": "no slots"}, r"prompt\.system lacks the slot \{fields\}"),
        ({"system": "{example}"}, r"prompt\.system lacks the slot \{fields\}"),
        ({"user": "<note></note>"}, r"prompt\.user lacks the slot \{note\}"),
        ({"system": "{fields} {what}"}, r"prompt\.system has the unknown slot \{what\}; known: example, fields"),
        ({"user": "<note>{note}</note> {fields}"}, r"prompt\.user has the unknown slot \{fields\}; known: note"),
        ({"system": "{fields} {"}, r"write a literal brace as \{\{ or \}\}"),
        ({"system": "{fields} }"}, r"write a literal brace as \{\{ or \}\}"),
        ({"system": '{fields} {"a": 1}'}, r"write a literal brace as \{\{ or \}\}"),
        ({"system": "{fields} {0}"}, r"slot '0' is not a name"),
        ({"user": "{note}"}, "between <note> and </note>"),
        ({"user": "{note}<note></note>"}, "between <note> and </note>"),
    ],
)
def test_a_wrong_template_is_refused(changed: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**changed)


def test_fields_and_example_are_written_into_the_system_turn() -> None:
    prompt = build(definitions=["chronic\n  myeloid  {leukaemia}", "acute"])
    assert prompt.system == (
        'Fields:\n- cml: chronic myeloid {leukaemia}\n- aml: acute\nlike {"cml": false, "aml": false}'
    )
    assert prompt.user == USER


def test_literal_braces_are_kept() -> None:
    prompt = build("{fields} {{x}}", "{{y}} <note>{note}</note>")
    assert prompt.system.endswith(" {x}")
    assert prompt.messages("n")[1]["content"] == "{y} <note>n</note>"


def test_every_field_needs_its_definition() -> None:
    with pytest.raises(ValueError, match="zip"):
        build(definitions=["chronic"])


def test_messages_are_a_system_and_a_user_turn() -> None:
    prompt = build()
    assert prompt.messages("cough {x} {note}") == [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": "<note>\ncough {x} {note}\n</note>"},
    ]


@given(
    note=st.lists(
        st.sampled_from(["<note>", "</note>", "<", "/", "note", ">", " ", "</no", "te>", "{", "}", "\n"])
    ).map("".join)
)
def test_no_note_can_end_itself(note: str) -> None:
    content = build().messages(note)[1]["content"]
    assert (content.count("<note>"), content.count("</note>")) == (1, 1)
    assert content.startswith("<note>\n")
    assert content.endswith("\n</note>")
    assert content.replace("< ", "<") == f"<note>\n{note}\n</note>".replace("< ", "<")


def test_other_text_is_left_alone() -> None:
    note = "BP < 120, <b>bold</b>, notes > 3, [INST]"
    assert build().messages(note)[1]["content"] == f"<note>\n{note}\n</note>"


def test_the_digest_changes_with_any_wording() -> None:
    same = {build().sha256, build(SYSTEM, USER, list(DEFINITIONS)).sha256, build(SYSTEM + "\n").sha256}
    different = [
        build(SYSTEM + "."),
        build(user=USER.replace("\n", " ")),
        build(definitions=["chronic", "acute."]),
        Prompt.build(SYSTEM, USER, AnswerSchema(("aml", "cml")), DEFINITIONS),
        # The same letters, but the border between the turns elsewhere.
        Prompt(build().system + "<", USER.removeprefix("<")),
    ]
    assert len(same) == 1
    assert len(same | {prompt.sha256 for prompt in different}) == 1 + len(different)
    assert all(len(digest) == 64 for digest in same)
