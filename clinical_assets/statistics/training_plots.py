"""Figures of a training: its curves, and what it changed on the same items, before and after."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes

__all__ = ["Change", "change_figure", "curves_figure"]


@dataclass(frozen=True)
class Change:
    """One quantity before and after, and the difference with its limits; None where undefined."""

    label: str
    before: float | None
    after: float | None
    difference: float | None
    low: float | None
    high: float | None


def curves_figure(
    losses: Sequence[float],
    epoch_steps: Sequence[float],
    validation_losses: Sequence[float | None],
    measures: Mapping[str, Sequence[float | None]],
    *,
    best: float | None,
    title: str,
) -> bytes:
    """Draw the training loss by step, and what was measured on validation items after each epoch; return a PNG.

    Parameters
    ----------
    losses
        One a step, from the first.
    epoch_steps
        The step at which each epoch ended; 0 for where the training began.
    validation_losses, measures
        One value for each of these; measures lie between 0 and 1, None draws no mark.
    best
        The step whose weights are kept; None draws no mark.
    """
    figure = new_figure(8.0, 3.6)
    left, right = figure.subplots(1, 2, sharex=True)
    left.plot(range(1, len(losses) + 1), losses, color=COLOURS[5], linewidth=0.9, label="training, each step")
    left.plot(epoch_steps, _numbers(validation_losses), "o-", color=COLOURS[1], markersize=4, label="validation")
    left.set(xlabel="Optimizer step", ylabel="Loss", title="Loss", ylim=(0, None))
    for i, (name, values) in enumerate(measures.items()):
        right.plot(epoch_steps, _numbers(values), "s-", color=COLOURS[i % len(COLOURS)], markersize=4, label=name)
    right.set(xlabel="Optimizer step", title="On validation items", ylim=(-0.02, 1.02))
    for axes in (left, right):
        if best is not None:
            axes.axvline(best, color="0.5", linestyle=":", linewidth=1.0, label="kept")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    figure.suptitle(title, fontsize=10)
    return png_bytes(figure)


def change_figure(
    changes: Sequence[Change], *, title: str, measure: str, before: str, after: str, note: str = ""
) -> bytes:
    """Draw each quantity before and after (between 0 and 1), and beside it the difference with its limits; return a PNG."""
    figure = new_figure(9.0, 1.5 + 0.36 * max(len(changes), 1))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[3, 2])
    for place, change in enumerate(changes):
        if change.before is not None and change.after is not None:
            left.plot([change.before, change.after], [place, place], color="0.75", linewidth=2.0, zorder=1)
        if change.difference is not None:
            right.plot(change.difference, place, "D", color=COLOURS[2], markersize=4.5)
            if change.low is not None and change.high is not None:
                right.plot([change.low, change.high], [place, place], color=COLOURS[2], linewidth=1.4)
    for name, marker, colour, values in (
        (before, "o", COLOURS[1], [change.before for change in changes]),
        (after, "s", COLOURS[0], [change.after for change in changes]),
    ):
        left.plot(
            _numbers(values), range(len(changes)), marker, color=colour, markersize=5.5, label=name, linestyle="none"
        )
    left.set_yticks(range(len(changes)), [change.label for change in changes], fontsize=8)
    left.set(xlabel=measure, xlim=(-0.02, 1.02), ylim=(max(len(changes), 1) - 0.5, -0.5))
    left.legend(frameon=False, fontsize=8, loc="lower left")
    right.axvline(0, color="0.4", linewidth=0.9)
    right.set(xlabel=f"{measure}: {after} minus {before}")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(axis="y", color="0.92", linewidth=0.8)
    figure.suptitle(title, fontsize=10)
    figure.supxlabel(note, fontsize=7, color="0.35", x=0.99, ha="right")
    return png_bytes(figure)


def _numbers(values: Sequence[float | None]) -> list[float]:
    return [float("nan") if value is None else value for value in values]
