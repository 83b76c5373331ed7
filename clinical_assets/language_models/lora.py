"""Training an adapter (LoRA, QLoRA) for any task: the one door."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.training_task import TrainingTask

__all__ = ["TrainedAdapter", "train_adapter"]


@dataclass(frozen=True)
class TrainedAdapter:
    """What a training gave.

    Attributes
    ----------
    folder, digest
        Where the adapter is, and what names it.
    reused
        Whether it was there already; the numbers are those of its training then.
    history
        One row an epoch: epoch, step, loss, validation_loss, learning_rate, and the task's measures.
    n_steps, seconds, tokens_per_second, peak_bytes
        Optimizer steps, seconds, tokens of whole rows a second, and the most memory of the process or the GPU, bytes.
    stopped
        finished, early or not_finite.
    best_epoch
        Whose weights are kept; the first epoch is 1.
    n_trainable, n_parameters
        Parameters of the adapter, and of the base.
    """

    folder: Path
    digest: str
    reused: bool
    history: tuple[dict[str, float], ...]
    n_steps: int
    seconds: float
    tokens_per_second: float
    peak_bytes: int
    stopped: str
    best_epoch: int
    n_trainable: int
    n_parameters: int


def train_adapter(
    entry: ModelEntry,
    task: TrainingTask,
    settings: LoraSettings,
    *,
    models: Path,
    base_folder: Path | None = None,
    device: Device,
    log: Callable[[str], None] = lambda line: None,
) -> TrainedAdapter:
    """Train an adapter, or return the one that was trained from the same data, settings, prompt and base."""
    raise NotImplementedError
