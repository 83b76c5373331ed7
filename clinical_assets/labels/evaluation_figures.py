"""The figures of the labellers, drawn from the published warehouse: what each shows and withholds is decided here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from clinical_assets.statistics.label_plots import (
    ReliabilityPanel,
    forest_figure,
    pairs_figure,
    reliability_figure,
)

if TYPE_CHECKING:
    import duckdb

__all__ = ["label_figures"]

_SETS = {"scope": "notes in scope", "test": "test notes in scope", "annotated": "all annotated notes"}


def label_figures(connection: duckdb.DuckDBPyConnection, *, smallest: int) -> dict[str, bytes]:
    """Return name -> PNG: F1 per field and labeller (one figure per note set), reliability, agreement of pairs.

    Figures without data are left out.

    Parameters
    ----------
    connection
        Reads the warehouse (schema labels).
    smallest
        Fields with 1 to below `smallest` answers true, or false, are named without estimates, as are those with none true;
        bins of fewer answers are not drawn, and fields with fewer answers do not enter the agreement of a pair.
    """
    drawn = {f"label_f1_{note_set}": _f1(connection, note_set, smallest) for note_set in _SETS}
    drawn["label_reliability"] = _reliability(connection, smallest)
    drawn["label_agreement"] = _pairs(connection, smallest)
    return {name: png for name, png in drawn.items() if png is not None}


def _f1(connection: duckdb.DuckDBPyConnection, note_set: str, smallest: int) -> bytes | None:
    rows = _rows(
        connection.execute(
            "select labeller, field, n, n_positive, f1, f1_low, f1_high from labels.evaluation "
            "where note_set = ? and rule = 'default' order by labeller, field",
            [note_set],
        )
    )
    if not rows:
        return None
    labels, hidden = {}, {}
    for row in rows:
        n, n_true = int(row["n"]), int(row["n_positive"])
        if 0 < n_true < smallest or 0 < n - n_true < smallest:
            hidden[row["field"]] = f"<{smallest} true or false of {n:,}; withheld"
        elif not n_true:
            # F1 is 0 or undefined there whatever the labeller is worth
            hidden[row["field"]] = f"none true of {n:,}"
        else:
            labels[row["field"]] = f"{row['field']}\n({n_true:,} true of {n:,})"
    order = sorted(labels)
    series: dict[str, list[tuple[float, float | None, float | None] | None]] = {}
    for row in rows:
        values = series.setdefault(row["labeller"], [None] * len(order))
        if row["field"] in labels and row["f1"] is not None:
            values[order.index(row["field"])] = (row["f1"], row["f1_low"], row["f1_high"])
    return forest_figure(
        [labels[field] for field in order],
        series,
        title=f"F1 by field and labeller: {_SETS[note_set]}",
        xlabel="F1",
        note="\n".join(
            [
                "Lines: 95 % limits from drawing persons. An answer that is missing counts as wrong.",
                *(f"Not drawn: {field} ({why})" for field, why in sorted(hidden.items())),
            ]
        ),
    )


def _reliability(connection: duckdb.DuckDBPyConnection, smallest: int) -> bytes | None:
    rows = _rows(
        connection.execute(
            "select labeller, mean_probability, observed, lower, upper, n from labels.label_reliability "
            "where field = 'all' and scale = 'as_given' and n > 0 order by labeller, bin"
        )
    )
    by_labeller: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        by_labeller.setdefault(row["labeller"], []).append(row)
    panels = {}
    for labeller, bins in by_labeller.items():
        n = sum(int(one["n"]) for one in bins)
        error = sum(one["n"] * abs(one["observed"] - one["mean_probability"]) for one in bins) / n
        points = [
            (one["mean_probability"], one["observed"], one["lower"], one["upper"], int(one["n"]))
            for one in bins
            if one["n"] >= smallest
        ]
        panels[labeller] = ReliabilityPanel(points=points, n=n, ece=error)
    if not panels:
        return None
    note = f"Test notes, all fields, not recalibrated. Lines: 95 % limits. Bins of fewer than {smallest} answers are not drawn."
    return reliability_figure(panels, title="How often P(true) is right", note=note)


def _pairs(connection: duckdb.DuckDBPyConnection, smallest: int) -> bytes | None:
    rows = _rows(
        connection.execute(
            "select labeller_a, labeller_b, avg(cohen_kappa) as kappa, count(*) as n_fields, sum(n)::bigint as n from labels.agreement "
            "where cohen_kappa is not null and n >= ? group by all order by all",
            [smallest],
        )
    )
    if not rows:
        return None
    values = {(row["labeller_a"], row["labeller_b"]): (row["kappa"], f"{row['n_fields']} fields") for row in rows}
    counts = [int(row["n"]) for row in rows]
    return pairs_figure(
        sorted({name for pair in values for name in pair}),
        values,
        title="Agreement of labellers: Cohen's kappa, mean over fields",
        note=f"{min(counts):,} to {max(counts):,} answers a pair, on notes in scope; limits by field are in labels.agreement.",
    )


def _rows(found: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    names: Iterable[str] = [column[0] for column in found.description or []]
    return [dict(zip(names, row, strict=True)) for row in found.fetchall()]
