"""Random models of four architectures, a tokenizer of a few hundred tokens, three chat templates, and a naive reader."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from typing import Any

import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    MistralConfig,
    MistralForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.skeleton import Skeleton

torch.set_num_threads(1)

SCHEMA = AnswerSchema(("cml", "aml_seen", "imatinib", "bmt_history"))
PROMPT = Prompt.build(
    "Read the note.\n{fields}\nAnswer as {example}",
    "<note>\n{note}\n</note>",
    SCHEMA,
    ["chronic leukaemia", "acute leukaemia", "the drug", "a graft"],
)
NOTES = (
    "Chronic myeloid leukaemia, on imatinib.",
    "No leukaemia.",
    "Acute leukaemia after a graft in 2019; the family was told, imatinib was never given.",
    "Seen for a cough. No fever, no weight loss. Chest clear. Plan: tea, rest, and come again in a week if no better.",
    "x",
    "Graft? Unclear: see letter.",
)
CONTROL = ("<|im_start|>", "<|im_end|>", "<start_of_turn>", "<end_of_turn>")
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
THINKING = CHATML.replace("assistant\n{% endif", "assistant\n<think>\n{% endif")
NO_SYSTEM = (
    "{% if messages[0].role == 'system' %}{{ raise_exception('System role not supported') }}{% endif %}"
    "{% for m in messages %}<start_of_turn>{{ m.role }}\n{{ m.content | trim }}<end_of_turn>\n{% endfor %}"
    "{{ '<start_of_turn>model\n' }}"
)


@cache
def _trained(merges: bool) -> str:
    answers = [SCHEMA.text([i >> k & 1 == 1 for k in range(4)]) for i in range(16)]
    bpe = raw_tokenizer()
    size = 436 if merges else 256 + len(CONTROL)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=list(CONTROL), initial_alphabet=alphabet, show_progress=False
    )
    bpe.train_from_iterator([*answers, *NOTES, PROMPT.system, "assistant\nmodel\nuser\nsystem\n"] * 3, trainer)
    bpe.add_tokens(["<think>", "</think>"])  # not special, as with Qwen3 and DeepSeek-R1
    return bpe.to_str()


def raw_tokenizer(
    merges: Iterable[tuple[str, str]] | None = None, *, regex: bool = True, size: int = 0, text: Sequence[str] = ()
) -> Tokenizer:
    """A byte-level BPE, empty, or of exactly these merges, or trained to a size; `regex` keeps merges within words."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    if merges is None:
        bpe = Tokenizer(models.BPE())
    else:
        listed = list(merges)
        tokens = dict.fromkeys([*alphabet, *("".join(pair) for pair in listed)])
        bpe = Tokenizer(models.BPE(vocab={token: i for i, token in enumerate(tokens)}, merges=listed))
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=regex)
    bpe.decoder = decoders.ByteLevel()
    if size:
        bpe.train_from_iterator(
            text, trainers.BpeTrainer(vocab_size=size, initial_alphabet=alphabet, show_progress=False)
        )
    return bpe


def wrapped(bpe: Tokenizer, template: str | None = None) -> Any:
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe)
    tokenizer.chat_template = template
    return tokenizer


def tokenizer(template: str | None = CHATML, *, merges: bool = True) -> Any:
    """`merges`: words are tokens; without, every byte is one, so that values are several tokens."""
    made = wrapped(Tokenizer.from_str(_trained(merges)), template)
    made.eos_token = "<|im_end|>"
    return made


_SIZE: dict[str, Any] = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 4096,
    "initializer_range": 0.25,  # so that answers depend on the note
}
_LAYERS = ["sliding_attention", "sliding_attention", "full_attention"]
FAMILIES = ("mistral", "mistral_sliding", "qwen2", "gemma3")


def model(family: str, n_vocabulary: int = 448, *, seed: int = 0, **changed: Any) -> Any:
    """A random model; windows are 16 tokens, shorter than any prompt here."""
    size = _SIZE | {"vocab_size": n_vocabulary} | changed
    torch.manual_seed(seed)
    if family == "qwen2":
        made: Any = Qwen2ForCausalLM(Qwen2Config(**size))
    elif family == "gemma3":
        made = Gemma3ForCausalLM(Gemma3TextConfig(**size, head_dim=16, sliding_window=16, layer_types=_LAYERS))
    else:
        made = MistralForCausalLM(MistralConfig(**size, sliding_window=16 if "sliding" in family else None))
    return made.eval()


def biased(made: Any, bias: dict[int, float]) -> Any:
    """Make tokens likelier or less likely, everywhere; changes the model, returns it."""
    head = made.lm_head
    made.lm_head = torch.nn.Linear(head.in_features, head.out_features, bias=True)
    with torch.no_grad():
        made.lm_head.weight.copy_(head.weight)
        made.lm_head.bias.zero_()
        for token, value in bias.items():
            made.lm_head.bias[token] = value
    return made


def plain_logits(made: Any, tokens: Sequence[int]) -> torch.Tensor:
    """Logits (n, vocabulary) of one row read whole: no cache, no padding, the library's own masks."""
    with torch.inference_mode():
        logits: torch.Tensor = made(input_ids=torch.tensor([list(tokens)]), use_cache=False).logits[0].float()
    return logits


def oracle(made: Any, tokens: Sequence[int], skeleton: Skeleton) -> tuple[tuple[bool, ...], tuple[float, ...]]:
    """Write the answer token by token: at each value the likelier of the two tokens, everything else as it must be."""
    row, values, probabilities = list(tokens), [], []
    for k in range(len(skeleton.schema.fields)):
        row += skeleton.fixed[k]
        last = plain_logits(made, row)[-1]
        false, true = skeleton.false[k][0], skeleton.true[k][0]
        a, b = float(last[false]), float(last[true])
        value = b > a or (a == b and true < false)
        values.append(value)
        probabilities.append(float(torch.softmax(torch.tensor([a, b], dtype=torch.float64), 0)[1]))
        row += skeleton.true[k] if value else skeleton.false[k]
    return tuple(values), tuple(probabilities)


def entry(**changed: Any) -> ModelEntry:
    return ModelEntry(
        **{
            "name": "tiny",
            "description": "a tiny random model",
            "model": "tiny",
            "context_length": 2048,
            "licence": "none",
            "profile": "demo",
        }
        | changed
    )
