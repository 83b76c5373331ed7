"""How adapters are trained from human labels: on how many notes, with which settings, and when anew. Data only."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

__all__ = ["FineTuning"]


class FineTuning(BaseModel):
    """Fine-tuning of the models that the catalogue offers for adapters.

    Notes are taken from the splits of the annotated notes, those in the scope of labelling first, the others in an order drawn
    once and for all.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    retrain: Literal["manual", "on_new_labels"] = Field(
        "manual", description="manual: a person launches training; on_new_labels: a sensor does, once there are min_new"
    )
    min_new: int = Field(50, ge=1, description="with on_new_labels: newly annotated notes that are worth a training")
    max_train: int | None = Field(None, ge=1, description="notes to train on; default all of the split")
    max_validation: int | None = Field(None, ge=1, description="notes that choose the epoch; default all of the split")
    max_test: int | None = Field(None, ge=1, description="notes that decide on promotion; default all of the split")
    settings: dict[str, dict[str, Any]] = Field(
        default_factory=dict, description="by model of the catalogue: settings that replace those of its preset"
    )
