"""Change detection in monthly counts: a scan of recent windows against the months before, with the false discovery rate controlled.

For each series and each window of 1 or 3 months that ends in a scanned month, the persons counted in the window are compared with those
of the baseline months just before it. Given both together, the count of the window is binomial with the window's share of
person-months, if the rate is the same (exact conditional test of two Poisson rates: Przyborowski & Wilenski 1940, Biometrika 31:313).
Two-sided p values over all series, months and windows go through Benjamini & Hochberg (1995). Counts that vary more than Poisson ones
(seasons, changes of coding) raise more alarms than the rate says: an alarm is a reason to look.
"""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
import pyarrow as pa

__all__ = ["ALARMS", "WINDOWS", "alarms_table"]

WINDOWS = (1, 3)  # months
ALARMS = pa.schema(
    [
        ("source", pa.string()),
        ("domain", pa.string()),
        ("entity_key", pa.string()),
        ("name", pa.string()),
        ("month", pa.date32()),
        ("window_months", pa.int64()),
        ("n", pa.int64()),
        ("expected", pa.float64()),
        ("ratio", pa.float64()),
        ("direction", pa.string()),
        ("p_value", pa.float64()),
        ("q_value", pa.float64()),
        ("is_alarm", pa.bool_()),
        ("n_tests", pa.int64()),
    ]
)


def alarms_table(counts: pa.Table) -> pa.Table:
    """Scan every series; return ALARMS: one row a series, month and window with a q value of at most 0.5, alarms marked.

    Parameters
    ----------
    counts
        source, domain, entity_key, name, month, n (persons), n_observed (persons under observation), baseline_months,
        minimum_expected (per month), false_discovery_rate; a series has every month once, zeros included.

    Returns
    -------
    pa.Table
        `n_tests` says how many tests the correction is for. Windows whose expectation is below the minimum, or without a full
        baseline, are not tested.
    """
    series: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for row in counts.to_pylist():
        series[row["source"], row["domain"], row["entity_key"]].append(row)
    tested: list[dict[str, Any]] = []
    for rows in series.values():
        tested += _windows(sorted(rows, key=lambda row: row["month"]))
    if not tested:
        return ALARMS.empty_table()
    from scipy.stats import binom, false_discovery_control

    n, before, share = (np.asarray([row.pop(key) for row in tested]) for key in ("_n", "_before", "_share"))
    # twice the smaller tail, as an exact two-sided test
    p = np.minimum(1.0, 2 * np.minimum(binom.cdf(n, n + before, share), binom.sf(n - 1, n + before, share)))
    q = false_discovery_control(p)
    rate = counts.column("false_discovery_rate")[0].as_py()
    out = [
        {**row, "p_value": float(p[i]), "q_value": float(q[i]), "is_alarm": bool(q[i] <= rate), "n_tests": len(tested)}
        for i, row in enumerate(tested)
        if q[i] <= 0.5
    ]
    out.sort(key=lambda r: (r["source"], r["domain"], r["entity_key"], r["month"], r["window_months"]))
    return pa.Table.from_pylist(out, schema=ALARMS)


def _windows(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    n = np.cumsum([0, *(row["n"] for row in rows)])
    seen = np.cumsum([0, *(row["n_observed"] for row in rows)])
    length, least = rows[0]["baseline_months"], rows[0]["minimum_expected"]
    out = []
    for end in range(length + 1, len(rows) + 1):
        for window in WINDOWS:
            start = end - window
            if start < length:
                continue
            inside, before = int(n[end] - n[start]), int(n[start] - n[start - length])
            time, time_before = float(seen[end] - seen[start]), float(seen[start] - seen[start - length])
            if time <= 0 or time_before <= 0:
                continue
            expected = before * time / time_before
            if expected < least * window:
                continue
            out.append(
                {
                    **{key: rows[0][key] for key in ("source", "domain", "entity_key", "name")},
                    "month": rows[end - 1]["month"],
                    "window_months": window,
                    "n": inside,
                    "expected": expected,
                    "ratio": inside / expected,
                    "direction": "more" if inside > expected else "fewer",
                    "_n": inside,
                    "_before": before,
                    "_share": time / (time + time_before),
                }
            )
    return out
