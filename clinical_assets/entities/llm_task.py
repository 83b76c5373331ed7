"""Entities as something to be trained for: annotated documents, and the lists that a model is to write of each.

Whole articles stand in training or validation, as the corpus is split; its test articles in neither. Documents in which nothing is named
are kept: a model that never saw `none` lists something of everything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_assets.entities.wording import ENTITY_LISTS, ENTITY_PROMPT, LISTED_TYPES
from clinical_assets.language_models.answers import sha256
from clinical_assets.language_models.catalogue import ENTITIES_TASK, ModelEntry
from clinical_assets.language_models.devices import Device
from clinical_assets.language_models.lora_settings import LoraSettings
from clinical_assets.language_models.promotion import PromotedAdapter, train_and_promote
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.language_models.training_task import Example
from clinical_assets.storage.lake import Lake

if TYPE_CHECKING:
    from clinical_assets.language_models.loading import Loaded

__all__ = ["EntityTask", "answer_of", "entity_examples", "train_lister"]

_VALIDATION_SHARE = 0.1  # of the training articles of a corpus that has no articles for validation


@dataclass(frozen=True)
class EntityTask:
    """Training a model to list what people annotated; see `language_models.training_task.TrainingTask`.

    The validation loss chooses the epoch: what the lists are worth is measured afterwards, against gold, by the evaluation.
    """

    train: Sequence[Example] = field(repr=False)
    validation: Sequence[Example] = field(repr=False)
    prompt: Prompt = ENTITY_PROMPT

    name = ENTITIES_TASK
    metric_name = None

    def metric(self, loaded: Loaded) -> Mapping[str, float]:
        """Return nothing: the loss decides."""
        return {}

    def decides(self, target: str) -> Sequence[tuple[int, int]]:
        """Return nothing: all of an answer counts."""
        return ()


def answer_of(text: str, mentions: Sequence[Mapping[str, Any]], relations: Sequence[Mapping[str, Any]]) -> str:
    """Return what a model is to write of a document.

    Names as they stand in the text, each once, in the order of their first place. A relation is told by the first names of its codes; one
    whose codes no mention has is left out.
    """
    ordered = sorted(mentions, key=lambda row: (row["start"], row["end"]))
    named: dict[str, dict[str, None]] = {kind: {} for kind in LISTED_TYPES}
    first: dict[tuple[str, str], str] = {}
    for row in ordered:
        words = " ".join(text[row["start"] : row["end"]].split())
        named[row["entity_type"]].setdefault(words)
        for code in row["concept_codes"] or ():
            first.setdefault((row["entity_type"], code), words)
    ends = [
        (first.get(("chemical", row["chemical_code"])), first.get(("disease", row["disease_code"])))
        for row in relations
    ]
    pairs = sorted({(chemical, disease) for chemical, disease in ends if chemical and disease})
    return ENTITY_LISTS.render([[(name,) for name in named[kind]] for kind in LISTED_TYPES] + [pairs])


def entity_examples(lake: Lake) -> tuple[list[Example], list[Example]]:
    """Return the annotated documents for training and for choosing the epoch: those of the splits train and dev.

    Of a corpus without a split dev a tenth of its training articles is drawn, once and for all.
    """
    by_document: dict[str, dict[tuple[str, str], list[dict[str, Any]]]] = {}
    for table in ("corpus_mentions", "corpus_relations"):
        found = by_document.setdefault(table, {})
        for row in lake.read_all(f"entities/{table}").to_pylist():
            found.setdefault((row["corpus"], row["doc_id"]), []).append(row)
    documents = lake.read_all("entities/corpus_documents", ["corpus", "doc_id", "split", "text"]).to_pylist()
    with_dev = {row["corpus"] for row in documents if row["split"] == "dev"}
    train: list[Example] = []
    validation: list[Example] = []
    for row in documents:
        key = (row["corpus"], row["doc_id"])
        if row["split"] == "test":
            continue
        target = answer_of(row["text"], *(by_document[table].get(key, []) for table in by_document))
        example = Example(f"{key[0]}:{key[1]}", row["doc_id"], row["text"], target)
        chance = int(sha256("entities", row["doc_id"])[:8], 16) / 0xFFFFFFFF
        chosen = row["split"] == "dev" or (row["corpus"] not in with_dev and chance < _VALIDATION_SHARE)
        (validation if chosen else train).append(example)
    held = {example.group for example in validation}
    # an article that two corpora share stands on one side
    return [example for example in train if example.group not in held], validation


def train_lister(
    lake: Lake,
    entry: ModelEntry,
    settings: LoraSettings,
    *,
    models: Path,
    device: Device,
    log: Callable[[str], None] = lambda line: None,
) -> PromotedAdapter:
    """Train an adapter that lists entities; it is promoted if it is better than its base on the validation documents.

    Raises
    ------
    ModelError
        If the base cannot be used or there are too few documents.
    """
    train, validation = entity_examples(lake)
    log(f"{len(train)} annotated documents to train on, {len(validation)} to choose the epoch by")
    return train_and_promote(entry, EntityTask(train, validation), settings, models=models, device=device, log=log)
