"""Stage 1 as something to be trained for: notes, and the summaries that people wrote of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_assets.language_models.adapter_pointers import pointed_at
from clinical_assets.language_models.adapter_store import adapter_folder, read_card
from clinical_assets.language_models.answers import sha256
from clinical_assets.language_models.catalogue import SUMMARIES_TASK, ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.loading import ModelError
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.promotion import PromotedAdapter, train_and_promote
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.training_task import Example
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study
from clinical_assets.summaries.written.stage import wordings_of

if TYPE_CHECKING:
    from clinical_assets.language_models.loading import Loaded

__all__ = ["SummaryTask", "required_adapter", "summary_examples", "train_writer"]

_VALIDATION_SHARE = 0.2


@dataclass(frozen=True)
class SummaryTask:
    """Training a model to write stage 1 as people do; see `language_models.training_task.TrainingTask`.

    The validation loss chooses the epoch: what a summary is worth in facts is measured afterwards, on the notes in scope.
    """

    prompt: Prompt
    train: Sequence[Example] = field(repr=False)
    validation: Sequence[Example] = field(repr=False)

    name = SUMMARIES_TASK
    metric_name = None

    def metric(self, loaded: Loaded) -> Mapping[str, float]:
        """Return nothing: the loss decides."""
        return {}

    def decides(self, target: str) -> Sequence[tuple[int, int]]:
        """Return nothing: all of a summary counts."""
        return ()


def summary_examples(lake: Lake) -> tuple[list[Example], list[Example]]:
    """Return pairs of note and reference summary for training and for choosing the epoch.

    All of a person are on one side, drawn once and for all. Persons in the test split of the annotations are on neither.
    Of several authors' summaries of one note each is an example.

    Raises
    ------
    FileNotFoundError
        If no reference summaries were taken in.
    """
    references = lake.read("summaries/references").to_pylist()
    kept_for_tests: set[int] = set()
    if lake.has("annotations/splits"):
        splits = lake.read("annotations/splits", columns=["person_id", "split"]).to_pylist()
        kept_for_tests = {row["person_id"] for row in splits if row["split"] == "test"}
    texts = _texts(lake, {row["note_id"]: row["note_sha256"] for row in references})
    train: list[Example] = []
    validation: list[Example] = []
    for row in references:
        text = texts.get((row["note_id"], row["note_sha256"]))
        if text is None or row["person_id"] in kept_for_tests:
            continue
        example = Example(f"{row['note_id']}:{sha256(row['author'])[:8]}", str(row["person_id"]), text, row["text"])
        chance = int(sha256("summaries", str(row["person_id"]))[:8], 16) / 0xFFFFFFFF
        (validation if chance < _VALIDATION_SHARE else train).append(example)
    return train, validation


def train_writer(
    lake: Lake,
    entry: ModelEntry,
    study: Study,
    settings: LoraSettings,
    *,
    models: Path,
    device: Device,
    log: Callable[[str], None] = lambda line: None,
) -> PromotedAdapter:
    """Train an adapter for stage 1; it is promoted if it is better than its base on the validation summaries.

    Raises
    ------
    ModelError
        If the base cannot be used or there are too few examples.
    FileNotFoundError
        If no reference summaries were taken in.
    """
    train, validation = summary_examples(lake)
    log(f"{len(train)} reference summaries to train on, {len(validation)} to choose the epoch by")
    task = SummaryTask(wordings_of(study.summaries).verbose, train, validation)
    return train_and_promote(entry, task, settings, models=models, device=device, log=log)


def required_adapter(models: Path, entry: ModelEntry) -> str:
    """Return the digest of the adapter that writes stage 1; empty where the catalogue requires none.

    Raises
    ------
    ModelError
        If one is required and none is promoted, or it is gone: the base never writes in its stead.
    """
    if entry.summary_adapter == "none":
        return ""
    digest = pointed_at(models, SUMMARIES_TASK, entry, "promoted")
    if digest is None:
        raise ModelError(
            f"model {entry.name!r}: the catalogue requires an adapter for summaries (summary_adapter), and none is promoted. Put "
            f"reference summaries into landing/annotations, materialize summaries/references and adapters/{SUMMARIES_TASK}_{entry.name}, "
            "or set summary_adapter: none to let the base write"
        )
    read_card(adapter_folder(models, SUMMARIES_TASK, entry, digest))
    return digest


def _texts(lake: Lake, wanted: Mapping[int, str]) -> dict[tuple[int, str], str]:
    found: dict[tuple[int, str], str] = {}
    for batch in lake.batches("notes/notes"):
        rows: list[dict[str, Any]] = lake.read("notes/notes", batch, ["note_id", "text", "text_sha256"]).to_pylist()
        found |= {
            (r["note_id"], r["text_sha256"]): r["text"] for r in rows if wanted.get(r["note_id"]) == r["text_sha256"]
        }
    return found
