"""When an adapter is to be trained: none is there, its base is another one now, or there is enough that it has not seen."""

from __future__ import annotations

from pathlib import Path

import pyarrow.compute as pc

from clinical_assets.adapters.gold_notes import to_learn_from
from clinical_assets.adapters.label_task import LabelTask
from clinical_assets.labels.model_labels import question_of
from clinical_assets.language_models.adapter_pointers import pointed_at
from clinical_assets.language_models.catalogue import ModelEntry
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study

__all__ = ["new_since_training", "why_train"]


def new_since_training(lake: Lake, models: Path, entry: ModelEntry, study: Study) -> int:
    """Return how many notes there are to learn from that were annotated, or annotated otherwise, since the latest training."""
    fields = question_of(study, entry).schema.fields
    latest = pointed_at(models, LabelTask.name, entry, "candidate")
    if latest is None or not lake.has("adapters/trained", latest[:16]):
        return len(to_learn_from(lake, fields))
    trained_at = lake.read("adapters/trained", latest[:16], ["trained_at"])["trained_at"][0]
    answers = lake.read("annotations/human_labels", columns=["note_id", "first_seen_at"])
    newer = answers.filter(pc.greater(answers["first_seen_at"], trained_at))["note_id"]
    return len(to_learn_from(lake, fields).intersection(newer.to_pylist()))


def why_train(lake: Lake, models: Path, entry: ModelEntry, study: Study, base_revision: str) -> str | None:
    """Return why an adapter should be trained without anybody asking for it, in a few words; None if it should not.

    Parameters
    ----------
    base_revision
        What tells the base's weights, as they are now, from others.
    """
    latest = pointed_at(models, LabelTask.name, entry, "candidate")
    n_new = new_since_training(lake, models, entry, study)
    if latest is None:
        return "there is none yet" if n_new else None
    trained_on = (
        lake.read("adapters/trained", latest[:16], ["base_revision"])
        if lake.has("adapters/trained", latest[:16])
        else None
    )
    if trained_on is not None and trained_on["base_revision"][0].as_py() != base_revision:
        return "its base is another one now"
    rules = study.fine_tuning
    if rules.retrain == "on_new_labels" and n_new >= rules.min_new:
        return f"{n_new} notes were annotated since it was trained"
    return None
