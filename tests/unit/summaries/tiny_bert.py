"""A random BERT of three layers and a word-piece tokenizer of a few dozen words, as a folder; no network."""

from __future__ import annotations

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors
from transformers import BertConfig, BertModel, PreTrainedTokenizerFast

WORDS = "no fever chest clear patient imatinib 400 mg daily bcr abl log reduction seen in clinic today denies cough pain stable continue plan labs normal white count".split()
_SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def write_tiny_bert(folder: Path, *, max_length: int | None = 48, positions: int = 48, seed: int = 0) -> Path:
    """`max_length` None leaves the tokenizer's model_max_length unset."""
    letters = "abcdefghijklmnopqrstuvwxyz0123456789.,"
    vocabulary = dict.fromkeys([*_SPECIAL, *WORDS, *letters, *(f"##{letter}" for letter in letters)])
    raw = Tokenizer(models.WordPiece({word: i for i, word in enumerate(vocabulary)}, unk_token="[UNK]"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    raw.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B [SEP]",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {f"{name.strip('[]').lower()}_token": name for name in _SPECIAL}
    options = {} if max_length is None else {"model_max_length": max_length}
    PreTrainedTokenizerFast(tokenizer_object=raw, **names, **options).save_pretrained(folder)
    torch.manual_seed(seed)
    size = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=positions,
        initializer_range=0.5,  # so that a word's vector depends on its neighbours
    )
    BertModel(size).eval().save_pretrained(folder, safe_serialization=True)
    return folder
