"""Constrained generation writes the canonical answer, and then agrees with schema scoring."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from clinical_assets.language_models.chat import Chat
from clinical_assets.language_models.generation import Grammar
from clinical_assets.language_models.scoring import score
from clinical_assets.language_models.session import Prefix, Session, pad_left
from clinical_assets.language_models.skeleton import compile_skeleton
from tests.unit.language_models import tiny_models as tiny

N = len(tiny.SCHEMA.fields)
TOKENIZER = tiny.tokenizer()
CHAT = Chat(TOKENIZER, tiny.PROMPT)
SKELETON = compile_skeleton(TOKENIZER, tiny.SCHEMA, CHAT.render(""))


@pytest.fixture(scope="module")
def grammar() -> Grammar:
    return Grammar(TOKENIZER, SKELETON, 448)


def both(model: Any, grammar: Grammar, notes: Any) -> Any:
    prompts, common = CHAT.encode(notes), CHAT.common_tokens()
    with torch.inference_mode():
        prefix = Prefix(model, common)
        before = pad_left([prompt[len(common) :] for prompt in prompts])
        generated, written = grammar.generate(Session(model, len(notes), prefix), before)
        return (
            generated,
            written,
            score(Session(model, len(notes), prefix), before, SKELETON, [(False,) * N] * len(notes)),
        )


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_generation_and_scoring_agree_where_values_are_written_canonically(family: str, grammar: Grammar) -> None:
    """' true' and ' false' made far likelier than ' t' or ' '; between the two the model decides."""
    model = tiny.biased(tiny.model(family), dict.fromkeys((SKELETON.false[0][0], SKELETON.true[0][0]), 60.0))
    generated, written, scored = both(model, grammar, tiny.NOTES)
    assert generated.values == scored.values
    assert (torch.tensor(generated.probabilities) - torch.tensor(scored.probabilities)).abs().max() < 1e-4
    assert written == tuple(len(SKELETON.compose(values).tokens) for values in scored.values)
    for prompt, values, probabilities in zip(
        CHAT.encode(tiny.NOTES), generated.values, generated.probabilities, strict=True
    ):
        expected = tiny.oracle(model, prompt, SKELETON)
        assert values == expected[0]
        assert probabilities == pytest.approx(expected[1], abs=1e-4)
    assert family == "gemma3" or len(set(generated.values)) > 1


def test_a_model_that_would_rather_spell_values_letter_by_letter_is_held_to_whole_tokens(grammar: Grammar) -> None:
    pieces = {TOKENIZER(text, add_special_tokens=False)["input_ids"][0]: 60.0 for text in (" ", "t", "f", " t", " f")}
    generated, written, scored = both(tiny.biased(tiny.model("qwen2"), pieces), grammar, tiny.NOTES)
    assert generated.values == scored.values
    assert written == tuple(len(SKELETON.compose(values).tokens) for values in scored.values)


def test_rows_that_end_at_different_times_do_not_disturb_each_other(grammar: Grammar) -> None:
    (letter,) = TOKENIZER(" t", add_special_tokens=False)["input_ids"]
    model = tiny.biased(tiny.model("mistral_sliding"), {letter: 1.0, **dict.fromkeys(SKELETON.deciding[0], 4.0)})
    together, written, _ = both(model, grammar, tiny.NOTES)
    for i, note in enumerate(tiny.NOTES):
        alone, n, _ = both(model, grammar, [note])
        assert (alone.values[0], n[0]) == (together.values[i], written[i])
        assert alone.probabilities[0] == pytest.approx(together.probabilities[i], abs=1e-5)
