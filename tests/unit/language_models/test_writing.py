"""Free text: the tokens that `model.generate` gives, whatever shares a batch; ends, budgets, loops, thoughts, empty slots."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from clinical_assets.language_models.chat import Chat
from clinical_assets.language_models.decoding import DECODINGS, Chooser, Decoding, decoding_of
from clinical_assets.language_models.loading import Loaded, ModelError
from clinical_assets.language_models.prompts import EmptySlotError, Prompt
from clinical_assets.language_models.repetition import cut_loop, find_loop
from clinical_assets.language_models.session import Prefix, Session, pad_left
from clinical_assets.language_models.texts import TextRequest, WrittenText, without_thought
from clinical_assets.language_models.writing import LocalWriter, stop_tokens, write_rows
from tests.unit.language_models import tiny_models as tiny

PROMPT = Prompt("Summarize the note. Leave nothing out.", "<note>\n{note}\n</note>")
REFINE = Prompt("Summarize the note.", "<note>\n{note}\n</note>\n<lost>\n{lost}\n</lost>")
GREEDY = decoding_of("greedy")


def writer(model: Any, *, template: str | None = None, decoding: Decoding = GREEDY, **changed: Any) -> LocalWriter:
    budget = changed.pop("token_budget", 2_048)
    tokenizer = tiny.tokenizer(template or tiny.CHATML)
    return LocalWriter(Loaded(model, tokenizer, "cpu", 0), tiny.entry(**changed), decoding, token_budget=budget)


def written(of: LocalWriter, texts: Any, most: int = 24, prompt: Prompt = PROMPT, **slots: str) -> list[WrittenText]:
    made = dict(of.write([TextRequest(prompt, {"note": text, **slots}, most) for text in texts]))
    assert sorted(made) == list(range(len(texts)))
    return [made[i] for i in range(len(texts))]


@pytest.mark.parametrize("family", tiny.FAMILIES)
@pytest.mark.parametrize("with_end", [False, True])
def test_greedy_text_is_that_of_generate_token_for_token(family: str, with_end: bool) -> None:
    model, tokenizer = tiny.model(family), tiny.tokenizer(tiny.NO_SYSTEM if family == "gemma3" else tiny.CHATML)
    chat = Chat(tokenizer, PROMPT)
    stops = stop_tokens(model, chat)
    if with_end:  # so that rows end at different steps, and leave the batch
        model = tiny.biased(model, dict.fromkeys(stops, 8.0 if family == "gemma3" else 3.0))
    prompts, common = chat.encode(tiny.NOTES), chat.common_tokens()
    with torch.inference_mode():
        session = Session(model, len(prompts), Prefix(model, common))
        before = pad_left([tokens[len(common) :] for tokens in prompts])
        rows = write_rows(session, before, stops, [20] * len(prompts), Chooser(GREEDY, []), look_for_loops=False)
        for tokens, row in zip(prompts, rows, strict=True):
            expected = model.generate(
                input_ids=torch.tensor([tokens]), attention_mask=torch.ones(1, len(tokens), dtype=torch.long),
                max_new_tokens=20, do_sample=False, eos_token_id=sorted(stops), pad_token_id=0,
            )[0, len(tokens) :].tolist()  # fmt: skip
            ended = expected[-1] in stops
            assert row.tokens == (expected[:-1] if ended else expected)
            assert row.end == ("stopped" if ended else "budget")
    if with_end:
        assert len({len(row.tokens) for row in rows}) > 1


def test_a_text_is_the_same_alone_in_a_batch_and_behind_another_prefix() -> None:
    model = tiny.model("qwen2", seed=3)
    alone = [written(writer(model, token_budget=1), [note])[0].text for note in tiny.NOTES]
    assert [w.text for w in written(writer(model), tiny.NOTES)] == alone
    assert len(set(alone)) > 1
    drawn = decoding_of("seed_ds")
    one = [written(writer(model, token_budget=1, decoding=drawn), [note])[0].text for note in tiny.NOTES]
    assert [w.text for w in written(writer(model, decoding=drawn), tiny.NOTES)] == one != alone


def test_the_seed_preset_draws_as_the_library_does() -> None:
    """The distribution that is drawn from is that of the library's processors; the chosen token is in its nucleus."""
    logits = torch.randn(1, 60, generator=torch.Generator().manual_seed(1)) * 3
    counts = torch.zeros(60)
    for seed in range(400):
        counts[Chooser(DECODINGS["seed_ds_compressed"], [seed]).choose(logits, [[]])[0]] += 1
    chances = (logits[0] / 0.3).softmax(-1)
    order = chances.argsort(descending=True)
    nucleus = order[: int((chances[order].cumsum(0) < 0.9).sum()) + 1]
    assert set(counts.nonzero().flatten().tolist()) <= set(nucleus.tolist())
    kept = chances[nucleus] / chances[nucleus].sum()
    assert (counts[nucleus] / 400 - kept).abs().max() < 0.1
    with pytest.raises(ValueError, match="known: greedy, seed_ds"):
        decoding_of("beam")


def test_ends_budgets_loops_and_what_does_not_fit() -> None:
    tokenizer = tiny.tokenizer()
    end, word = (
        tokenizer.convert_tokens_to_ids("<|im_end|>"),
        tokenizer("leukaemia", add_special_tokens=False)["input_ids"],
    )
    (empty,) = written(writer(tiny.biased(tiny.model("mistral"), {end: 99.0})), ["x"])
    assert (empty.status, empty.text, empty.n_output_tokens) == ("empty", None, 0)
    (short,) = written(writer(tiny.model("mistral")), ["x"], 3)
    assert (short.status, short.n_output_tokens) == ("truncated", 3)
    (loop,) = written(writer(tiny.biased(tiny.model("mistral"), {word[0]: 99.0})), ["x"], 400)
    assert loop.status == "looping"
    assert loop.n_output_tokens < 60, "it is stopped long before its budget"
    assert loop.text == tokenizer.decode(word[:1])
    (long,) = written(writer(tiny.model("mistral"), context_length=128), ["x " * 300])
    assert (long.status, long.text) == ("too_long", None)
    (broken,) = written(writer(tiny.biased(tiny.model("mistral"), {5: float("nan")})), ["x"])
    assert (broken.status, broken.text, broken.reason) == ("failed", None, "logits_not_finite")


def test_generation_stops_at_the_models_own_end_too() -> None:
    model, tokenizer = tiny.model("mistral"), tiny.tokenizer()
    model.generation_config.eos_token_id = [7, 9]
    assert stop_tokens(model, Chat(tokenizer, PROMPT)) == {7, 9, tokenizer.convert_tokens_to_ids("<|im_end|>")}


def test_thoughts_are_closed_and_never_part_of_the_text() -> None:
    tokenizer = tiny.tokenizer(tiny.THINKING)
    model = tiny.biased(tiny.model("qwen2"), {tokenizer.convert_tokens_to_ids("</think>"): -99.0})
    thinking = writer(model, template=tiny.THINKING, reasoning=True, max_thinking_tokens=8)
    for made in written(thinking, tiny.NOTES[:2], 12):
        assert made.n_output_tokens > 8
        assert "think>" not in (made.text or "")
    # where the model is not asked to think, the thought that the template opens is shut
    chat = Chat(tokenizer, PROMPT)
    assert chat.render("x").endswith("<think>\n</think>\n\n")
    with pytest.raises(ModelError, match="no single token"):
        LocalWriter(Loaded(model, tiny.wrapped(tiny.raw_tokenizer([]), tiny.CHATML), "cpu", 0), tiny.entry(reasoning=True, max_thinking_tokens=8), GREEDY)  # fmt: skip
    assert without_thought("<think>a</think>\n\nb") == ("b", False)
    assert without_thought("a</think> b") == ("b", False)
    assert without_thought("b <think> a") == ("b", True)


def test_an_empty_slot_is_refused_before_anything_is_written_and_slots_cannot_end_themselves() -> None:
    made = writer(tiny.model("mistral"))
    for texts, slots in ((["x", " \n"], {}), (["x"], {"lost": ""})):
        with pytest.raises(EmptySlotError, match=r"nothing is given for \{(note|lost)\}"):
            written(made, texts, prompt=REFINE if slots else PROMPT, **slots)
    with pytest.raises(EmptySlotError, match=r"there is no slot \{lost\}"):
        written(made, ["x"], lost="y")
    user = REFINE.messages("a</note>{lost}", lost="b</lost><note>")[1]["content"]
    assert user == "<note>\na< /note>{lost}\n</note>\n<lost>\nb< /lost>< note>\n</lost>"
    chat = Chat(tiny.tokenizer(), REFINE)
    assert chat.render("a", lost="<|im_end|>").count("<|im_end|>") == chat.render("a", lost="b").count("<|im_end|>")
    assert made.room(REFINE, 20) == made.room(REFINE, 10) - 10 < 2028


@pytest.mark.parametrize(
    ("items", "place"),
    [
        (list(range(50)), None),
        ([1, 2, 3] * 2, None),
        ([9, *[1, 2, 3] * 9], 4),
        ([9, 8, *[7] * 25], 3),
        ([*range(30), *range(30), *range(30), 5], 30),
        ([*range(30), *range(30), 5], None),
        ([], None),
    ],
)
def test_where_a_loop_begins(items: list[int], place: int | None) -> None:
    assert find_loop(items) == place


def test_a_text_is_cut_where_it_repeats_itself() -> None:
    once = "Hb 12.6 on 3/17/2020, imatinib 400 mg daily. "
    assert cut_loop("CML. " + once * 4) == "CML. " + once.strip(" .")
    assert cut_loop("CML. " + once * 2) is None
    assert cut_loop("No fever, no rash, no cough, no pain, no oedema, no bleeding, no nausea, no vomiting.") is None
