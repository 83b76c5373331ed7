"""How a model of the catalogue turns a text into one vector. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

__all__ = ["EmbeddingSettings", "Pooling"]

Pooling = Literal["mean", "cls", "last_token"]


class EmbeddingSettings(BaseModel):
    """What its model card says of pooling, length and instructions. The window is the entry's `context_length`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    dimension: int = Field(gt=0, le=65_536, description="numbers of a vector; checked against what the model gives")
    pooling: Pooling = Field("mean", description="of the tokens' vectors; a server pools by itself")
    overlap: float = Field(
        0.25,
        ge=0,
        le=0.9,
        description="share of a window that the next one repeats, of texts longer than context_length",
    )
    normalise: bool = Field(True, description="vectors of length 1: of windows before they are put together, and after")
    prefix: str | None = Field(
        None, description="stands before every window; {instruction} is where the instruction of a domain goes"
    )
    pool_instruction: bool = Field(True, description="whether tokens of the prefix count in the mean")

    @field_validator("prefix")
    @classmethod
    def _has_one_place(cls, prefix: str | None) -> str | None:
        if prefix is not None:
            try:
                prefix.format(instruction="")
            except (KeyError, IndexError, ValueError):
                raise ValueError("the only place a prefix may have is {instruction}; double other braces") from None
        return prefix

    def prefix_for(self, instruction: str) -> str:
        """Return what stands before a text; an instruction that the model has no place for is left out."""
        return "" if self.prefix is None else self.prefix.format(instruction=instruction)
