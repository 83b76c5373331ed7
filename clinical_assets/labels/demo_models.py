"""Training the demo models of the catalogue for the study's question, several at a time, each on a core of its own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import lru_cache
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from clinical_assets.labels.model_labels import question_of
from clinical_assets.language_models.answers import AnswerSchema
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.language_models.demo_models.recipes import recipe_folder
from clinical_assets.language_models.prompts import Prompt
from clinical_assets.study.model import Study

if TYPE_CHECKING:
    from clinical_assets.synthetic.snippets import LabelledText

__all__ = ["Order", "demo_orders", "train_all", "train_order"]

# Other hospitals than the demo one: what is labelled was not trained on (but for notes of a line or two, see snippets).
LINES_SEED, NOTES_SEED = 21, 11
_LINES_PERSONS, _NOTES_PERSONS = 2_000, 1_200


@dataclass(frozen=True)
class Order:
    """A demo model to be trained: which, where to, and for which question."""

    entry: ModelEntry
    folder: Path
    schema: AnswerSchema
    prompt: Prompt


@dataclass(frozen=True)
class Made:
    """A demo model that stands ready; `seconds` of training, 0 where it was there already."""

    entry: ModelEntry
    folder: Path
    seconds: float


def demo_orders(entries: Sequence[ModelEntry], study: Study, models: Path) -> list[Order]:
    """Return what is to be trained so that the demo models among `entries` can answer the study's question.

    Parameters
    ----------
    models
        Folder of trained models.
    """
    orders = []
    for entry in entries:
        if entry.recipe:
            question = question_of(study, entry)
            folder = recipe_folder(models, entry, question.schema, question.prompt)
            orders.append(Order(entry, folder, question.schema, question.prompt))
    return orders


def train_all(orders: Sequence[Order], log: Callable[[str], None]) -> Iterator[Made]:
    """Yield the ordered models as they are ready; those that are there are not trained again.

    Killed, it leaves no half a model behind, and the ones that were ready stay; the others start over (about a minute each).
    """
    todo = []
    for order in orders:
        if (order.folder / "config.json").is_file():
            yield Made(order.entry, order.folder, 0.0)
        else:
            todo.append(order)
    if not todo:
        return
    workers = min(len(todo), os.cpu_count() or 1)
    log(f"training {len(todo)} demo models from synthetic notes, {workers} at a time: some two minutes on 2 cores")
    # Spawned, not forked: torch's threads do not survive a fork.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(train_order, order): order for order in todo}
        for future in as_completed(running):
            order = running[future]
            seconds = future.result()
            log(f"{order.entry.name} trained in {seconds:.0f} s")
            yield Made(order.entry, order.folder, seconds)


def train_order(order: Order) -> float:
    """Train one model on one core of this process, unless it is there already; return the seconds of training."""
    import torch

    from clinical_assets.language_models.demo_models.recipes import recipe_of
    from clinical_assets.language_models.demo_models.training import train_demo_model

    if (order.folder / "config.json").is_file():
        return 0.0
    torch.set_num_threads(1)
    lines, notes = _texts(tuple(order.schema.fields), _LINES_PERSONS, _NOTES_PERSONS)
    recipe = recipe_of(order.entry)
    trained = train_demo_model(recipe, order.folder, order.schema, order.prompt, lines, notes, log=lambda line: None)
    return trained.seconds


@lru_cache(maxsize=1)
def _texts(
    fields: tuple[str, ...], n_lines: int, n_notes: int
) -> tuple[Sequence[LabelledText], Sequence[LabelledText]]:
    """Return lines and notes of other hospitals. Kept: writing them takes seconds, and a process may train several models."""
    from clinical_assets.synthetic.snippets import labelled_lines, labelled_notes

    return (
        labelled_lines(fields, seed=LINES_SEED, n_persons=n_lines),
        labelled_notes(fields, seed=NOTES_SEED, n_persons=n_notes),
    )
