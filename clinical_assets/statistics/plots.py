"""Figures for asset metadata and the report: colour-blind safe, with n and confidence limits, drawn without a display."""

from __future__ import annotations

import base64
import io
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from clinical_assets.statistics.survival import Curve

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = [
    "COLOURS",
    "at_risk_label",
    "bars_figure",
    "markdown_image",
    "new_figure",
    "png_bytes",
    "step_figure",
    "visible_until",
    "write_figures",
]

# Okabe & Ito (2008); told apart by line style as well, for print.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_STYLES = ("-", "--", "-.", ":")


def at_risk_label(n: int, smallest: int) -> str:
    """Return a number at risk as it may be shown: ``<11`` for 1 to 10 when `smallest` is 11."""
    return f"<{smallest}" if 0 < n < smallest else str(n)


def visible_until(curve: Curve, smallest: int) -> float:
    """Return the last time up to which at least `smallest` are at risk; 0 where there never are."""
    enough = curve.time[curve.n_at_risk >= smallest]
    return float(enough[-1]) if enough.size else 0.0


def step_figure(
    curves: Mapping[str, Curve],
    *,
    title: str,
    ylabel: str,
    unit: float = 365.25,
    xlabel: str = "Years",
    smallest: int = 11,
) -> bytes:
    """Draw step curves with 95 % bands and numbers at risk under the axis; return a PNG.

    Parameters
    ----------
    curves
        Label -> curve; times are divided by `unit`.
    smallest
        A curve ends where fewer are at risk, and numbers at risk from 1 to below it are shown as such.
    """
    figure = new_figure(8.0, 5.0 + 0.28 * len(curves))
    rows = len(curves)
    axes, table = figure.subplots(2, 1, height_ratios=[5, 0.5 + 0.32 * rows])
    last = max([visible_until(curve, smallest) for curve in curves.values()] or [0.0]) / unit
    ticks = _ticks(last)
    for i, (label, curve) in enumerate(curves.items()):
        shown = curve.time <= visible_until(curve, smallest)
        colour, style = COLOURS[i % len(COLOURS)], _STYLES[i % len(_STYLES)]
        x = curve.time[shown] / unit
        n = at_risk_label(int(curve.n_at_risk[0]), smallest)
        axes.step(x, curve.estimate[shown], where="post", color=colour, linestyle=style, label=f"{label} (n = {n})")
        axes.fill_between(x, curve.lower[shown], curve.upper[shown], step="post", color=colour, alpha=0.15, linewidth=0)
        at_risk = curve.at([tick * unit for tick in ticks])["n_at_risk"]
        for tick, count in zip(ticks, at_risk, strict=True):
            table.text(tick, rows - i, at_risk_label(int(count), smallest), ha="center", va="center", fontsize=8)
        table.text(-0.045, rows - i, label, ha="right", va="center", fontsize=8, color=colour,
                   transform=table.get_yaxis_transform())  # fmt: skip
    axes.set(title=title, ylabel=ylabel, ylim=(0, 1.02), xlim=(0, max(last, 0.1) * 1.02), xticks=ticks, xlabel=xlabel)
    axes.legend(loc="best", frameon=False, fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    table.set(xlim=axes.get_xlim(), ylim=(0.4, rows + 0.9))
    table.text(
        -0.045, rows + 0.8, "At risk", ha="right", va="center", fontsize=8, transform=table.get_yaxis_transform()
    )
    table.axis("off")
    figure.text(0.99, 0.005, f"Bands: 95 % confidence. Curves end where fewer than {smallest} are at risk.",
                ha="right", fontsize=7, color="0.35")  # fmt: skip
    return png_bytes(figure)


def bars_figure(
    rows: Sequence[tuple[str, int | None]], *, title: str, xlabel: str, note: str = "", withheld: str = "withheld"
) -> bytes:
    """Draw one horizontal bar per row, in order, with its number; a None is said to be withheld. Return a PNG."""
    longest = max((len(label) for label, _ in rows), default=0)
    figure = new_figure(8.0 + 0.07 * max(longest - 40, 0), 1.2 + 0.36 * max(len(rows), 1))
    axes = figure.subplots()
    places = range(len(rows))
    axes.barh(places, [n or 0 for _, n in rows], color=COLOURS[0], height=0.62)
    for place, (_, n) in zip(places, rows, strict=True):
        axes.annotate(withheld if n is None else f"{n:,}", (n or 0, place), xytext=(4, 0), textcoords="offset points",
                      va="center", fontsize=8, color="0.35" if n is None else "black")  # fmt: skip
    axes.set_yticks(list(places), [label for label, _ in rows], fontsize=8)
    axes.invert_yaxis()
    axes.set(title=title, xlabel=xlabel)
    axes.margins(x=0.12)
    axes.spines[["top", "right"]].set_visible(False)
    if note:
        figure.supxlabel(note, x=0.99, ha="right", fontsize=7, color="0.35")
    return png_bytes(figure)


def markdown_image(png: bytes, description: str) -> str:
    """Return a PNG as a Markdown image that carries its own data."""
    return f"![{description}](data:image/png;base64,{base64.b64encode(png).decode('ascii')})"


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of that size, inches, that no display is needed for."""
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), layout="constrained")


def png_bytes(figure: Any) -> bytes:
    """Return a figure as a PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _ticks(last: float) -> list[float]:
    step = next(step for step in (0.25, 0.5, 1, 2, 5, 10, 100) if last / step <= 10 or step == 100)
    return [i * step for i in range(int(last / step) + 1)]


def write_figures(folder: Path, figures: Mapping[str, bytes]) -> list[Path]:
    """Write each figure as ``<name>.png``, whole or not at all; return the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, png in figures.items():
        path = folder / f"{name}.png"
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_bytes(png)
        os.replace(temporary, path)
        paths.append(path)
    return paths
