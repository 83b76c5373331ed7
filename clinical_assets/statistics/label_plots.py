"""Figures of how good raters are and how far they agree: estimates side by side, reliability, agreement of pairs.

What is shown and what is withheld is decided by who calls; undefined and withheld values come as None.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes

__all__ = ["ReliabilityPanel", "forest_figure", "pairs_figure", "reliability_figure"]

_MARKERS = ("o", "s", "D", "^", "v", "P", "X")  # told apart without colour too
_PANELS_ACROSS = 3

Estimate = tuple[float, float | None, float | None]
Point = tuple[float, float, float, float, int]


@dataclass(frozen=True)
class ReliabilityPanel:
    """One rater's reliability.

    Attributes
    ----------
    points
        One per bin: mean probability, observed share, its lower and upper limit, items.
    n
        Items in all bins, those not shown too.
    ece
        Expected calibration error of them, 0 to 1.
    """

    points: Sequence[Point]
    n: int
    ece: float


def forest_figure(
    rows: Sequence[str],
    series: Mapping[str, Sequence[Estimate | None]],
    *,
    title: str,
    xlabel: str,
    note: str = "",
    chance: float | None = None,
) -> bytes:
    """Draw estimates with limits from 0 to 1, one group per row and one mark per series; return a PNG.

    Parameters
    ----------
    rows
        Label of each row, with its n.
    series
        Name -> estimate, low and high of each row; None draws nothing, limits that are None no line.
    chance
        Where a line stands for what chance reaches; None for no line.

    Raises
    ------
    ValueError
        If a series has not one entry per row.
    """
    wrong = sorted(name for name, values in series.items() if len(values) != len(rows))
    if wrong:
        raise ValueError(f"each series needs {len(rows)} values, one a row; not so: {', '.join(wrong)}")
    figure = new_figure(8.5, 1.6 + max(len(rows), 1) * (0.25 + 0.12 * max(len(series), 1)))
    axes = figure.subplots()
    step = 0.8 / max(len(series), 1)
    for i, (name, values) in enumerate(series.items()):
        offset = (i - (len(series) - 1) / 2) * step
        shown = [(place, value) for place, value in enumerate(values) if value is not None]
        colour, marker = COLOURS[i % len(COLOURS)], _MARKERS[i % len(_MARKERS)]
        for place, (_, low, high) in shown:
            if low is not None and high is not None:
                axes.plot([low, high], [place + offset] * 2, color=colour, linewidth=1.3)
        x, y = [value[0] for _, value in shown], [place + offset for place, _ in shown]
        # a second round of colours is hollow
        face = colour if i < len(COLOURS) else "white"
        axes.plot(x, y, marker, color=colour, markerfacecolor=face, markersize=4.5, label=name)
    for place in range(1, len(rows)):
        axes.axhline(place - 0.5, color="0.9", linewidth=0.8, zorder=0)
    if chance is not None:
        axes.axvline(chance, color="0.6", linewidth=0.9, linestyle="--", zorder=0)
    axes.set_yticks(range(len(rows)), list(rows), fontsize=8)
    axes.set(title=title, xlabel=xlabel, xlim=(-0.02, 1.02), ylim=(max(len(rows), 1) - 0.5, -0.5))
    axes.spines[["top", "right"]].set_visible(False)
    if series:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False, fontsize=8)
    figure.supxlabel(note, fontsize=7, color="0.35", x=0.99, ha="right")
    return png_bytes(figure)


def reliability_figure(
    panels: Mapping[str, ReliabilityPanel], *, title: str, note: str = "", who: str = "P(true) of the labeller"
) -> bytes:
    """Draw observed against predicted, a panel per rater with its ECE and n; the area of a mark is its share of items.

    Returns a PNG. The diagonal is perfect calibration.
    """
    across = min(_PANELS_ACROSS, max(len(panels), 1))
    down = -(-max(len(panels), 1) // across)
    figure = new_figure(0.6 + 2.7 * max(across, 2), 1.1 + 3.05 * down)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[len(panels) :]:
        axes.axis("off")
    for axes, (name, panel) in zip(grid, panels.items(), strict=False):
        axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.9, linestyle="--")
        for mean, observed, lower, upper, n in panel.points:
            axes.plot([mean, mean], [lower, upper], color=COLOURS[0], linewidth=1.2)
            axes.scatter(
                [mean], [observed], s=8 + 150 * n / max(panel.n, 1), color=COLOURS[0], alpha=0.75, linewidths=0
            )
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_title(f"{name}\nECE {panel.ece:.3f}, n = {panel.n:,}", fontsize=9)
        axes.tick_params(labelsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    figure.supylabel("Share that is true", fontsize=9)
    figure.supxlabel(who + (f"\n{note}" if note else ""), fontsize=9)
    return png_bytes(figure)


def pairs_figure(
    labels: Sequence[str], values: Mapping[tuple[str, str], tuple[float, str]], *, title: str, note: str = ""
) -> bytes:
    """Draw a heat map of a measure of each pair, with its number, coloured from 0 to 1; return a PNG.

    Parameters
    ----------
    labels
        Names, in order.
    values
        Pair (in either order) -> measure and what stands under it, e.g. its n; pairs without one stay blank.
    """
    size = len(labels)
    figure = new_figure(2.6 + 0.85 * max(size, 1), 2.0 + 0.7 * max(size, 1))
    axes = figure.subplots()
    either = {**values, **{(b, a): value for (a, b), value in values.items()}}
    nothing = float("nan")
    cells = [[either.get((a, b), (nothing, ""))[0] if a != b else nothing for b in labels] for a in labels]
    if size:
        # cividis is told apart by the colour-blind, and by lightness in print
        image = axes.imshow(cells, cmap="cividis", vmin=0, vmax=1)
        figure.colorbar(image, ax=axes, shrink=0.8, extend="min")
    for i, a in enumerate(labels):
        for j, b in enumerate(labels):
            if a != b and (a, b) in either:
                value, below = either[a, b]
                axes.text(j, i, f"{value:.2f}\n{below}", ha="center", va="center", fontsize=7,
                          color="black" if value > 0.5 else "white")  # fmt: skip
    axes.set_xticks(range(size), list(labels), rotation=35, ha="right", fontsize=8)
    axes.set_yticks(range(size), list(labels), fontsize=8)
    axes.set_title(title, fontsize=11)
    axes.spines[:].set_visible(False)
    figure.supxlabel(note, fontsize=7, color="0.35")
    return png_bytes(figure)
