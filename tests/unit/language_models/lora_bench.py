"""A tiny base on disk and a task to train on, for tests of adapters."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from clinical_assets.language_models.answers import Request
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.devices import find_device
from clinical_assets.language_models.local import LocalBackend
from clinical_assets.language_models.lora import TrainedAdapter, train_adapter
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.training_task import Example
from tests.unit.language_models import tiny_models as tiny

SETTINGS = LoraSettings(
    rank=4, alpha=8, dropout=0.1, epochs=3, learning_rate=5e-3, tokens_per_batch=1_200, max_tokens=400, min_examples=4,
    value_weight=5.0, patience=None,
)  # fmt: skip
_WORDS = ("chronic", "acute", "imatinib", "graft")


def notes(first: int, n: int) -> list[Example]:
    """Notes that say for each field whether it is true."""
    made = []
    for i in range(first, first + n):
        values = [bool(i * 7 >> k & 1) for k in range(4)]
        text = ". ".join(f"{word} {'yes' if value else 'no'}" for word, value in zip(_WORDS, values, strict=True))
        made.append(Example(f"n{i}", f"p{i}", f"CANARY{i} {text}" + " and so on" * (i % 5), tiny.SCHEMA.text(values)))
    return made


class Labels:
    """A task with a metric."""

    name, prompt = "labels", tiny.PROMPT

    def __init__(self, n: int = 24, *, metric_name: str | None = "accuracy") -> None:
        self.train, self.validation = notes(0, n), notes(1_000, 6)
        self.metric_name = metric_name
        self.n_measured = 0

    def metric(self, loaded: Any) -> dict[str, float]:
        """Share of right values."""
        self.n_measured += 1
        if self.metric_name is None:
            return {}
        backend = LocalBackend(loaded, entry(), tiny.SCHEMA, tiny.PROMPT)
        answers = dict(backend.answer([Request(example.text) for example in self.validation]))
        right = [tiny.SCHEMA.text(answers[i].values) == e.target for i, e in enumerate(self.validation)]
        return {"accuracy": sum(right) / len(right)}

    def decides(self, target: str) -> list[tuple[int, int]]:
        return [found.span() for found in re.finditer("true|false", target)]


def entry(**changed: Any) -> ModelEntry:
    return tiny.entry(**({"dtype": "float32", "tasks": ["labels", "adapters"]} | changed))


def save_base(folder: Path, family: str = "mistral", made: Any = None) -> Path:
    """Put a random model and its tokenizer into a folder."""
    (made if made is not None else tiny.model(family)).save_pretrained(folder)
    tiny.tokenizer(tiny.NO_SYSTEM if "gemma" in family else tiny.CHATML).save_pretrained(folder)
    return folder


def train(
    models: Path,
    base: Path,
    task: Any = None,
    settings: LoraSettings = SETTINGS,
    of: ModelEntry | None = None,
    **more: Any,
) -> TrainedAdapter:
    return train_adapter(
        of or entry(), task or Labels(), settings, models=models, base_folder=base, device=find_device("cpu"), **more
    )  # fmt: skip
