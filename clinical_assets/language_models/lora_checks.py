"""What is refused before a training, and what must be equal after it: examples that teach nothing, settings that were not heeded."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.training_task import Example, TrainingTask

__all__ = ["refuse_examples", "refuse_other_adapter", "refuse_other_arguments"]


def refuse_examples(task: TrainingTask, settings: LoraSettings) -> None:
    """Raise ModelError if a task's examples cannot train a model, or cannot tell whether they did."""
    where = f"task {task.name!r}"
    if len(task.train) < settings.min_examples:
        raise ModelError(
            f"{where}: {len(task.train)} training examples, but min_examples is {settings.min_examples}; annotate more, or lower "
            "it if you know what you do"
        )
    if not task.validation:
        raise ModelError(f"{where}: no validation example, so nothing could choose the epoch; put some aside")
    if len({example.target for example in task.train}) == 1:
        raise ModelError(
            f"{where}: the answer is the same in all {len(task.train)} training examples, so there is nothing to learn from the "
            "text; annotate examples of the other answers"
        )
    ids = [example.example_id for part in (task.train, task.validation) for example in part]
    if len(set(ids)) < len(ids):
        twice = next(name for name in ids if ids.count(name) > 1)
        raise ModelError(f"{where}: example {twice} occurs more than once in training and validation")
    shared = _groups(task.train) & _groups(task.validation)
    if shared:
        raise ModelError(
            f"{where}: {len(shared)} groups (persons, documents) stand in training and validation both; split by group, or the "
            "validation says nothing"
        )


def refuse_other_arguments(arguments: Any, wanted: Mapping[str, Any]) -> None:
    """Raise ModelError if the trainer's arguments are not those that were given to it."""
    for name, value in wanted.items():
        have = getattr(arguments, name)
        have = getattr(have, "value", have)
        if have != value and not (name == "report_to" and have == []):
            raise ModelError(
                f"the trainer has {name} = {have!r} where {value!r} was given; this is an error of the program"
            )


def refuse_other_adapter(folder: Path, settings: LoraSettings, modules: Mapping[str, tuple[int, int]]) -> None:
    """Raise ModelError if a saved adapter is not what the settings ask for: its configuration, and the shape of every tensor.

    Parameters
    ----------
    modules
        Name -> (inputs, outputs) of the modules that it is for.
    """
    from safetensors import safe_open

    saved = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    wanted = {
        "peft_type": "LORA",
        "r": settings.rank,
        "lora_alpha": settings.alpha,
        "lora_dropout": settings.dropout,
        "use_rslora": settings.use_rslora,
        "bias": "none",
        "modules_to_save": None,
    }
    for name, value in wanted.items():
        if saved.get(name) != value:
            raise ModelError(
                f"adapter_config.json has {name} = {saved.get(name)!r} where the settings have {value!r}; this is an error of the program"
            )
    shapes = {}
    with safe_open(folder / "adapter_model.safetensors", framework="pt") as tensors:
        for key in tensors.keys():  # noqa: SIM118 - a handle, not a mapping
            shapes[key] = tuple(tensors.get_slice(key).get_shape())
    expected = {}
    for name, (inputs, outputs) in modules.items():
        expected[f"base_model.model.{name}.lora_A.weight"] = (settings.rank, inputs)
        expected[f"base_model.model.{name}.lora_B.weight"] = (outputs, settings.rank)
    if shapes != expected:
        other = sorted(set(shapes.items()) ^ set(expected.items()))[:1]
        raise ModelError(
            f"the saved adapter has {sum(map(math.prod, shapes.values())):,} parameters where the settings make "
            f"{sum(map(math.prod, expected.values())):,}, see {other}; this is an error of the program"
        )


def _groups(examples: Sequence[Example]) -> set[str]:
    return {example.group for example in examples}
