"""Figures of two quantities of the same items, a panel per group, with the floor they are compared with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes

__all__ = ["ScatterPanel", "scatter_figure"]

_PANELS_ACROSS = 3


@dataclass(frozen=True)
class ScatterPanel:
    """One group.

    Attributes
    ----------
    points, floor
        (x, y) of each item, and of what it is compared with.
    note
        Stands under the title: n, and how the two go together.
    """

    points: Sequence[tuple[float, float]]
    floor: Sequence[tuple[float, float]]
    note: str


def scatter_figure(
    panels: Mapping[str, ScatterPanel],
    *,
    title: str,
    xlabel: str,
    ylabel: str,
    name: str,
    floor: str,
    target: tuple[float | None, float | None] = (None, None),
    note: str = "",
) -> bytes:
    """Draw both quantities, which lie between 0 and 1, with means as large marks; return a PNG.

    Parameters
    ----------
    name, floor
        What points, and what they are compared with, are called in the legend.
    target
        Greatest x and least y wanted, drawn as lines; None draws none.
    """
    across = min(_PANELS_ACROSS, max(len(panels), 1))
    down = -(-max(len(panels), 1) // across)
    figure = new_figure(1.2 + 3.6 * max(across, 2), 1.3 + 3.3 * down)
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True).ravel()
    for axes in grid[len(panels) :]:
        axes.axis("off")
    for axes, (label, panel) in zip(grid, panels.items(), strict=False):
        for points, colour, marker, called in (
            (panel.floor, COLOURS[1], "x", floor),
            (panel.points, COLOURS[0], "o", name),
        ):
            if points:
                x, y = zip(*points, strict=True)
                axes.plot(x, y, marker, color=colour, markersize=3, alpha=0.35, linestyle="none", markeredgewidth=0.8)
                mean = (sum(x) / len(x), sum(y) / len(y))
                face = colour if marker == "o" else "white"
                axes.plot(*mean, "D", color=colour, markerfacecolor=face, markersize=8, markeredgewidth=1.8,
                          label=f"{called}, mean", zorder=4)  # fmt: skip
        if target[0] is not None:
            axes.axvline(target[0], color="0.5", linestyle=":", linewidth=1.0)
        if target[1] is not None:
            axes.axhline(target[1], color="0.5", linestyle=":", linewidth=1.0)
        axes.set(xlim=(0, 1.03), ylim=(-0.03, 1.03))
        axes.set_title(f"{label}\n{panel.note}", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    if panels:
        grid[0].legend(frameon=False, fontsize=8, loc="lower left")
    figure.suptitle(title, fontsize=11)
    figure.supylabel(ylabel, fontsize=9)
    figure.supxlabel(xlabel + (f"\n{note}" if note else ""), fontsize=9)
    return png_bytes(figure)
