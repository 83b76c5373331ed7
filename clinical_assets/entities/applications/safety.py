"""Drug-event pairs: from counts of reports to measures of disproportionality, and which pairs stand out. Never which drug causes what."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import numpy as np
import pyarrow as pa

from clinical_assets.statistics.disproportionality import disproportionality

__all__ = ["FLAG_CHI_SQUARE", "FLAG_PRR", "count_pairs", "pairs_table"]

# Evans, Waller & Davis (2001): PRR of at least 2, chi-square of at least 4, at least 3 reports.
FLAG_PRR = 2.0
FLAG_CHI_SQUARE = 4.0


def pairs_table(counts: pa.Table) -> pa.Table:
    """Add measures and flags to counts of drug-event pairs.

    Parameters
    ----------
    counts
        n rows: source, a, b, c, d (reports with drug and event, drug only, event only, neither), minimum_reports; whatever else stays.

    Returns
    -------
    pa.Table
        n rows, in the same order: the columns of `counts`; expected, prr, ror, ic with limits of 95 %, chi_square, p_value; q_value
        (Benjamini & Hochberg 1995, over the pairs of a source with enough reports, null for others); flag_prr (criterion of Evans et
        al. 2001), flag_ror (lower limit above 1; with 1/2 added to each cell where one is empty), flag_ic (IC025 above 0), is_flagged
        (all three); undefined measures are null.

    Raises
    ------
    ValueError
        If a count is negative.
    """
    cells = [counts.column(name).to_numpy() for name in "abcd"]
    found = disproportionality(*cells)
    out = counts
    for name in found.__dataclass_fields__:
        out = out.append_column(name, pa.array(getattr(found, name), pa.float64(), from_pandas=True))
    enough = cells[0] >= counts.column("minimum_reports").to_numpy()
    out = out.append_column("q_value", _q_values(counts.column("source").to_pylist(), found.p_value, enough))
    flags = {
        # without the event under any other drug the ratio is infinite: more than any limit
        "flag_prr": enough & ((found.prr >= FLAG_PRR) | (cells[2] == 0)) & (found.chi_square >= FLAG_CHI_SQUARE),
        "flag_ror": enough & (np.where(np.isnan(found.ror_low), _halved_low(*cells), found.ror_low) > 1),
        "flag_ic": enough & (found.ic_low > 0),
    }
    for name, flag in flags.items():
        out = out.append_column(name, pa.array(flag, pa.bool_()))
    return out.append_column("is_flagged", pa.array(np.logical_and.reduce(list(flags.values())), pa.bool_()))


def _halved_low(a: np.ndarray, b: np.ndarray, c: np.ndarray, d: np.ndarray) -> np.ndarray:
    """Return the lower 95 % limit of the odds ratio with 1/2 added to each cell (Haldane 1956), for tables with an empty one."""
    cells = [cell + 0.5 for cell in (a, b, c, d)]
    width = 1.959964 * np.sqrt(sum(1 / cell for cell in cells))
    return np.exp(np.log(cells[0] * cells[3] / (cells[1] * cells[2])) - width)


def _q_values(sources: list[str], p_values: np.ndarray, enough: np.ndarray) -> pa.Array:
    from scipy.stats import false_discovery_control

    out = np.full(p_values.shape, np.nan)
    names = np.asarray(sources, dtype=object)
    for source in set(sources):
        tested = (names == source) & enough & ~np.isnan(p_values)
        if tested.any():
            out[tested] = false_discovery_control(p_values[tested])
    return pa.array(out, pa.float64(), from_pandas=True)


def count_pairs(
    pairs: Iterable[tuple[str, str, str]], exposed: Iterable[tuple[str, str]], *, source: str, minimum_reports: int = 3
) -> pa.Table:
    """Count reports as two-by-two tables, for corpora of documents; the warehouse does the same in SQL.

    Parameters
    ----------
    pairs
        (report, drug, event): the report says that the event followed the drug.
    exposed
        (report, drug): the report names the drug. Reports of `pairs` are added.
    source
        Name of the corpus.

    Returns
    -------
    pa.Table
        A row a pair: source, drug_key, event_key, a, b, c, d, minimum_reports. A report counts once per pair; one with the drug and
        with the event of another drug is in b.
    """
    triples = sorted(set(pairs))
    doubles = sorted({*exposed, *((report, drug) for report, drug, _ in triples)})
    texts = pa.string()
    with duckdb.connect() as connection:
        connection.register(
            "pairs",
            pa.table({n: pa.array([t[i] for t in triples], texts) for i, n in enumerate(("r", "drug", "event"))}),
        )
        connection.register(
            "exposed", pa.table({n: pa.array([t[i] for t in doubles], texts) for i, n in enumerate(("r", "drug"))})
        )
        found = connection.sql(
            """
            with events as (select distinct r, event from pairs),
            drugs as (select drug, count(*) as n from exposed group by all),
            events_n as (select event, count(*) as n from events group by all),
            crossed as (select drug, event, count(*) as n from exposed join events using (r) group by all),
            total as (select count(distinct r) as n from exposed)
            select ? as source, drug as drug_key, event as event_key, count(*) as a, drugs.n - count(*) as b,
                events_n.n - crossed.n as c, total.n - drugs.n - (events_n.n - crossed.n) as d, cast(? as bigint) as minimum_reports
            from pairs join drugs using (drug) join events_n using (event) join crossed using (drug, event) cross join total
            group by drug, event, drugs.n, events_n.n, crossed.n, total.n
            order by a desc, drug, event
            """,
            params=[source, minimum_reports],
        )
        return found.to_arrow_table()
