"""The figures of the study, drawn from the published warehouse: what each shows is decided here, how it looks in `plots`."""

from __future__ import annotations

from textwrap import fill
from typing import TYPE_CHECKING

from clinical_assets.cohort.outcomes import DAYS_PER_YEAR, curves
from clinical_assets.statistics.plots import bars_figure, step_figure
from clinical_assets.statistics.survival import Curve

if TYPE_CHECKING:
    import duckdb

__all__ = ["study_figures"]

_TITLES = {
    "overall_survival": "Overall survival from the first imatinib, on treatment",
    "overall_survival_regardless_of_treatment": "Overall survival from the first imatinib, whatever followed",
    "progression": "Accelerated or blast phase",
    "treatment_switch": "Switch to another ABL inhibitor",
    "major_molecular_response": "First major molecular response (BCR::ABL1 at most 0.1 %)",
}
_COMPETING = "Cumulative incidence (death competes)"


def study_figures(connection: duckdb.DuckDBPyConnection, *, smallest: int) -> dict[str, bytes]:
    """Return name -> PNG: attrition, persons with imatinib by source, and a figure per outcome; small numbers withheld.

    `connection` reads the published warehouse; counts from 1 to below `smallest` are not shown.
    """
    attrition = connection.sql("select rule, n_after from published.attrition order by rule_order").fetchall()
    sources = connection.sql(
        "select indication || ': ' || sources, n from published.imatinib_overlaps order by indication, n_sources desc, sources"
    ).fetchall()
    # most combinations are of few persons: a row that says only "withheld" says nothing
    told = [(fill(label, 70), n) for label, n in sources if n is not None] or sources
    left_out = f" {len(sources) - len(told)} more combinations are withheld." if len(told) < len(sources) else ""
    note = f"Counts from 1 to {smallest - 1}, and those that would give them away, are withheld."
    figures = {
        "attrition": bars_figure(_counts(attrition), title="Persons left after each rule", xlabel="Persons", note=note),
        "imatinib_sources": bars_figure(
            _counts(told),
            title="Persons with imatinib, by indication and sources that name it",
            xlabel="Persons",
            note=note + left_out,
        ),
    }  # fmt: skip
    by_outcome: dict[tuple[str, str], dict[str, Curve]] = {}
    for population, outcome, estimand, curve in curves(
        connection.sql("from outcomes.person_outcomes").to_arrow_table()
    ):
        by_outcome.setdefault((outcome, estimand), {})[population.replace("_", " ")] = curve
    for (outcome, estimand), by_population in by_outcome.items():
        figures[outcome] = step_figure(
            by_population,
            title=_TITLES.get(outcome, outcome),
            ylabel="Survival" if estimand == "survival" else _COMPETING,
            unit=DAYS_PER_YEAR,
            xlabel="Years from the first imatinib",
            smallest=smallest,
        )
    return figures


def _counts(rows: list[tuple[str, int | None]]) -> list[tuple[str, int | None]]:
    return [(label, None if n is None else int(n)) for label, n in rows]
