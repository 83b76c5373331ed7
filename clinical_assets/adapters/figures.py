"""Figures of an adapter: how its training went, and what it changes beside its base."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from clinical_assets.adapters.comparison import ALL_FIELDS
from clinical_assets.language_models.adapter_store import AdapterCard
from clinical_assets.statistics.training_plots import Change, change_figure, curves_figure

__all__ = ["comparison_figure", "training_figure"]

_NO_MEASURE = {"epoch", "step", "loss", "validation_loss", "learning_rate"}


def training_figure(card: AdapterCard) -> bytes:
    """Draw the loss by step, and the validation loss and the task's measures by epoch; return a PNG."""
    measures = sorted({name for epoch in card.history for name in epoch} - _NO_MEASURE)
    steps = [0.0, *(epoch["step"] for epoch in card.history)]  # from the base on
    return curves_figure(
        card.losses,
        steps,
        [card.base_validation_loss, *(epoch.get("validation_loss") for epoch in card.history)],
        {name: [None, *(epoch.get(name) for epoch in card.history)] for name in measures},
        best=steps[card.best_epoch] if 0 < card.best_epoch < len(steps) else None,
        title=f"{card.model}: {card.n_train:,} training examples, {card.n_validation:,} for validation",
    )


def comparison_figure(rows: Sequence[dict[str, Any]], n_notes: int) -> bytes:
    """Draw F1 of base and adapter on the same test notes, and the difference with its limits, a row a field; return a PNG.

    Parameters
    ----------
    rows
        As `comparison.comparison_rows` gives them.
    n_notes
        Test notes.
    """
    changes = [
        Change(
            f"{'macro, all fields' if row['field'] == ALL_FIELDS else row['field']} "
            f"({row['n_positive']:,} true of {row['n']:,})",
            row["base_f1"],
            row["adapter_f1"],
            row["f1_difference"],
            row["f1_difference_low"],
            row["f1_difference_high"],
        )
        for row in rows
    ]
    return change_figure(
        changes,
        title=f"{n_notes:,} test notes of {rows[-1]['n_persons']:,} persons, the same for both",
        measure="F1",
        before="base",
        after="adapter",
        note="Lines: 95 % limits of the difference, from drawing persons.",
    )
