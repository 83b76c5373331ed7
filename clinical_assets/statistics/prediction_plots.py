"""Figures of models of one question: confusion tables, and ROC and precision-recall curves, a panel a model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes

__all__ = ["confusion_figure", "ranking_figure"]

_ACROSS = 4


def confusion_figure(
    tables: Mapping[str, tuple[float, float, float, float, float]], *, title: str, note: str = ""
) -> bytes:
    """Draw each model's confusion table, coloured by the share of what happened; return a PNG.

    Parameters
    ----------
    tables
        Model -> tp, fp, fn, tn, and how many of fp and fn had no answer.
    """
    figure, grid = _grid(len(tables), 2.35, 2.65)
    for axes, (name, (tp, fp, fn, tn, missing)) in zip(grid, tables.items(), strict=False):
        cells = np.asarray([[tp, fn], [fp, tn]], dtype=np.float64)
        total = max(float(cells.sum()), 1.0)
        shares = cells / np.maximum(cells.sum(axis=1, keepdims=True), 1.0)  # of what happened: recall and specificity
        axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
        for i in range(2):
            for j in range(2):
                share, place = shares[i, j], {"ha": "center", "va": "center"}
                said = f"{cells[i, j]:.0f}\n({share:.0%})"
                axes.text(j, i, said, fontsize=9.5, color="white" if share > 0.6 else "black", **place)
        axes.set_xticks([0, 1], ["said yes", "said no"], fontsize=7)
        axes.set_yticks([0, 1], ["yes", "no"], fontsize=7)
        axes.tick_params(length=0)
        unread = f", {missing:.0f} unanswered" if missing else ""
        axes.set_title(f"{name}\nn = {total:.0f}{unread}", fontsize=8)
        axes.spines[:].set_visible(False)
    figure.get_layout_engine().set(hspace=0.08, h_pad=0.08)
    figure.suptitle(title, fontsize=10)
    figure.supxlabel(note, fontsize=7, color="0.35")
    return png_bytes(figure)


def ranking_figure(
    gold: npt.ArrayLike,
    scores: Mapping[str, npt.ArrayLike],
    areas: Mapping[str, Sequence[tuple[float | None, float | None, float | None]]],
    *,
    title: str,
) -> bytes:
    """Draw the ROC (solid) and precision-recall (dashed) curve of each model on the same rows, with areas and limits; return a PNG.

    Parameters
    ----------
    gold
        Shape (n,).
    scores
        Model -> shape (n,).
    areas
        Model -> (AUROC, low, high), (AUPRC, low, high).
    """
    from sklearn.metrics import precision_recall_curve, roc_curve

    truth = np.asarray(gold)
    figure, grid = _grid(len(scores), 2.6, 2.9)
    share = float(truth.mean())
    for axes, (name, score) in zip(grid, scores.items(), strict=False):
        false, true, _ = roc_curve(truth, np.asarray(score))
        precision, recall, _ = precision_recall_curve(truth, np.asarray(score))
        axes.plot([0, 1], [0, 1], color="0.75", linewidth=0.8)
        axes.axhline(share, color="0.75", linewidth=0.8, linestyle=":")
        axes.plot(false, true, color=COLOURS[0], linewidth=1.4, label="ROC")
        axes.plot(recall, precision, color=COLOURS[1], linewidth=1.2, linestyle="--", label="precision by recall")
        said = [_said(*area) for area in areas[name]]
        axes.set_title(f"{name}\nAUROC {said[0]}\nAUPRC {said[1]}", fontsize=7.5)
        axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02), aspect="equal")
        axes.set_xlabel("false positive rate; recall", fontsize=7)
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    grid[0].set_ylabel("true positive rate; precision", fontsize=7)
    grid[0].legend(frameon=False, fontsize=6.5, loc="lower right")
    figure.suptitle(f"{title} (n = {truth.size:,}, {int(truth.sum()):,} yes)", fontsize=10)
    figure.supxlabel(
        "Solid: ROC. Dashed: precision by recall. Grey: chance. Limits: 95 %, from drawing persons.",
        fontsize=7,
        color="0.35",
    )
    return png_bytes(figure)


def _grid(n: int, width: float, height: float) -> tuple[Any, Any]:
    across = min(_ACROSS, max(n, 1))
    down = -(-max(n, 1) // across)
    figure = new_figure(0.5 + width * max(across, 2), 0.9 + height * down)
    grid = figure.subplots(down, across, squeeze=False).ravel()
    for axes in grid[n:]:
        axes.axis("off")
    return figure, grid


def _said(value: float | None, low: float | None, high: float | None) -> str:
    if value is None or low is None or high is None:
        return "undefined"
    return f"{value:.2f} ({low:.2f} to {high:.2f})"
