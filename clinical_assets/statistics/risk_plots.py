"""Figures of risks: ROC and calibration curves, net benefit, estimates by subgroup; with n and 95 % limits."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from clinical_assets.statistics.bootstrap import intervals, replicate
from clinical_assets.statistics.calibration import reliability
from clinical_assets.statistics.decision_curve import net_benefit
from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes
from clinical_assets.statistics.recalibration import smooth_curve
from clinical_assets.statistics.roc import delong

__all__ = ["calibration_figure", "contribution_figure", "decision_figure", "roc_figure"]

_STYLES = ("-", "--", "-.", ":")
_GRID = np.linspace(0, 1, 101)


def roc_figure(gold: npt.ArrayLike, risks: Mapping[str, npt.ArrayLike], *, title: str) -> bytes:
    """Draw ROC curves of models on the same persons; bands of the sensitivity by drawing persons. Return a PNG."""
    from sklearn.metrics import roc_curve

    truth = np.asarray(gold, dtype=np.float64)
    figure = new_figure(6.4, 6.2)
    axes = figure.subplots()
    for i, (name, risk) in enumerate(risks.items()):
        values = np.asarray(risk, dtype=np.float64)
        area = delong(truth, values)
        false, true, _ = roc_curve(truth, values)
        colour, style = COLOURS[i % len(COLOURS)], _STYLES[i % len(_STYLES)]
        label = f"{name}: {area.value:.3f} ({area.low:.3f} to {area.high:.3f})"
        axes.plot(false, true, color=colour, linestyle=style, label=label)
        if i == len(risks) - 1:  # one band, of the last and so fullest model: more would hide each other
            low, high = intervals(replicate(np.arange(truth.size), _curve_of(truth, values), n_replicates=300, seed=0))
            axes.fill_between(_GRID, low, high, color=colour, alpha=0.15, linewidth=0)
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8)
    axes.set(title=title, xlabel="1 - specificity", ylabel="Sensitivity", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(title=f"AUROC, 95 % (DeLong); n = {truth.size:,}, cases {int(truth.sum()):,}", fontsize=7, frameon=False,
                title_fontsize=8, loc="lower right")  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    return png_bytes(figure)


def _curve_of(truth: npt.NDArray[np.float64], values: npt.NDArray[np.float64]) -> Any:
    order = np.argsort(-values, kind="stable")

    def curve(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        w = weights[:, order]
        true, false = np.cumsum(w * truth[order], axis=1), np.cumsum(w * (1 - truth[order]), axis=1)
        ends = np.maximum(true[:, -1:], 1e-9), np.maximum(false[:, -1:], 1e-9)
        return np.stack([np.interp(_GRID, f, t) for t, f in zip(true / ends[0], false / ends[1], strict=True)])

    return curve


def calibration_figure(gold: npt.ArrayLike, risk: npt.ArrayLike, *, title: str, smallest: int = 11) -> bytes:
    """Draw observed against predicted risk: a smooth curve with its band, tenths of the persons with limits. Return a PNG.

    Bins of fewer than `smallest` persons are not drawn.
    """
    truth, p = np.asarray(gold, dtype=np.float64), np.asarray(risk, dtype=np.float64)
    figure = new_figure(6.2, 6.2)
    axes = figure.subplots()
    lowest, highest = np.quantile(p, [0.01, 0.99])
    grid = np.linspace(float(lowest), float(highest), 60)

    def curves(weights: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        drawn = [np.repeat(np.arange(p.size), row.astype(np.int64)) for row in weights]
        return np.stack([smooth_curve(truth[rows], p[rows], grid) for rows in drawn])

    low, high = intervals(replicate(np.arange(p.size), curves, n_replicates=100, seed=0))
    axes.plot([0, 1], [0, 1], color="0.6", linewidth=0.8, label="perfect")
    axes.plot(grid, smooth_curve(truth, p, grid), color=COLOURS[0], label="smooth (spline)")
    axes.fill_between(grid, low, high, color=COLOURS[0], alpha=0.15, linewidth=0)
    for one in reliability(truth, p):
        if one.n >= smallest:
            axes.errorbar(one.mean_probability, one.observed, fmt="s", color=COLOURS[1], markersize=4, capsize=2,
                          yerr=[[one.observed - one.lower], [one.upper - one.observed]])  # fmt: skip
    axes.set(title=title, xlabel="Predicted risk", ylabel="Observed share of cases", xlim=(0, 1), ylim=(0, 1))
    axes.legend(title=f"n = {truth.size:,}, cases {int(truth.sum()):,}; bands and bars 95 %", fontsize=8, title_fontsize=8,
                frameon=False, loc="upper left")  # fmt: skip
    axes.spines[["top", "right"]].set_visible(False)
    return png_bytes(figure)


def decision_figure(
    gold: npt.ArrayLike, risks: Mapping[str, npt.ArrayLike], *, title: str, thresholds: Sequence[float] | None = None
) -> bytes:
    """Draw net benefit by threshold beside treating all and nobody; a band for the last model. Return a PNG."""
    truth = np.asarray(gold, dtype=np.float64)
    at = (
        np.linspace(0.02, min(0.8, 3 * float(truth.mean()) + 0.05), 40)
        if thresholds is None
        else np.asarray(thresholds)
    )
    figure = new_figure(7.0, 5.0)
    axes = figure.subplots()
    for i, (name, risk) in enumerate(risks.items()):
        last = i == len(risks) - 1
        curve = net_benefit(truth, risk, at, n_replicates=300 if last else 0)
        colour = COLOURS[i % len(COLOURS)]
        axes.plot(at, curve.model, color=colour, linestyle=_STYLES[i % len(_STYLES)], label=name)
        if last:
            axes.fill_between(at, curve.low, curve.high, color=colour, alpha=0.15, linewidth=0)
            axes.plot(at, curve.treat_all, color="0.4", linewidth=0.9, label="treat all")
    axes.axhline(0, color="0.6", linewidth=0.8, label="treat nobody")
    axes.set(
        title=title, xlabel="Risk from which one acts", ylabel="Net benefit", ylim=(-0.05, float(truth.mean()) * 1.1)
    )
    axes.legend(title=f"n = {truth.size:,}; band 95 %", fontsize=7, title_fontsize=8, frameon=False)
    axes.spines[["top", "right"]].set_visible(False)
    return png_bytes(figure)


def contribution_figure(bars: Sequence[tuple[str, float, float, float]], *, n: int, title: str) -> bytes:
    """Draw mean absolute contributions, each with its limits, in the order given from the top. Return a PNG.

    Parameters
    ----------
    bars
        Name, value, lower and upper limit.
    """
    figure = new_figure(7.6, 1.2 + 0.26 * len(bars))
    axes = figure.subplots()
    place = np.arange(len(bars))[::-1]
    value, low, high = (np.asarray([bar[i] for bar in bars], dtype=np.float64) for i in (1, 2, 3))
    axes.barh(place, value, color=COLOURS[0], height=0.6)
    axes.errorbar(value, place, xerr=[value - low, high - value], fmt="none", ecolor="0.3", capsize=2, linewidth=0.9)
    axes.set_yticks(place, [bar[0] if len(bar[0]) <= 46 else f"{bar[0][:45]}..." for bar in bars], fontsize=7)
    axes.set(xlabel=f"Mean absolute contribution to the log-odds; n = {n:,}, bars 95 %", ylim=(-0.6, len(bars) - 0.4))
    axes.set_title(title, fontsize=8, loc="right")
    axes.spines[["top", "right"]].set_visible(False)
    return png_bytes(figure)
