"""An answer put together from parts is token for token what the tokenizer would write."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.chat import Chat
from clinical_assets.language_models.skeleton import SkeletonError, compile_skeleton
from tests.unit.language_models import tiny_models as tiny

NAMES = st.lists(st.from_regex(r"[a-z][a-z0-9_]{0,24}", fullmatch=True), min_size=1, max_size=9, unique=True)
TOKENIZERS = {merges: tiny.tokenizer(merges=merges) for merges in (True, False)}


def tokens_of(tokenizer: Any, prompt: str, text: str) -> tuple[int, ...]:
    ids = tokenizer(prompt + text, add_special_tokens=False)["input_ids"]
    return tuple(ids[len(tokenizer(prompt, add_special_tokens=False)["input_ids"]) :])


def check(tokenizer: Any, schema: AnswerSchema, prompt: str, answers: list[tuple[bool, ...]]) -> None:
    skeleton = compile_skeleton(tokenizer, schema, prompt)
    lengths = []
    for values in answers:
        drafted = skeleton.compose(values)
        assert drafted.tokens == tokens_of(tokenizer, prompt, schema.text(values))
        at = [drafted.tokens[slot + 1] for slot in drafted.slots]
        false, true = skeleton.deciding
        assert at == [true[k] if value else false[k] for k, value in enumerate(values)]
        assert all(a != b for a, b in zip(false, true, strict=True))
        lengths.append(len(drafted.tokens))
    assert skeleton.longest >= max(lengths)
    if len(answers) == 2 ** len(schema.fields):
        assert skeleton.longest == max(lengths)


@settings(max_examples=60, deadline=None)
@given(names=NAMES, merges=st.booleans(), prompt=st.sampled_from(["", "Answer:\n", "</think>\n\n"]), data=st.data())
def test_every_answer_is_what_the_tokenizer_writes(names: list[str], merges: bool, prompt: str, data: Any) -> None:
    n = len(names)
    if n <= 4:
        answers = list(itertools.product([False, True], repeat=n))
    else:
        answers = data.draw(st.lists(st.tuples(*[st.booleans()] * n), min_size=8, max_size=8))
    check(TOKENIZERS[merges], AnswerSchema(tuple(names)), f"<|im_start|>assistant\n{prompt}", answers)


@pytest.mark.parametrize("template", [tiny.CHATML, tiny.THINKING, tiny.NO_SYSTEM])
@pytest.mark.parametrize("merges", [True, False])
def test_every_answer_behind_a_chat_template(template: str, merges: bool) -> None:
    tokenizer = tiny.tokenizer(template, merges=merges)
    prompt = Chat(tokenizer, tiny.PROMPT).render("")
    check(tokenizer, tiny.SCHEMA, prompt, list(itertools.product([False, True], repeat=4)))


def test_whatever_merges_across_words_is_refused_or_exact() -> None:
    """BPE without a split into words, trained on answers: at some sizes values merge with what stands beside them."""
    schema, outcomes = AnswerSchema(("a", "b", "c")), []
    answers = list(itertools.product([False, True], repeat=3))
    for size in range(257, 330, 3):
        bpe = tiny.raw_tokenizer(regex=False, size=size, text=[schema.text(values) for values in answers])
        try:
            check(tiny.wrapped(bpe), schema, "x\n", answers)
            outcomes.append("exact")
        except SkeletonError:
            outcomes.append("refused")
    assert set(outcomes) == {"exact", "refused"}


def merging(text: str) -> Any:
    """A tokenizer that writes this text as one token."""
    text = text.replace(" ", "Ġ").replace("\n", "Ċ")
    return tiny.wrapped(tiny.raw_tokenizer([(text[:i], text[i]) for i in range(1, len(text))], regex=False))


@pytest.mark.parametrize(
    ("merged", "message"),
    [
        ('ue, "b": t', "writes a value differently depending on other values"),
        ('{"a": true', "does not give field 'a' a token of its own for true and for false"),
        ("\n{", "merges the end of the prompt with the answer"),
    ],
)
def test_values_that_merge_with_their_surroundings_are_refused(merged: str, message: str) -> None:
    schema = AnswerSchema(("a", "b"))
    tokenizer = merging(merged)
    assert len(tokenizer(merged)["input_ids"]) == 1
    with pytest.raises(SkeletonError, match=message):
        compile_skeleton(tokenizer, schema, "Answer:\n")
    compile_skeleton(merging("zzz"), schema, "Answer:\n")


def test_an_answer_needs_different_fields() -> None:
    for fields in ((), ("a", "a")):
        with pytest.raises(ValueError, match="one or more different fields, got: "):
            AnswerSchema(fields)
