"""The part of materializing everything that is about notes in scope and persons at risk: adapters, summaries, vectors, risks, labels."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable
from concurrent.futures import Executor, wait
from typing import Any

from clinical_assets.adapters.registry import verdict_on
from clinical_assets.adapters.retraining import why_train
from clinical_assets.cli.execution import Execution
from clinical_assets.labels.demo_models import Order, demo_orders, train_order
from clinical_assets.labels.model_labels import question_of
from clinical_assets.language_models.adapter_pointers import pointed_at
from clinical_assets.language_models.catalogue import LABELS_TASK, ModelEntry, load_catalogue
from clinical_assets.settings import Settings
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study
from clinical_assets.study.risk import RiskQuestion

__all__ = ["Training", "prepare_models", "process_notes", "train_meanwhile"]

Say = Callable[[str], None]


class Training:
    """Demo models that are trained in a process beside this one; those that adapters are put on come first."""

    def __init__(self, orders: list[Order], beside: Executor) -> None:
        first = sorted(orders, key=lambda order: "adapters" not in order.entry.tasks)
        self._running = {order.entry.name: (order, beside.submit(train_order, order)) for order in first}

    def wait_for(self, entries: list[ModelEntry]) -> None:
        """Wait until these models are there, or nothing more comes of them."""
        wait(self._running[entry.name][1] for entry in entries if entry.name in self._running)

    def finish(self) -> None:
        """Train here what nobody has begun, and wait for the rest.

        What goes wrong here is not said here: the asset of the model tries again, and fails with its own message.
        """
        for order, future in self._running.values():
            if future.cancel():
                with contextlib.suppress(Exception):
                    train_order(order)
        wait(future for _, future in self._running.values() if not future.cancelled())


def train_meanwhile(settings: Settings, study: Study, beside: Executor) -> Training:
    """Train the demo models that are missing while notes are taken in: the two together need half the time."""
    orders = demo_orders(load_catalogue(settings.catalogue).models, study, settings.models)
    return Training([order for order in orders if not (order.folder / "config.json").is_file()], beside)


def prepare_models(
    execution: Execution, settings: Settings, study: Study, lake: Lake, training: Training, say: Say
) -> list[str]:
    """Find notes in scope and persons at risk; train adapters, evaluate risks; return what failed.

    What needs no demo model, or only the first of them, comes while the others are trained.
    """
    ok, seconds = execution.run("find_notes_in_scope")
    say(f"notes in scope: {'found' if ok else 'FAILED'} after {seconds:.1f} s")
    if not ok:
        return ["notes in scope"]
    failed = _train_adapters(execution, settings, study, lake, training, say)
    return failed + _ask_risk(execution, study.risk, lake, say)


def process_notes(execution: Execution, lake: Lake, training: Training, beside: Executor, say: Say) -> list[str]:
    """Summaries, vectors and labels of the notes in scope, batch by batch; return what failed."""
    failed = []
    if execution.has("train_demo_models"):
        started = time.monotonic()
        training.finish()
        ok, _ = execution.run("train_demo_models")
        say(f"demo models: {'ready' if ok else 'FAILED'} after {time.monotonic() - started:.1f} s more")
        failed += [] if ok else ["demo models"]
    started, batches = time.monotonic(), lake.batches("notes/intakes")
    missed = execution.run_batches("process_note_batch", batches, beside)
    n = len(batches) - len(missed)
    say(f"notes in scope processed: {n} of {len(batches)} batches in {time.monotonic() - started:.1f} s")
    return failed + [f"notes in scope of {batch}" for batch in missed]


def _ask_risk(execution: Execution, question: RiskQuestion | None, lake: Lake, say: Say) -> list[str]:
    """Evaluate the risk question, if there is one, and score persons; return what failed. That nobody is asked about is no failure."""
    if question is None:
        return []
    ok, seconds = execution.run("evaluate_risk")
    if not ok and lake.has("risk/cohort") and lake.n_rows("risk/cohort") == 0:
        say(
            f"risk of {question.name}: nobody has the index event that the study names (risk.index), nothing to evaluate"
        )
        return []
    say(f"risk of {question.name}: {'evaluated and scored' if ok else 'FAILED'} in {seconds:.1f} s")
    return [] if ok else [f"risk of {question.name}"]


def _train_adapters(
    execution: Execution, settings: Settings, study: Study, lake: Lake, training: Training, say: Say
) -> list[str]:
    if not execution.has("train_adapters"):
        return []
    from clinical_assets.adapters.assets import adapter_keys

    ok, _ = execution.run("materialize_annotations")
    if not ok:
        return ["human labels"]
    able, failed = load_catalogue(settings.catalogue).for_task("adapters", "labels"), []
    entries = [entry for entry in able if entry.profile == settings.profile]
    training.wait_for(entries)
    models: Any = execution.defs.resources["language_models"]
    for entry in entries:
        question = question_of(study, entry)
        if entry.recipe and not execution.run("train_demo_models", assets=[_weights(entry)])[0]:
            failed.append(f"model {entry.name}")
            continue
        revision = models.revision(entry, question.schema, question.prompt)
        why = why_train(lake, settings.models, entry, study, revision)
        if why is None:
            continue
        ok, seconds = execution.run("train_adapters", assets=adapter_keys(entry))
        # Refused by the check is an answer, not a failure.
        if not (said := _outcome(lake, settings, entry)) or not (ok or said[0]):
            failed.append(f"adapter of {entry.name}")
        say(f"adapter of {entry.name} ({why}): {said[1] if said else 'FAILED'}, {seconds:.1f} s")
    return failed


def _weights(entry: ModelEntry) -> Any:
    import dagster as dg

    return dg.AssetKey(["models", entry.name])


def _outcome(lake: Lake, settings: Settings, entry: ModelEntry) -> tuple[bool, str] | None:
    """Whether the latest adapter of a model was refused, and what came of it in words; None if it was not even compared."""
    digest = pointed_at(settings.models, LABELS_TASK, entry, "candidate")
    verdict = verdict_on(lake, digest) if digest else None
    if verdict is None:
        return None
    numbers = (verdict["difference"], verdict["difference_low"], verdict["difference_high"])
    gain = "macro F1 {:+.3f} ({:+.3f} to {:+.3f})".format(*(float("nan") if n is None else n for n in numbers))
    said = "promoted" if pointed_at(settings.models, LABELS_TASK, entry, "promoted") == digest else "not promoted"
    return not verdict["promotable"], f"{said}, {gain} on {verdict['n_notes']} test notes"
