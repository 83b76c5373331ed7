"""What is summarised and how short: the unit, the window, the lengths. Data only."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["BertScore", "Summaries"]


class BertScore(BaseModel):
    """BERTScore of summaries against their sources. Costs far more than all other metrics, so it is asked for by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    encoder: str = Field(
        description="folder, or Hugging Face id of what was downloaded, e.g. emilyalsentzer/Bio_ClinicalBERT"
    )
    layer: int = Field(9, ge=1, description="hidden layer that is read; 9 for models of 12 layers")
    most_notes: int = Field(
        200, ge=1, description="at most so many notes of a batch, chosen by digest, the same every time"
    )


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
    bertscore: BertScore | None = Field(None, description="BERTScore against the source; absent: not computed")
