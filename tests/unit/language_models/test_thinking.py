"""Thoughts: as long as the model wants and the budget allows, closed one way or the other, and each row's own."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from clinical_assets.language_models.chat import Chat
from clinical_assets.language_models.scoring import score
from clinical_assets.language_models.session import Prefix, Session, pad_left
from clinical_assets.language_models.skeleton import compile_skeleton
from clinical_assets.language_models.thinking import ThoughtError, Thoughts, think, thought_end
from tests.unit.language_models import tiny_models as tiny

TOKENIZER = tiny.tokenizer(tiny.THINKING)
CHAT = Chat(TOKENIZER, tiny.PROMPT, reasoning=True)
SKELETON = compile_skeleton(TOKENIZER, tiny.SCHEMA, CHAT.render("") + "</think>\n\n")
END = thought_end(TOKENIZER)
N = len(tiny.SCHEMA.fields)


def ids(text: str) -> list[int]:
    found: list[int] = TOKENIZER(text, add_special_tokens=False)["input_ids"]
    return found


def thought(model: Any, notes: Any, most: int) -> tuple[Thoughts, Any]:
    prompts, common = CHAT.encode(notes), CHAT.common_tokens()
    with torch.inference_mode():
        session = Session(model, len(notes), Prefix(model, common))
        thoughts = think(session, pad_left([prompt[len(common) :] for prompt in prompts]), TOKENIZER, most)
        drafts = [(i % 2 == 0,) * N for i in range(len(notes))]
        return thoughts, score(session, pad_left(thoughts.closing), SKELETON, drafts)


def oracle_thought(model: Any, prompt: list[int], most: int) -> tuple[list[int], bool]:
    """Greedy, one whole forward a token; whether it was cut."""
    row: list[int] = []
    while True:
        token = int(tiny.plain_logits(model, prompt + row)[-1].argmax())
        if token == END:
            return row, False
        if token == TOKENIZER.eos_token_id or len(row) == most:
            return row, True
        row.append(token)


def check(model: Any, notes: Any, most: int) -> list[tuple[int, bool]]:
    thoughts, scored = thought(model, notes, most)
    for i, prompt in enumerate(CHAT.encode(notes)):
        row, cut = oracle_thought(model, prompt, most)
        assert (thoughts.n_tokens[i], thoughts.cut[i]) == (len(row), cut)
        assert list(thoughts.closing[i]) == ids("\n</think>\n\n" if cut else "</think>\n\n")
        values, probabilities = tiny.oracle(model, prompt + row + list(thoughts.closing[i]), SKELETON)
        assert scored.values[i] == values
        assert scored.probabilities[i] == pytest.approx(probabilities, abs=1e-5)
    return list(zip(thoughts.n_tokens, thoughts.cut, strict=True))


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize(
    ("bias", "expected"),
    [
        ({END: 90.0}, (0, False)),
        ({END: -90.0, TOKENIZER.eos_token_id: -90.0}, (7, True)),
        ({TOKENIZER.eos_token_id: 90.0}, (0, True)),
    ],
    ids=["at_once", "never", "gives_up"],
)
def test_a_thought_that_ends_at_once_never_or_with_the_turn(
    family: str, bias: dict[int, float], expected: tuple[int, bool]
) -> None:
    assert check(tiny.biased(tiny.model(family), bias), tiny.NOTES[:4], 7) == [expected] * 4


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_thoughts_of_different_lengths_do_not_leak(family: str) -> None:
    """At some bias some rows end early and others never; each is as if alone."""
    seen = set()
    for bias in (1.0, 3.0, 6.0, 9.0, 12.0):
        seen |= set(check(tiny.biased(tiny.model(family, seed=3), {END: bias}), tiny.NOTES, 9))
    lengths = {n for n, cut in seen if not cut}
    assert (9, True) in seen
    assert len(lengths) > 1


def test_a_thought_that_ends_right_at_the_budget_is_not_cut() -> None:
    found = 0
    for bias in (1.0, 2.5, 4.0, 5.5):
        model = tiny.biased(tiny.model("qwen2", seed=3), {END: bias})
        for note in tiny.NOTES:
            row, cut = oracle_thought(model, CHAT.encode([note])[0], 9)
            if row and not cut:
                found += 1
                assert check(model, [note], len(row)) == [(len(row), False)]
                assert check(model, [note], len(row) - 1) == [(len(row) - 1, True)]
    assert found


def test_no_thought_at_all() -> None:
    assert check(tiny.biased(tiny.model("mistral"), {END: -90.0}), tiny.NOTES[:2], 0) == [(0, True)] * 2


def test_a_tokenizer_without_the_mark_is_refused() -> None:
    tokenizer = tiny.wrapped(tiny.raw_tokenizer([]))
    with pytest.raises(ThoughtError, match="no single token </think>; set reasoning: false for this model"):
        thought_end(tokenizer)
    assert TOKENIZER.convert_ids_to_tokens(END) == "</think>"
