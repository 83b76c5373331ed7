"""What a study says of its human annotations: who settles disagreements, and how notes are split. Data only."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["AnnotationRules", "SplitRules"]

Part = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class SplitRules(BaseModel):
    """Parts of the annotated notes: shares that add up to 1, or numbers of notes (`{train: 200, test: 100}`)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    train: Part = 0
    validation: Part = 0
    test: Part = 0
    seed: int = Field(20250630, ge=0, description="seed of the draw; changing it moves no note that has its split")
    most_persons_per_text: int = Field(
        3, ge=1, description="a text of more persons than this is boilerplate: its notes are excluded, not split"
    )

    @model_validator(mode="after")
    def _shares_or_numbers(self) -> SplitRules:
        given = (self.train, self.validation, self.test)
        if not self.are_shares and (sum(given) <= 1 or any(part != int(part) for part in given)):
            raise ValueError(
                f"train, validation and test are shares that add up to 1, e.g. 0.4, 0.3, 0.3, or whole numbers of notes, e.g. "
                f"train: 200, test: 100; these add up to {sum(given):g}"
            )
        return self

    @property
    def are_shares(self) -> bool:
        """Whether the parts are shares, not numbers of notes."""
        return abs(self.train + self.validation + self.test - 1) < 1e-6

    @property
    def parts(self) -> dict[str, float]:
        """The parts that are to hold something."""
        given = {"train": self.train, "validation": self.validation, "test": self.test}
        return {name: part for name, part in given.items() if part > 0}


class AnnotationRules(BaseModel):
    """Rules for what humans answered."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    adjudicators: list[Annotated[str, Field(min_length=1)]] = Field(
        [], description="annotators whose answer settles a disagreement, as the files or the tool name them"
    )
    splits: SplitRules = SplitRules(train=0.4, validation=0.3, test=0.3)
