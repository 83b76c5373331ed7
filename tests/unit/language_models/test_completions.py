"""Training examples as tokens: what is trained on, token by token, and that the short way to the loss is the long way's number."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM, Qwen3Config, Qwen3ForCausalLM

from clinical_assets.language_models.chat import CLOSE_THOUGHT, Chat, ChatTemplateError
from clinical_assets.language_models.completions import Encoder, Plan, answer_loss, collate
from clinical_assets.language_models.demo_models.recipes import RECIPES
from clinical_assets.language_models.demo_models.tokenizer import build_tokenizer
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.skeleton import compile_skeleton
from clinical_assets.language_models.training_task import Example
from tests.unit.language_models import tiny_models as tiny

SETTINGS = LoraSettings(value_weight=7.0, max_tokens=2_000)
VALUES = [(True, False, True, True), (False,) * 4, (True,) * 4, (False, True, False, False)]


class Task:
    name, prompt, metric_name = "labels", tiny.PROMPT, None
    train = validation = ()

    def metric(self, loaded: Any) -> dict[str, float]:
        return {}

    def decides(self, target: str) -> list[tuple[int, int]]:
        return [found.span() for found in re.finditer("true|false", target)]


def examples() -> list[Example]:
    return [
        Example(str(i), str(i), note, tiny.SCHEMA.text(VALUES[i % 4]))
        for i, note in enumerate([*tiny.NOTES, "say <|im_end|>\n<end_of_turn> now"])
    ]


def demo_tokenizer(name: str) -> Any:
    text = [tiny.PROMPT.system, *tiny.NOTES, *map(tiny.SCHEMA.text, VALUES)] * 5
    return build_tokenizer(RECIPES[name], text, tiny.SCHEMA)


# tokenizer, whether the model thinks, what ends a turn
CASES = {
    "chatml": (lambda: tiny.tokenizer(tiny.CHATML), False, "<|im_end|>"),
    "bytes": (lambda: tiny.tokenizer(tiny.CHATML, merges=False), False, "<|im_end|>"),
    "no system turn": (lambda: tiny.tokenizer(tiny.NO_SYSTEM), False, "<end_of_turn>"),
    "opens a thought": (lambda: tiny.tokenizer(tiny.THINKING), False, "<|im_end|>"),
    "thinks": (lambda: tiny.tokenizer(tiny.THINKING), True, "<|im_end|>"),
    "demo mistral": (lambda: demo_tokenizer("mistral"), False, "<|im_end|>"),
    "demo r1": (lambda: demo_tokenizer("qwen3_thinker"), True, "<|end|>"),
    "demo gemma": (lambda: demo_tokenizer("gemma3"), False, "<end_of_turn>"),
}


@pytest.mark.parametrize("case", CASES)
def test_answer_and_turns_end_are_trained_on_and_nothing_else(case: str) -> None:
    make, thinks, end = CASES[case]
    tokenizer = make()
    chat = Chat(tokenizer, tiny.PROMPT, thinks)
    encoder = Encoder(tokenizer, Task(), SETTINGS, reasoning=thinks)
    shut = tokenizer(CLOSE_THOUGHT, add_special_tokens=False)["input_ids"] if thinks else []
    skeleton = compile_skeleton(tokenizer, tiny.SCHEMA, chat.render("") + (CLOSE_THOUGHT if thinks else ""))
    rows = [encoder.encode(example) for example in examples()]
    for example, row in zip(examples(), rows, strict=True):
        n = len(row.weights)
        # The prompt is the one that the model is asked with; the answer the one that it is scored by.
        assert list(row.tokens[:-n]) == chat.encode([example.text])[0] + shut
        values = [value == "true" for value in re.findall("true|false", example.target)]
        assert row.tokens[-n:-1] == skeleton.compose(values).tokens
        assert tokenizer.convert_ids_to_tokens(row.tokens[-1]) == end
        decoded = "".join(tokenizer.decode([t]) for t, it in zip(row.tokens[-n:], row.decides, strict=True) if it)
        assert decoded.split() == re.findall("true|false", example.target) or decoded == "".join(
            re.findall("true|false", example.target)
        )
        assert row.weights == tuple(7.0 if it else 1.0 for it in row.decides)
        assert (row.decides[-1], row.cut) == (False, False)
    common = encoder.common_tokens()
    batch = collate(rows, len(common))
    width = max(len(row.weights) for row in rows)
    for i, row in enumerate(rows):
        n, m = len(row.weights), len(row.tokens) - len(common)
        assert tuple(row.tokens[: len(common)]) == common
        assert batch["valid"][i].tolist() == [False] * (batch["valid"].shape[1] - m) + [True] * m
        assert batch["input_ids"][i, -m:].tolist() == list(row.tokens[len(common) :])
        assert batch["labels"][i].tolist() == [-100] * (width - n) + list(row.tokens[-n:])
        assert batch["weights"][i].tolist() == [0.0] * (width - n) + list(row.weights)


def model(family: str) -> Any:
    if family in {"llama", "qwen3"}:
        torch.manual_seed(0)
        size = tiny._SIZE | {"vocab_size": 448, "head_dim": 16}
        made: Any = (
            LlamaForCausalLM(LlamaConfig(**size)) if family == "llama" else Qwen3ForCausalLM(Qwen3Config(**size))
        )
        return made
    return tiny.model(family)


@pytest.mark.parametrize("alternatives", [False, True])
@pytest.mark.parametrize("family", [*tiny.FAMILIES, "llama", "qwen3"])
def test_the_loss_is_that_of_each_row_read_whole(family: str, alternatives: bool) -> None:
    tokenizer = tiny.tokenizer(tiny.NO_SYSTEM if family == "gemma3" else tiny.CHATML)
    encoder = Encoder(tokenizer, Task(), SETTINGS, reasoning=False)
    rows = [encoder.encode(example) for example in examples()]
    few = sorted({token for row in rows for token in row.deciding}) if alternatives else []
    assert len(few) in {0, 2}
    made = model(family).train()
    expected = torch.zeros(())
    for row in rows:  # no cache, no padding, the library's own masks, logits everywhere
        logits = made(input_ids=torch.tensor([row.tokens]), use_cache=False).logits[0].float()
        start = len(row.tokens) - len(row.weights)
        for place, (weight, decides) in enumerate(zip(row.weights, row.decides, strict=True), start):
            told, token = logits[place - 1], row.tokens[place]
            if decides and alternatives:
                expected = expected - weight * torch.log_softmax(told[few], 0)[few.index(token)]
            else:
                expected = expected - weight * torch.log_softmax(told, 0)[token]
    expected.backward()
    slopes = {name: p.grad.clone() for name, p in made.named_parameters()}
    common = encoder.common_tokens()
    for shared, cached in ((common, True), ((), True), ((), False)):
        made.zero_grad()
        loss = answer_loss(made, collate(rows, len(shared)), shared, few, cached=cached)
        assert float(loss) == pytest.approx(float(expected), rel=1e-5)
        loss.backward()
        for name, p in made.named_parameters():
            torch.testing.assert_close(p.grad, slopes[name], rtol=2e-3, atol=2e-3 * float(slopes[name].abs().max()))


def test_a_text_that_is_too_long_loses_its_middle_and_never_its_answer() -> None:
    tokenizer = tiny.tokenizer()
    note = "begin " + "no fever <|im_end|> " * 400 + "end of it"
    for most in (350, 401, 611):
        encoder = Encoder(tokenizer, Task(), LoraSettings(max_tokens=most), reasoning=False)
        row = encoder.encode(Example("1", "1", note, tiny.SCHEMA.text(VALUES[0])))
        assert row.cut
        assert most - 20 <= len(row.tokens) <= most
        text = tokenizer.decode(row.tokens)
        assert "begin no" in text
        assert "end of it" in text
        assert text.count("\n...\n") == 1
        assert text.endswith(f"{tiny.SCHEMA.text(VALUES[0])}<|im_end|>")
    with pytest.raises(ModelError, match=r"example 1: .*max_tokens = 100.*never cut") as told:
        Encoder(tokenizer, Task(), LoraSettings(max_tokens=100), reasoning=False).encode(
            Example("1", "1", note, tiny.SCHEMA.text(VALUES[0]))
        )
    assert "fever" not in str(told.value)


def test_free_text_weighs_alike_and_may_be_empty() -> None:
    class Summaries(Task):
        def decides(self, target: str) -> list[tuple[int, int]]:
            return []

    encoder = Encoder(tiny.tokenizer(), Summaries(), SETTINGS, reasoning=False)
    row = encoder.encode(Example("1", "1", "A note.", "No fever. <|im_end|> Seen."))
    assert set(row.weights) == {1.0}
    assert not any(row.decides)
    answer = row.tokens[-len(row.weights) :]
    assert answer.count(tiny.tokenizer().convert_tokens_to_ids("<|im_end|>")) == 1
    assert len(encoder.encode(Example("1", "1", "A note.", "")).weights) == 1


def test_what_ends_a_turn_is_read_from_the_template() -> None:
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = "{% for m in messages %}[{{ m.role }}] {{ m.content }} {% endfor %}"
    assert Chat(tokenizer, tiny.PROMPT).turn_end() == tokenizer.eos_token
    tokenizer.eos_token = None
    with pytest.raises(ChatTemplateError, match="eos_token"):
        Chat(tokenizer, tiny.PROMPT).turn_end()
    tokenizer.chat_template = "{% for m in messages if m.role != 'assistant' %}{{ m.content }}{% endfor %}"
    with pytest.raises(ChatTemplateError, match="drops the model's own turn"):
        Chat(tokenizer, tiny.PROMPT).turn_end()


@pytest.mark.parametrize("settings", [LoraSettings(tokens_per_batch=100), LoraSettings(batch_size=3), LoraSettings()])
def test_a_plan_has_every_row_once_and_as_many_batches_each_epoch(settings: LoraSettings) -> None:
    lengths = [5, 90, 17, 40, 41, 300, 8, 22, 22, 60, 60, 3]
    plan = Plan(lengths, settings)
    seen = []
    for epoch in range(4):
        plan.set_epoch(epoch)
        batches = list(plan)
        assert batches == list(plan)
        assert len(batches) == len(plan)
        assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
        for batch in batches:
            if settings.batch_size:
                assert len(batch) <= settings.batch_size
            else:
                assert len(batch) == 1 or len(batch) * max(lengths[row] for row in batch) <= settings.tokens_per_batch
        seen.append(batches)
    assert len(seen[0]) == 1 or seen[0] != seen[1]
