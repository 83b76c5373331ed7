"""The tokenizer of a demo model: byte-level BPE learned from the training text, with one token for each field's key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.demo_models.recipes import Recipe

__all__ = ["build_tokenizer"]

_VOCABULARY = 3_000


def build_tokenizer(recipe: Recipe, texts: Iterable[str], schema: AnswerSchema) -> Any:
    """Return a fast tokenizer with the recipe's chat template.

    A key such as ``"cml_diagnosed":`` is one token, so that the model decides a value right where it reads the question;
    a model with few layers learns that far sooner. The bare field name is one token too, for thoughts.
    """
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    bpe.decoder = decoders.ByteLevel()
    special = ["<pad>", *recipe.marks]
    trainer = trainers.BpeTrainer(
        vocab_size=_VOCABULARY,
        special_tokens=special,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    bpe.train_from_iterator(texts, trainer)
    whole = ["<note>", "</note>", *(f'"{name}":' for name in schema.fields), *schema.fields]
    bpe.add_tokens([AddedToken(text, lstrip=text[0] not in "<", normalized=False) for text in whole])
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=bpe, pad_token="<pad>", eos_token=recipe.end)  # noqa: S106
    tokenizer.chat_template = recipe.chat_template
    return tokenizer
