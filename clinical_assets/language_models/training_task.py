"""What an adapter is trained for: examples, a prompt and a measure. One contract for every subject that trains."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from clinical_assets.language_models.prompts import Prompt

if TYPE_CHECKING:
    from clinical_assets.language_models.loading import Loaded

__all__ = ["Example", "TrainingTask"]


@dataclass(frozen=True)
class Example:
    """One text and what the model is to write about it.

    Attributes
    ----------
    example_id
        Names the example in messages and digests; unique in a task. Never text of a note.
    group
        Who or what it belongs to (a person, a document): no group stands in training and validation both.
    text
        What is put into the prompt's slot.
    target
        What the model is to write, without the end of its turn. May be empty (nothing to extract, say).
    """

    example_id: str
    group: str
    text: str
    target: str


class TrainingTask(Protocol):
    """What is trained, and how good it is.

    Attributes
    ----------
    name
        ``labels``, ``summaries``, …: small letters and underscores.
    prompt
        How the question is put; its digest is recorded with the adapter.
    train, validation
        Examples; validation chooses the epoch and stops the training, and is never trained on.
    metric_name
        The key of what :meth:`metric` returns that chooses the best epoch (higher is better); None if the validation loss does.
    """

    @property
    def name(self) -> str:
        """Name of the task."""

    @property
    def prompt(self) -> Prompt:
        """How the question is put."""

    @property
    def train(self) -> Sequence[Example]:
        """Examples that are trained on."""

    @property
    def validation(self) -> Sequence[Example]:
        """Examples that choose the epoch."""

    @property
    def metric_name(self) -> str | None:
        """What chooses the best epoch."""

    def metric(self, loaded: Loaded) -> Mapping[str, float]:
        """Measure the model as it is now on the validation examples; empty where `metric_name` is None.

        Parameters
        ----------
        loaded
            The model with the adapter in it, in evaluation mode; used like any other loaded model.
        """

    def decides(self, target: str) -> Sequence[tuple[int, int]]:
        """Return the character spans (start, end) of a target that decide, each true or false of a JSON answer, say.

        Empty where all of it does. The tokens of these spans weigh `value_weight` times the others in the loss.
        """
