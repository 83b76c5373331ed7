"""Training an adapter (LoRA, QLoRA) for any task: the one door."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clinical_assets.language_models.adapter_readme import readme_of
from clinical_assets.language_models.adapter_store import (
    AdapterCard,
    adapter_digest,
    adapter_folder,
    check_adapter,
    examples_digest,
    publish_adapter,
    workshop,
)
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.chat import ChatTemplateError
from clinical_assets.language_models.completions import Completion, Encoder
from clinical_assets.language_models.devices import Device, DeviceError, peak_memory
from clinical_assets.language_models.loading import (
    Loaded,
    ModelError,
    load_model,
    model_revision,
    quiet_libraries,
    release,
)
from clinical_assets.language_models.lora_checks import refuse_examples, refuse_other_adapter, refuse_other_arguments
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.lora_targets import n_adapter_parameters, target_modules, target_pattern
from clinical_assets.language_models.lora_trainer import (
    Diverged,
    Job,
    best_row,
    build_trainer,
    history_of,
    last_checkpoint,
    state_of,
    stops_early,
    validation_loss,
)
from clinical_assets.language_models.training_task import TrainingTask
from clinical_assets.privacy import withhold_messages

__all__ = ["TrainedAdapter", "train_adapter"]

_LARGE = 500_000_000  # parameters from which on memory counts more than time


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
    checkpoint_seconds: float = 300.0,
) -> TrainedAdapter:
    """Train an adapter, or return the one that was trained from the same data, settings, prompt and base.

    A training that was killed goes on from its last checkpoint and gives, on a CPU, the weights that it would have given. One
    whose loss explodes or is no number stops with the best epoch before that. Nothing is trained twice for the same digest.

    Parameters
    ----------
    entry
        The base: a catalogue entry of backend transformers. With `quantization: nf4` this is QLoRA.
    task
        Examples, prompt and measure.
    settings
        How; `entry.lora_settings` for the entry's preset.
    models
        Folder of trained models.
    base_folder
        Where a demo model's weights are; None for what the entry names.
    device
        Where to train.
    log
        Takes lines about the progress.
    checkpoint_seconds
        Time between checkpoints inside an epoch; there is one after each epoch anyway.

    Raises
    ------
    ModelError
        If the examples cannot be trained on (too few, all the same answer, a group on both sides), the base is missing or has no
        such modules, the loss exploded within the first epoch, or the adapter cannot be written.
    StepError
        For any other error; its message is withheld, because it may quote an example.
    """
    with withhold_messages(ModelError, DeviceError):
        if entry.backend != "transformers":
            raise ModelError(f"model {entry.name!r}: adapters are trained on backend transformers, not {entry.backend}")
        refuse_examples(task, settings)
        revision = model_revision(entry, base_folder)
        digest = adapter_digest(entry, revision, task, settings)
        folder = adapter_folder(models, task.name, entry, digest)
        if folder.exists():
            card = check_adapter(folder, base_revision=revision, prompt_sha=task.prompt.sha256)
            log(f"adapter {folder.parent.name}/{folder.name} is there already; nothing is trained")
            return _result(folder, card, reused=True)
        with workshop(folder) as work:
            facts: dict[str, Any] = {
                "digest": digest,
                "task": task.name,
                "model": entry.name,
                "base_revision": revision,
            }
            run = _Run(entry, task, settings, device, base_folder, work, log, checkpoint_seconds)
            best, told = run.train()
            card = _publish(folder, best, facts | told, log)
        return _result(folder, card, reused=False)


class _Run:
    """One training, from the base's weights to the best checkpoint."""

    def __init__(
        self,
        entry: ModelEntry,
        task: TrainingTask,
        settings: LoraSettings,
        device: Device,
        base_folder: Path | None,
        work: Path,
        log: Callable[[str], None],
        checkpoint_seconds: float,
    ) -> None:
        self._entry, self._task, self._settings, self._device = entry, task, settings, device
        self._base_folder, self._work, self._log = base_folder, work, log
        self._checkpoint_seconds = checkpoint_seconds

    def train(self) -> tuple[Path, dict[str, Any]]:
        """Train to the end; return the folder of the best weights, and what is told of the training."""
        loaded = load_model(self._entry, self._device, folder=self._base_folder, log=self._log)
        try:
            return self._train(loaded)
        finally:
            release(loaded)

    def _train(self, loaded: Loaded) -> tuple[Path, dict[str, Any]]:
        started = time.monotonic()
        encoder, train, validation, n_cut = self._encoded(loaded)
        model, modules = self._adapted(loaded)
        n_trainable, n_all = model.get_nb_trainable_parameters()
        if n_trainable != n_adapter_parameters(modules, self._settings.rank):
            raise ModelError(f"{n_trainable:,} parameters would be trained, not those of {len(modules)} modules")
        arguments = self._arguments(loaded, large=n_all > _LARGE)
        # With gradient checkpointing nothing can be cached, so that rows cannot share what they begin with.
        common = () if arguments["activation_checkpointing"] else encoder.common_tokens()
        alternatives: set[int] = set()
        if self._settings.value_choice == "alternatives":
            alternatives = {token for row in train for token in row.deciding}
            if not {token for row in validation for token in row.deciding} <= alternatives:
                raise ModelError(
                    f"task {self._task.name!r}: a value that decides a validation answer is in no training answer; set value_choice "
                    "to vocabulary, or annotate examples of it"
                )
        job = Job(
            loaded, self._task, self._settings, self._device, train, validation, common, tuple(sorted(alternatives)),
            self._work, self._checkpoint_seconds, self._log,
        )  # fmt: skip
        trainer = build_trainer(model, job, arguments)
        refuse_other_arguments(trainer.args, arguments)
        job.base_loss = validation_loss(model.eval(), job)  # the adapter does nothing yet
        stopped = self._loop(trainer, job)
        history = history_of(trainer.state.log_history)
        best = best_row(history, job.chosen_by)
        if best is None:
            raise ModelError(
                f"adapter of {self._entry.name!r}: {stopped} before the first epoch was done, so that there is nothing to keep; "
                f"lower learning_rate (now {self._settings.learning_rate:g}) or max_grad_norm, or look at the examples"
            )
        weights = self._work / f"checkpoint-{best['step']:.0f}"
        refuse_other_adapter(weights, self._settings, modules)
        seconds = time.monotonic() - started
        return weights, {
            "base": self._entry.model or f"recipe {self._entry.recipe}",
            "prompt_sha": self._task.prompt.sha256,
            "train_digest": examples_digest(self._task.train),
            "validation_digest": examples_digest(self._task.validation),
            "n_train": len(train),
            "n_validation": len(validation),
            "n_cut": n_cut,
            "settings": self._settings,
            "base_validation_loss": job.base_loss,
            "history": history,
            "losses": [row["loss"] for row in trainer.state.log_history if "loss" in row],
            "best_epoch": int(best["epoch"]),
            "stopped": "not_finite" if stopped else "early" if len(history) < self._settings.epochs else "finished",
            "n_steps": trainer.state.global_step,
            "seconds": round(seconds, 2),
            "tokens_per_second": round(job.n_tokens / max(job.seconds, 1e-9), 1),
            "peak_bytes": peak_memory(self._device),
            "n_trainable": n_trainable,
            "n_parameters": n_all - n_trainable,
            "device": self._device.name,
            "versions": _versions(),
        }

    def _loop(self, trainer: Any, job: Job) -> str:
        """Train from where the last process stopped; return what went wrong with the loss, if anything did."""
        checkpoint = last_checkpoint(self._work)
        if checkpoint is not None:
            state = state_of(checkpoint)
            self._log(f"going on from step {state['global_step']:,}, where an earlier run was stopped")
            if stops_early(history_of(state["log_history"]), job):
                trainer.state.log_history, trainer.state.global_step = state["log_history"], state["global_step"]
                return ""
        started = time.monotonic()
        try:
            trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except Diverged as error:
            self._log(f"stopped: {error}")
            return str(error)
        finally:
            job.seconds = time.monotonic() - started
        return ""

    def _encoded(self, loaded: Loaded) -> tuple[Encoder, list[Completion], list[Completion], int]:
        task, most = self._task, min(self._settings.max_tokens, self._entry.context_length)
        settings = self._settings.model_copy(update={"max_tokens": most})
        try:
            encoder = Encoder(loaded.tokenizer, task, settings, reasoning=self._entry.reasoning)
            train, validation = (
                [encoder.encode(example) for example in part] for part in (task.train, task.validation)
            )
        except ChatTemplateError as error:
            raise ModelError(f"model {self._entry.name!r}: {error}") from None
        n_cut = sum(row.cut for row in (*train, *validation))
        if n_cut:
            self._log(f"{n_cut:,} texts are longer than {most:,} tokens allow: their head and tail are kept")
        return encoder, train, validation, n_cut

    def _adapted(self, loaded: Loaded) -> tuple[Any, dict[str, tuple[int, int]]]:
        """Return the model as peft wraps it, and the modules that got an adapter; `loaded` holds the model without the wrapper."""
        quiet_libraries()
        from peft import LoraConfig, get_peft_model
        from transformers import set_seed

        pattern = target_pattern(loaded.model, self._settings, self._entry.name)
        modules = target_modules(loaded.model, pattern)
        set_seed(self._settings.seed)
        config = LoraConfig(
            r=self._settings.rank,
            lora_alpha=self._settings.alpha,  # type: ignore[arg-type]
            lora_dropout=self._settings.dropout,
            target_modules=pattern,
            use_rslora=self._settings.use_rslora,
            bias="none",
            task_type="CAUSAL_LM",
        )
        model: Any = get_peft_model(loaded.model, config)
        # Not the path of this machine.
        config.base_model_name_or_path = self._entry.model or f"recipe {self._entry.recipe}"
        loaded.model = model.get_base_model()
        return model, modules

    def _arguments(self, loaded: Loaded, *, large: bool) -> dict[str, Any]:
        import torch

        settings, cuda = self._settings, self._device.kind == "cuda"
        checkpointing = settings.gradient_checkpointing
        warm = settings.warmup_ratio if settings.warmup_steps is None else settings.warmup_steps
        schedule = "constant_with_warmup" if settings.schedule == "constant" and warm else settings.schedule
        return {
            "output_dir": str(self._work),
            "num_train_epochs": settings.epochs,
            "per_device_train_batch_size": 1,  # an item is a batch of ours
            "gradient_accumulation_steps": settings.gradient_accumulation,
            "learning_rate": settings.learning_rate,
            "lr_scheduler_type": schedule,
            "warmup_steps": warm,
            "weight_decay": settings.weight_decay,
            "max_grad_norm": settings.max_grad_norm,
            "optim": "paged_adamw_8bit" if cuda and self._entry.quantization else "adamw_torch",
            "bf16": cuda and loaded.model.dtype == torch.bfloat16,
            "activation_checkpointing": (cuda and large) if checkpointing is None else checkpointing,
            "activation_checkpointing_kwargs": {"use_reentrant": False},
            "eval_strategy": "epoch",
            "save_strategy": "epoch",
            "save_total_limit": 2,  # the best and the last
            "metric_for_best_model": self._task.metric_name or "validation_loss",
            "greater_is_better": self._task.metric_name is not None,
            "logging_steps": 1,
            "logging_nan_inf_filter": False,
            "report_to": "none",
            "disable_tqdm": True,
            "remove_unused_columns": False,
            "dataloader_pin_memory": cuda,
            "use_cpu": self._device.kind == "cpu",
            "seed": settings.seed,
            "log_level": "error",
        }


def _publish(folder: Path, weights: Path, facts: dict[str, Any], log: Callable[[str], None]) -> AdapterCard:
    card = publish_adapter(folder, weights, facts, readme_of(facts))
    log(
        f"adapter {folder.parent.name}/{folder.name}: epoch {card.best_epoch} of {len(card.history)} kept, "
        f"{card.n_trainable:,} parameters, {card.seconds:,.0f} s, {card.tokens_per_second:,.0f} tokens/s"
    )
    return card


def _result(folder: Path, card: AdapterCard, *, reused: bool) -> TrainedAdapter:
    return TrainedAdapter(
        folder, card.digest, reused, tuple(card.history), card.n_steps, card.seconds, card.tokens_per_second, card.peak_bytes,
        card.stopped, card.best_epoch, card.n_trainable, card.n_parameters,
    )  # fmt: skip


def _versions() -> dict[str, str]:
    from importlib.metadata import version

    return {name: version(name) for name in ("torch", "transformers", "peft", "accelerate")}
