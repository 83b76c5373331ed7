"""When an adapter is to be trained: none is there, its base is another one now, or there is enough that it has not seen."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.compute as pc

from clinical_assets.adapters.gold_notes import to_learn_from
from clinical_assets.adapters.registry import training_of
from clinical_assets.labels.model_labels import question_of
from clinical_assets.language_models.adapter_pointers import pointed_at
from clinical_assets.language_models.catalogue import LABELS_TASK, ModelEntry
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study

__all__ = ["new_since_training", "why_train"]


def new_since_training(lake: Lake, models: Path, entry: ModelEntry, study: Study) -> int:
    """Return how many notes there are to learn from that were annotated, or annotated otherwise, since the latest training."""
    there = to_learn_from(lake, question_of(study, entry).schema.fields)
    trained = _latest(lake, models, entry)
    if trained is None:
        return len(there)
    answers = lake.read("annotations/human_labels", columns=["note_id", "first_seen_at"])
    newer = answers.filter(pc.greater(answers["first_seen_at"], trained["trained_at"]))["note_id"]
    return len(there.intersection(newer.to_pylist()))


def why_train(lake: Lake, models: Path, entry: ModelEntry, study: Study, base_revision: str) -> str | None:
    """Return why an adapter should be trained without anybody asking for it, in a few words; None if it should not.

    Parameters
    ----------
    base_revision
        What tells the base's weights, as they are now, from others.
    """
    trained, rules = _latest(lake, models, entry), study.fine_tuning
    if trained is None:
        return "there is none yet" if new_since_training(lake, models, entry, study) else None
    if trained["base_revision"] != base_revision:
        return "its base is another one now"
    if rules.retrain == "on_new_labels":
        n_new = new_since_training(lake, models, entry, study)
        return f"{n_new} notes were annotated since it was trained" if n_new >= rules.min_new else None
    return None


def _latest(lake: Lake, models: Path, entry: ModelEntry) -> Mapping[str, Any] | None:
    """How the adapter was trained that was trained last."""
    digest = pointed_at(models, LABELS_TASK, entry, "candidate")
    return training_of(lake, digest) if digest else None
