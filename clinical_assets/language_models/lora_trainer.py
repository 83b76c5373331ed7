"""The loop: `transformers.Trainer` with our batches, our loss, our checks, and checkpoints that are whole or do not count.

Checkpoints live in a private folder (mode 0700) that is removed when the adapter is published. The optimizer's and the random
generators' states in them are files of `torch.save`; this version of the library reads them with ``weights_only=True``, which
runs no code, and nothing else ever reads them. Weights are safetensors throughout.
"""

from __future__ import annotations

import json
import math
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.batching import plan_batches
from clinical_assets.language_models.completions import Completion, Plan, answer_loss, collate
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.loading import Loaded, ModelError
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.training_task import TrainingTask
from clinical_assets.progress import Progress
from clinical_assets.storage.failpoints import failpoint

if TYPE_CHECKING:
    import torch

__all__ = ["Diverged", "Job", "build_trainer", "history_of", "last_checkpoint", "stops_early"]

_COMPLETE = "complete"
_AT_FIRST = 5  # steps whose mean loss is compared
_TIMES, _NATS = 3.0, 1.0


class Diverged(RuntimeError):
    """The loss is no number, or exploded."""


@dataclass
class Job:
    """One training, and what it gathers.

    Attributes
    ----------
    loaded
        The base with the adapter in it (as the task's metric takes it), and the tokenizer.
    task, settings, device
        What is trained, how, and where.
    train, validation
        Examples as tokens.
    common
        Tokens that all prompts begin with, to be read once a batch; empty to read them in every row.
    alternatives
        Tokens that a deciding token is told from; empty for the whole vocabulary.
    folder
        Where checkpoints go.
    checkpoint_seconds
        Time between checkpoints inside an epoch.
    log
        Takes lines about the progress.
    base_loss
        Validation loss of the base, where the adapter starts.
    n_tokens
        Tokens trained on so far, every row counted in full.
    """

    loaded: Loaded
    task: TrainingTask
    settings: LoraSettings
    device: Device
    train: Sequence[Completion]
    validation: Sequence[Completion]
    common: tuple[int, ...]
    alternatives: tuple[int, ...]
    folder: Path
    checkpoint_seconds: float
    log: Callable[[str], None]
    base_loss: float = math.inf
    n_tokens: int = 0
    seconds: float = 0.0

    @property
    def chosen_by(self) -> str:
        """What chooses the best epoch, as the history names it."""
        return self.task.metric_name or "validation_loss"


def last_checkpoint(folder: Path) -> Path | None:
    """Return the newest checkpoint that is whole; those that are not are removed."""
    found: list[Path] = []
    for path in folder.glob("checkpoint-*"):
        if (path / _COMPLETE).is_file():
            found.append(path)
        else:
            shutil.rmtree(path, ignore_errors=True)
    return max(found, key=_step, default=None)


def history_of(log_history: Sequence[dict[str, float]]) -> list[dict[str, float]]:
    """Return one row an epoch: epoch, step, loss (mean over its steps), validation_loss, learning_rate, the task's measures."""
    rows: list[dict[str, float]] = []
    losses: list[float] = []
    rate = 0.0
    for entry in log_history:
        if "loss" in entry:
            losses.append(entry["loss"])
            rate = entry["learning_rate"]
        elif "eval_validation_loss" in entry:
            told = {key.removeprefix("eval_"): value for key, value in entry.items() if key.startswith("eval_")}
            mean = sum(losses) / max(len(losses), 1)
            rows.append({"epoch": len(rows) + 1, "step": entry["step"], "loss": mean, "learning_rate": rate, **told})
            losses = []
    return rows


def best_row(history: Sequence[dict[str, float]], chosen_by: str) -> dict[str, float] | None:
    """Return the best epoch's row, the first one of equals; None if there is none."""
    better = min if chosen_by == "validation_loss" else max
    return better(history, key=lambda row: row[chosen_by], default=None)


def stops_early(history: Sequence[dict[str, float]], job: Job) -> bool:
    """Tell whether nothing got better for `patience` epochs, and epochs are left."""
    best = best_row(history, job.chosen_by)
    patience = job.settings.patience
    if best is None or patience is None or len(history) >= job.settings.epochs:
        return False
    return len(history) - best["epoch"] >= patience


def exploded(losses: Sequence[float]) -> bool:
    """Tell whether the mean loss of the last steps is over 1 nat and over three times that of the first ones.

    The base, where an adapter starts, is the measure: below that, a loss may rise and fall with what is in a batch.
    """
    if len(losses) < 2 * _AT_FIRST:
        return False
    first, last = sum(losses[:_AT_FIRST]) / _AT_FIRST, sum(losses[-_AT_FIRST:]) / _AT_FIRST
    return last > max(_NATS, _TIMES * first)


def validation_loss(model: Any, job: Job) -> float:
    """Return the mean weighted cross-entropy of the validation answers, nats a token."""
    import torch

    lengths = [len(row.tokens) for row in job.validation]
    total = weight = 0.0
    with torch.no_grad():
        for rows in plan_batches(lengths, job.settings.tokens_per_batch):
            batch = collate([job.validation[i] for i in rows], len(job.common))
            batch = {name: tensor.to(model.device) for name, tensor in batch.items()}
            total += float(answer_loss(model, batch, job.common, job.alternatives))
            weight += float(batch["weights"].sum())
    return total / weight


def build_trainer(model: Any, job: Job, arguments: dict[str, Any]) -> Any:
    """Return the trainer.

    Parameters
    ----------
    model
        The base with the adapter in it, as peft wraps it.
    arguments
        For `transformers.TrainingArguments`.
    """
    import torch
    from torch.utils.data import DataLoader
    from transformers import Trainer, TrainingArguments
    from transformers.trainer_callback import PrinterCallback, ProgressCallback

    cached = not arguments["activation_checkpointing"]

    class AdapterTrainer(Trainer):
        """Our batches, loss, evaluation and checkpoints."""

        def get_train_dataloader(self) -> Any:
            plan: Any = Plan([len(row.tokens) for row in job.train], job.settings)
            loader = DataLoader(_Rows(job), batch_size=1, sampler=plan, collate_fn=lambda parts: parts[0])  # type: ignore[arg-type]
            return self.accelerator.prepare(loader)

        def get_batch_samples(self, epoch_iterator: Any, num_batches: int, device: Any) -> Any:
            parts = [part for _, part in zip(range(num_batches), epoch_iterator, strict=False)]
            return parts, sum(part["weights"].sum() for part in parts)

        def compute_loss(
            self, model: Any, inputs: Any, return_outputs: bool = False, num_items_in_batch: Any = None
        ) -> Any:
            # The mean over all that is trained on in an optimizer step, however it is spread over batches.
            loss = answer_loss(model, inputs, job.common, job.alternatives, cached=cached)
            return loss / num_items_in_batch.to(loss.device)

        def training_step(self, *given: Any, **named: Any) -> torch.Tensor:
            loss: torch.Tensor = super().training_step(*given, **named)
            if not math.isfinite(float(loss)):
                raise Diverged(f"the loss of step {self.state.global_step + 1} is no number")
            return loss

        def evaluate(self, *given: Any, **named: Any) -> dict[str, float]:
            model.eval()
            found = {"validation_loss": validation_loss(model, job)}
            if job.task.metric_name is not None:
                with torch.no_grad():
                    found |= {name: float(value) for name, value in job.task.metric(job.loaded).items()}
            if job.chosen_by not in found:
                raise ModelError(
                    f"task {job.task.name!r}: its metric gives {', '.join(found)}, not {job.chosen_by!r}, which is to choose the best epoch"
                )
            if not math.isfinite(found["validation_loss"]) or not math.isfinite(found[job.chosen_by]):
                raise Diverged(f"the validation result after step {self.state.global_step} is no number")
            if found["validation_loss"] > max(_NATS, _TIMES * job.base_loss):
                raise Diverged(
                    f"the validation loss exploded: after step {self.state.global_step} it is over three times that of the base"
                )
            told = {f"eval_{name}": value for name, value in found.items()}
            self.log(told)
            self.control: Any = self.callback_handler.on_evaluate(self.args, self.state, self.control, told)
            return told

        def _save_checkpoint(self, model: Any, trial: Any) -> None:
            failpoint("lora.before_checkpoint")
            super()._save_checkpoint(model, trial)
            (job.folder / f"checkpoint-{self.state.global_step}" / _COMPLETE).touch()
            failpoint("lora.after_checkpoint")

        def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
            # Weights and configuration only; the library would also pickle its arguments.
            model.save_pretrained(output_dir or str(job.folder), save_embedding_layers=False)

    given = TrainingArguments(**arguments)
    given._n_gpu = min(given.n_gpu, 1)  # a model that needs several is spread over them; it is never copied
    rows: Any = _Rows(job)
    trainer = AdapterTrainer(model=model, args=given, train_dataset=rows, eval_dataset=rows)
    trainer.loss_is_scaled_for_ga = True
    trainer.remove_callback(PrinterCallback)
    trainer.remove_callback(ProgressCallback)
    trainer.add_callback(_watch(job))
    return trainer


class _Rows:
    """The training examples; an index is the row numbers of a batch."""

    def __init__(self, job: Job) -> None:
        self._job = job

    def __len__(self) -> int:
        return len(self._job.train)

    def __getitem__(self, rows: Sequence[int]) -> dict[str, torch.Tensor]:
        chosen = [self._job.train[row] for row in rows]
        self._job.n_tokens += sum(len(row.tokens) for row in chosen)
        return collate(chosen, len(self._job.common))


def _watch(job: Job) -> Any:
    from tqdm import tqdm  # type: ignore[import-untyped]
    from transformers import TrainerCallback

    class Watch(TrainerCallback):
        """Progress, checkpoints by the clock, early stopping, and a loss that explodes."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.started = self.saved = time.monotonic()
            self.progress = Progress("training steps", state.max_steps, job.log, done=state.global_step)
            self.bar = tqdm(
                total=state.max_steps, initial=state.global_step, desc="training", disable=not sys.stderr.isatty()
            )

        def on_step_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            if time.monotonic() - self.saved >= job.checkpoint_seconds:
                control.should_save = True

        def on_save(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.saved = time.monotonic()

        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **rest: Any) -> None:
            if "loss" not in logs:
                return
            rate = job.n_tokens / (time.monotonic() - self.started)
            self.progress.add(1, f"loss {logs['loss']:.4f}, {rate:,.0f} tokens/s")
            self.bar.set_postfix_str(f"loss {logs['loss']:.4f}")
            self.bar.update(1)
            if exploded([row["loss"] for row in state.log_history if "loss" in row]):
                raise Diverged(
                    f"the loss exploded: at step {state.global_step} it is over three times that of the base"
                )

        def on_evaluate(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            row = history_of(state.log_history)[-1]
            told = ", ".join(f"{name} {value:.4f}" for name, value in row.items() if name not in {"epoch", "step"})
            job.log(f"epoch {row['epoch']:.0f} of {job.settings.epochs}: {told}")
            if stops_early(history_of(state.log_history), job):
                control.should_training_stop = True

        def on_train_end(self, args: Any, state: Any, control: Any, **rest: Any) -> None:
            self.bar.close()

    return Watch()


def state_of(checkpoint: Path) -> dict[str, Any]:
    """Return the trainer's state as a checkpoint holds it."""
    state: dict[str, Any] = json.loads((checkpoint / "trainer_state.json").read_text(encoding="utf-8"))
    return state


def _step(checkpoint: Path) -> int:
    return int(checkpoint.name.rpartition("-")[2])
