"""What is extracted from notes, by whom, and what it is used for. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Entities"]


class Entities(BaseModel):
    """Diseases and chemicals in notes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    extractor: str = Field(
        "spacy",
        pattern=r"^[a-z][a-z0-9_]{0,62}$",
        description="spacy: the model trained on the landed corpora; gazetteer: names of the vocabulary; or a model of the catalogue",
    )
    scope: Literal["labelling", "all"] = Field(
        "labelling", description="notes that are read: those in scope of labelling, or every usable one"
    )
    least_link_score: float = Field(
        0.7, ge=0, le=1, description="cosine similarity below which a mention is not linked to a concept"
    )
    most_chars: int = Field(500_000, gt=0, description="longer notes are not read: status too_long")
    train_on: tuple[str, ...] = Field(
        (),
        description="corpora that the spacy model is trained on; empty: those that annotate the most types. The others give names",
    )
    wide_network: bool = Field(
        False,
        description="spacy on a large corpus: train a network beside the random field; a little better, three times slower",
    )
    max_new_tokens: int = Field(
        768,
        ge=32,
        le=8_192,
        description="a language model's answer to one part of a note; longer ones count as truncated",
    )
