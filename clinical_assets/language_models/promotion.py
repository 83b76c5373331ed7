"""Training an adapter and promoting it where it is better than its base on the validation examples, by the loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.language_models.adapter_pointers import point_at
from clinical_assets.language_models.adapter_store import AdapterCard, read_card
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.lora import TrainedAdapter, train_adapter
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.training_task import TrainingTask

__all__ = ["PromotedAdapter", "train_and_promote"]


@dataclass(frozen=True)
class PromotedAdapter:
    """A trained adapter, its card, and whether it was promoted: its validation loss is below that of the base."""

    adapter: TrainedAdapter
    card: AdapterCard
    promoted: bool
    loss: float


def train_and_promote(
    entry: ModelEntry,
    task: TrainingTask,
    settings: LoraSettings,
    *,
    models: Path,
    device: Device,
    log: Callable[[str], None] = lambda line: None,
) -> PromotedAdapter:
    """Train an adapter; it becomes the candidate, and the promoted one if it is better than its base.

    Raises
    ------
    ModelError
        If the base cannot be used or there are too few examples.
    """
    made = train_adapter(entry, task, settings, models=models, device=device, log=log)
    card = read_card(made.folder)
    loss = min(float(row["validation_loss"]) for row in made.history if int(row["epoch"]) == made.best_epoch)
    promoted = loss < card.base_validation_loss
    point_at(models, task.name, entry, "candidate", made.digest)
    if promoted:
        point_at(models, task.name, entry, "promoted", made.digest)
    return PromotedAdapter(made, card, promoted, loss)
