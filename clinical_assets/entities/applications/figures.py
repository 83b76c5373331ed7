"""Figures of the applications: reporting odds ratios with limits, and a trend with its alarms. Small counts are not drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes

if TYPE_CHECKING:
    import duckdb

__all__ = ["application_figures", "forest_figure", "trend_figure"]

_PAIRS = 20
_NOTE = "Seen together more, or less, often than expected; not caused. Rows with small counts are withheld."


def application_figures(connection: duckdb.DuckDBPyConnection, *, smallest: int) -> dict[str, bytes]:
    """Return name -> PNG: a forest plot of the published drug-event pairs, and a series of months.

    The series is that of the strongest alarm; without any, the one with the most months that may be shown.

    `connection` reads the published warehouse; months with 1 to below `smallest` persons are left out.
    """
    pairs = connection.sql(
        "select coalesce(drug_name, drug_key) || ' / ' || coalesce(event_name, event_key) || ' (' || source || ')', ror, ror_low, "
        "ror_high, n_a from applications.published_drug_events where ror_low is not null "
        f"order by ic_low desc nulls last, drug_key, event_key limit {_PAIRS}"
    ).fetchall()
    figures = {"drug_event_pairs": forest_figure(pairs)}
    loudest = (
        connection.sql(
            "select source, domain, entity_key from applications.trend_alarms "
            f"where is_alarm and n >= {int(smallest)} and window_months = 1 order by q_value, entity_key, month limit 1"
        ).fetchall()
        or connection.sql(
            "select source, domain, entity_key from applications.monthly_counts group by all "
            f"order by count(*) filter (n >= {int(smallest)}) desc, sum(n) desc, entity_key limit 1"
        ).fetchall()
    )
    if loudest:
        counts = connection.execute(
            "select month, n, name, entity_key from applications.monthly_counts where source = ? and domain = ? and entity_key = ? "
            "order by month",
            loudest[0],
        ).fetchall()
        alarms = connection.execute(
            "select month, n from applications.trend_alarms where is_alarm and window_months = 1 and source = ? and domain = ? "
            "and entity_key = ?",
            loudest[0],
        ).fetchall()
        title = f"{counts[0][2] or counts[0][3]} ({loudest[0][0]}): persons a month, {len(alarms) or 'no'} alarm{'s' * (len(alarms) != 1)}"
        figures["trend_alarms"] = trend_figure(
            [(month, n) for month, n, *_ in counts], alarms, title=title, smallest=smallest
        )
    return figures


def forest_figure(rows: Sequence[tuple[str, float, float, float, int]]) -> bytes:
    """Draw a ratio with its limits per row (label, ratio, low, high, n) on a logarithmic axis; return a PNG."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    figure = new_figure(8.0, 1.4 + 0.3 * max(len(rows), 1))
    axes = figure.subplots()
    for place, (_, ratio, low, high, n) in enumerate(rows):
        axes.plot([low, high], [place, place], color=COLOURS[0], linewidth=1.5)
        axes.plot([ratio], [place], marker="s", color=COLOURS[0], markersize=5)
        numbers, where = f"{ratio:.2f} ({low:.2f} to {high:.2f}), n = {n}", ("axes fraction", "data")
        axes.annotate(numbers, (1.01, place), xycoords=where, va="center", fontsize=7)
    axes.axvline(1, color="0.5", linewidth=0.8, linestyle="--")
    axes.set_yticks(range(len(rows)), [label for label, *_ in rows], fontsize=7)
    axes.invert_yaxis()
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.xaxis.set_minor_formatter(NullFormatter())
    axes.set(
        title="Drug-event pairs by lower limit of the information component",
        xlabel="Reporting odds ratio with 95 % limits" if rows else "No pair may be shown",
    )
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(_NOTE, fontsize=7, color="0.35")
    return png_bytes(figure)


def trend_figure(
    counts: Sequence[tuple[object, int]], alarms: Sequence[tuple[object, int]], *, title: str, smallest: int
) -> bytes:
    """Draw counts per month with alarms as crosses; counts from 1 to below `smallest` are gaps. Return a PNG."""
    figure = new_figure(8.0, 3.6)
    axes = figure.subplots()
    shown = [float("nan") if 0 < n < smallest else float(n) for _, n in counts]
    axes.plot([month for month, _ in counts], shown, color=COLOURS[0], marker=".", linewidth=1)  # type: ignore[arg-type]
    loud = [(month, n) for month, n in alarms if not 0 < n < smallest]
    months, heights = [month for month, _ in loud], [n for _, n in loud]
    axes.plot(months, heights, color=COLOURS[1], marker="x", linestyle="none", markersize=9, label="alarm")  # type: ignore[arg-type]
    axes.set(title=title, ylabel="Persons", ylim=(0, None))
    if not any(n >= smallest for _, n in counts):
        axes.text(
            0.5, 0.5, f"no month has {smallest} persons or more", ha="center", va="center", transform=axes.transAxes
        )
    if loud:
        axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.supxlabel(f"Months with 1 to {smallest - 1} persons are withheld.", fontsize=7, color="0.35")
    return png_bytes(figure)
