"""What is summarised and how short: the unit, the window, the lengths. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["Summaries"]


class Summaries(BaseModel):
    """Summaries in two stages. Tokens are words and signs, counted the same way for every summarizer."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: Literal["note", "person_window"] = Field(
        "note",
        description="note: one summary a note in the scope of labelling; person_window: one a person, of the notes that end with "
        "the latest one in scope",
    )
    window_days: int = Field(
        365, ge=0, le=36_500, description="with person_window: days before the latest note in scope"
    )
    verbose_ratio: float = Field(0.9, gt=0, le=1, description="stage 1: at most this share of the source's tokens")
    verbose_max_tokens: int = Field(4000, ge=20, description="stage 1: and at most so many tokens")
    compressed_ratio: float = Field(0.6, gt=0, le=1, description="stage 2: at most this share of the tokens of stage 1")
    entities: dict[Literal["disease", "drug", "procedure"], list[str]] = Field(
        default_factory=dict, description="fields of the study whose terms name a disease, drugs or a procedure"
    )
