"""Histograms of lengths before and after something was done to texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes

__all__ = ["lengths_figure"]

_BINS = 50


def lengths_figure(
    panels: Mapping[str, Mapping[str, Sequence[int]]], *, title: str, xlabel: str, note: str = ""
) -> bytes:
    """Draw a panel per kind of text, with an outline per step, its n and its median; return a PNG.

    Parameters
    ----------
    panels
        Kind -> step -> lengths. Bins are the same for all steps of a kind; the longest percent is put into the last bin.
    """
    import numpy as np

    shown = {kind: steps for kind, steps in panels.items() if any(len(values) for values in steps.values())}
    figure = new_figure(4.6 * max(len(shown), 1) + 0.6, 3.8)
    grid = figure.subplots(1, max(len(shown), 1), squeeze=False).ravel()
    for axes, (kind, steps) in zip(grid, shown.items(), strict=False):
        everything = np.concatenate([np.asarray(values) for values in steps.values()])
        top = max(float(np.quantile(everything, 0.99)), 1.0)
        edges = np.linspace(0, top, _BINS + 1)
        for i, (step, values) in enumerate(steps.items()):
            counts, _ = np.histogram(np.minimum(values, top), edges)
            axes.stairs(counts, edges, color=COLOURS[i], linewidth=1.4, linestyle=("-", "--", "-.", ":")[i % 4],
                        label=f"{step} (median {np.median(values):.0f})")  # fmt: skip
        n = len(next(iter(steps.values())))
        axes.set(xlabel=xlabel, ylabel="Texts", title=f"{kind}, n = {n:,}")
        axes.legend(frameon=False, fontsize=8)
        axes.spines[["top", "right"]].set_visible(False)
    figure.suptitle(title, fontsize=11)
    figure.supxlabel(note, fontsize=7, color="0.35", x=0.99, ha="right")
    return png_bytes(figure)
