"""Demo models of a few steps, for tests of what stands around a model; what they answer means nothing."""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path


def train_a_little(folder: Path) -> None:
    """Put all demo models, trained for a few steps on a few notes, where the platform looks for them under `folder`."""
    import torch

    from clinical_assets.labels.model_labels import question_of
    from clinical_assets.language_models.catalogue import load_catalogue
    from clinical_assets.language_models.demo_models.recipes import recipe_folder, recipe_of
    from clinical_assets.language_models.demo_models.training import train_demo_model
    from clinical_assets.study.load import load_study
    from clinical_assets.synthetic.snippets import labelled_lines, labelled_notes

    torch.set_num_threads(1)
    study = load_study()
    for entry in load_catalogue().models:
        if entry.recipe is None:
            continue
        question = question_of(study, entry)
        fields = question.schema.fields
        train_demo_model(
            dataclasses.replace(recipe_of(entry), n_steps=6, n_layers=2),
            recipe_folder(folder, entry, question.schema, question.prompt),
            question.schema,
            question.prompt,
            labelled_lines(fields, seed=5, n_persons=150),
            labelled_notes(fields, seed=6, n_persons=150),
            log=lambda line: None,
        )


def put(weights: Path, data: Path) -> None:
    """Copy the models into a data folder."""
    shutil.copytree(weights, data / "models")
