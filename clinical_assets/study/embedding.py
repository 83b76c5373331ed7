"""What is embedded and how: encoders, instructions, ways of putting vectors of names together. Data only."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Aggregation", "Embeddings", "Instructions"]

Aggregation = Literal["text", "mean", "recency", "tfidf"]
_Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]


class Instructions(BaseModel):
    """What an encoder that takes instructions is told of each kind of text. Others never see it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    condition: str = "Represent this patient's dated diagnoses for the prediction of later disease"
    procedure: str = "Represent this patient's dated procedures for the prediction of later disease"
    drug: str = "Represent this patient's medications for the prediction of later disease; go by the names"
    name: str = Field(
        "Represent this medical term", description="of single names, where their vectors are put together"
    )
    note: str = "Represent this clinical note for finding notes about similar patients"


class Embeddings(BaseModel):
    """Vectors of persons (their codes before an index date) and of notes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoders: list[_Name] = Field(
        [], description="of persons: names in the catalogue, or hashed_tfidf_svd; empty: the one that needs no network"
    )
    note_encoder: _Name | None = Field(None, description="of notes; none: the one that needs no network")
    aggregations: Annotated[list[Aggregation], Field(min_length=1)] = Field(
        ["text"],
        description="text: the chronology as one text; mean, recency, tfidf: vectors of its names, weighted",
    )
    half_life_days: float = Field(365.0, gt=0, description="recency: a name so long before the index counts half")
    instructions: Instructions = Instructions()
