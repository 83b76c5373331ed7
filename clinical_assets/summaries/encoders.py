"""The encoder behind BERTScore: any BERT-like model that the user has, read up to one layer, with what tells it from others.

For clinical text the encoder of record is Bio_ClinicalBERT (emilyalsentzer/Bio_ClinicalBERT, MIT), layer 9: bert-score's choice
for models of that shape, not tuned on ratings of clinical summaries. Where it is not at hand a small general encoder does; a
score always carries the encoder's name, layer and revision, as scores of different encoders cannot be compared.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.encoders import load_encoder_model, pieces_at_once
from clinical_assets.language_models.loading import ModelError

__all__ = ["CLINICAL_BERT", "CLINICAL_LAYER", "Encoder", "encoder_entry", "load_encoder"]

CLINICAL_BERT = "emilyalsentzer/Bio_ClinicalBERT"
CLINICAL_LAYER = 9

_POSITIONS = 512  # where neither model nor tokenizer says how long a text may be


@dataclass(frozen=True)
class Encoder:
    """An encoder in memory.

    Attributes
    ----------
    name, revision, layer, dtype
        What its scores must be told by: name, commit or digest of the files, hidden layer read (0: embeddings), number format.
    model, tokenizer, device
        Of transformers and torch.
    n_pieces
        Word pieces that fit into one reading, without the special tokens around them.
    """

    name: str
    revision: str
    layer: int
    dtype: str
    model: Any
    tokenizer: Any
    device: str
    n_pieces: int

    @property
    def identity(self) -> str:
        """One string for all that a score depends on besides the texts."""
        return f"{self.name}@{self.revision}/layer{self.layer}/{self.dtype}/{self.n_pieces}"


def encoder_entry(
    name: str, model: str, *, revision: str | None = None, licence: str = "see the model card"
) -> ModelEntry:
    """Return a catalogue entry for an encoder: a name of our own, and a folder or a Hugging Face id."""
    return ModelEntry(
        name=name,
        description="an encoder whose token vectors are compared",
        model=model,
        revision=revision,
        context_length=_POSITIONS,
        licence=licence,
        profile="demo",
        tasks=["summaries"],
    )


def load_encoder(entry: ModelEntry, layer: int, *, device: str = "cpu", dtype: str = "float32") -> Encoder:
    """Load an encoder and drop the layers above the one that is read.

    Parameters
    ----------
    entry
        Name and place of the model (`encoder_entry`, or an entry of the catalogue).
    layer
        Hidden layer to read: 1 to the number of layers.
    device, dtype
        As torch names them. bfloat16 is two to three times faster on some processors, and scores differ in the third decimal.

    Raises
    ------
    ModelError
        If files are missing, unsafe (pickles, code of their own) or incomplete, or there is no such layer.
    """
    loaded = load_encoder_model(entry, device=device, dtype=dtype)
    model, tokenizer = loaded.model, loaded.tokenizer
    _keep_layers(entry.name, model, layer)
    if tokenizer.cls_token_id is None or tokenizer.sep_token_id is None:
        raise ModelError(f"encoder {entry.name!r}: its tokenizer needs [CLS] and [SEP]; choose a BERT-like model")
    room = pieces_at_once(model) - int(tokenizer.num_special_tokens_to_add(pair=False))
    return Encoder(entry.name, loaded.revision, layer, dtype, model, tokenizer, device, room)


def _keep_layers(name: str, model: Any, layer: int) -> None:
    """Cut the stack of layers in place; its last output is then that layer's, as in bert-score."""
    stack = getattr(getattr(model, "encoder", None), "layer", None)
    if stack is None:
        raise ModelError(
            f"encoder {name!r}: {type(model).__name__} has no stack of layers at encoder.layer; choose a BERT- or RoBERTa-like model"
        )
    if not 1 <= layer <= len(stack):
        raise ModelError(f"encoder {name!r}: layer is {layer}; expected 1 to {len(stack)}")
    model.encoder.layer = stack[:layer]
