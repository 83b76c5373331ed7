"""Curves, horizons and summaries of the outcomes, from one row a person; what dbt's Python models call."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.statistics.survival import Curve, aalen_johansen, kaplan_meier, median_follow_up, quantile

__all__ = ["DAYS_PER_YEAR", "curves", "curves_table", "horizons_table", "summary_table"]

DAYS_PER_YEAR = 365.25

# Nothing competes with death; whatever else is waited for, death comes before it or not.
_SURVIVAL = ("overall_survival", "overall_survival_regardless_of_treatment")

_KEY = [pa.field("population", pa.string()), pa.field("outcome", pa.string())]
_ESTIMAND = pa.field("estimand", pa.string())
_CURVES = pa.schema(
    [*_KEY, _ESTIMAND, pa.field("days", pa.float64())]
    + [pa.field(name, pa.int64()) for name in ("n_at_risk", "n_events", "n_competing", "n_censored")]
    + [pa.field(name, pa.float64()) for name in ("estimate", "std_error", "lower_95", "upper_95")]
)
_HORIZONS = pa.schema(
    [*_KEY, _ESTIMAND, pa.field("years", pa.int32()), pa.field("n_at_risk", pa.int64())]
    + [pa.field(name, pa.float64()) for name in ("estimate", "lower", "upper")]
)
_SUMMARY = pa.schema(
    _KEY
    + [pa.field(name, pa.int64()) for name in ("n", "n_events", "n_competing")]
    + [
        pa.field(name, pa.float64())
        for name in (
            "person_years",
            "median_years",
            "median_follow_up_years",
            "median_follow_up_lower",
            "median_follow_up_upper",
        )
    ]
)


def curves(person_outcomes: pa.Table) -> Iterator[tuple[str, str, str, Curve]]:
    """Yield population, outcome, estimand and curve in order of name; times in days.

    `person_outcomes` has one row a population, outcome and person: days, and status 0 censored, 1 outcome, 2 death before.
    """
    for population, outcome, days, status in _groups(person_outcomes):
        if outcome in _SURVIVAL:
            yield population, outcome, "survival", kaplan_meier(days, status)
        else:
            yield population, outcome, "cumulative incidence", aalen_johansen(days, status)


def curves_table(person_outcomes: pa.Table) -> pa.Table:
    """Return one row a population, outcome and distinct time."""
    tables = []
    for population, outcome, estimand, curve in curves(person_outcomes):
        n = len(curve.time)
        tables.append(
            pa.Table.from_arrays(
                [pa.array([text] * n) for text in (population, outcome, estimand)]
                + [pa.array(values) for values in (curve.time, curve.n_at_risk, curve.n_events, curve.n_competing)]
                + [pa.array(values) for values in (curve.n_censored, curve.estimate)]
                + [pa.array(values, from_pandas=True) for values in (curve.std_error, curve.lower, curve.upper)],
                schema=_CURVES,
            )
        )
    return pa.concat_tables([_CURVES.empty_table(), *tables])


def horizons_table(person_outcomes: pa.Table, years: Sequence[int]) -> pa.Table:
    """Return one row a population, outcome and horizon in years."""
    rows = []
    for population, outcome, estimand, curve in curves(person_outcomes):
        read = curve.at([round(year * DAYS_PER_YEAR) for year in years])
        for i, year in enumerate(years):
            values = {name: _number(read[name][i]) for name in ("estimate", "lower", "upper")}
            n_at_risk = int(read["n_at_risk"][i])
            rows.append({"population": population, "outcome": outcome, "estimand": estimand, "years": year}
                        | values | {"n_at_risk": n_at_risk})  # fmt: skip
    return pa.Table.from_pylist(rows, schema=_HORIZONS)


def summary_table(person_outcomes: pa.Table) -> pa.Table:
    """Return one row a population and outcome: counts, person-years, medians in years (null where not reached)."""
    rows = []
    for population, outcome, days, status in _groups(person_outcomes):
        follow_up = median_follow_up(days, status)
        median = quantile(kaplan_meier(days, status))[0] if outcome in _SURVIVAL else None
        rows.append(
            {
                "population": population,
                "outcome": outcome,
                "n": len(days),
                "n_events": int((status == 1).sum()),
                "n_competing": int((status == 2).sum()),
                "person_years": float(days.sum()) / DAYS_PER_YEAR,
                "median_years": _years(median),
                "median_follow_up_years": _years(follow_up[0]),
                "median_follow_up_lower": _years(follow_up[1]),
                "median_follow_up_upper": _years(follow_up[2]),
            }
        )
    return pa.Table.from_pylist(rows, schema=_SUMMARY)


def _groups(person_outcomes: pa.Table) -> Iterator[tuple[str, str, np.ndarray, np.ndarray]]:
    keys = person_outcomes.select(["population", "outcome"]).group_by(["population", "outcome"]).aggregate([])
    for key in keys.sort_by([("population", "ascending"), ("outcome", "ascending")]).to_pylist():
        mine = pc.and_(
            pc.equal(person_outcomes["population"], key["population"]),
            pc.equal(person_outcomes["outcome"], key["outcome"]),
        )
        rows = person_outcomes.filter(mine)
        yield key["population"], key["outcome"], rows["days"].to_numpy(), rows["status"].to_numpy()


def _number(value: object) -> float | None:
    number = float(value)  # type: ignore[arg-type]
    return None if np.isnan(number) else number


def _years(days: float | None) -> float | None:
    return None if days is None else days / DAYS_PER_YEAR
