"""Prevalence and sequences of treatment as they may be shown: shares with limits, small counts withheld with what gives them away."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import pyarrow as pa

from clinical_assets.statistics.classification import wilson
from clinical_assets.statistics.suppression import Sum, suppress

__all__ = ["PREVALENCE", "SEQUENCES", "prevalence_table", "sequences_table"]

PREVALENCE = pa.schema(
    [
        ("condition_concept_id", pa.int64()),
        ("condition_name", pa.string()),
        ("year", pa.int64()),
        ("stratum", pa.string()),
        ("level", pa.string()),
        ("n_persons", pa.int64()),
        ("n_with_condition", pa.int64()),
        ("percent", pa.float64()),
        ("percent_low", pa.float64()),
        ("percent_high", pa.float64()),
        ("is_withheld", pa.bool_()),
    ]
)
SEQUENCES = pa.schema(
    [
        ("treatment", pa.string()),
        ("sequence", pa.string()),
        ("n_persons", pa.int64()),
        ("percent", pa.float64()),
        ("percent_low", pa.float64()),
        ("percent_high", pa.float64()),
        ("is_withheld", pa.bool_()),
    ]
)


def prevalence_table(counts: pa.Table) -> pa.Table:
    """Return prevalence per condition, year, stratum and level.

    Parameters
    ----------
    counts
        condition_concept_id, condition_name, year, stratum (all | sex | age), level, n_persons, n_with_condition, small_below; the
        levels of a stratum add up to `all`.

    Returns
    -------
    pa.Table
        PREVALENCE: one row per row of `counts`. Percentages are of persons under observation, with Wilson limits (1927), to one
        decimal. Per condition and year no shown number proves that with, or without, the condition there are 1 to k - 1 persons.
    """
    rows = counts.to_pylist()
    groups: dict[tuple[int, int], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        groups[row["condition_concept_id"], row["year"]].append(row)
    hidden: dict[tuple[int, int], frozenset[str]] = {
        key: suppress(*_linked(group), k=group[0]["small_below"]) for key, group in groups.items()
    }
    # how many are observed in a level is one number for all conditions of a year: withheld in one, withheld in all
    unshown = {(year, cell) for (_, year), cells in hidden.items() for cell in cells if cell.startswith("persons|")}
    out = []
    for row in sorted(
        rows, key=lambda r: (r["condition_concept_id"], r["year"], r["stratum"] != "all", r["stratum"], r["level"])
    ):
        cells, end = hidden[row["condition_concept_id"], row["year"]], f"{row['stratum']}|{row['level']}"
        n = None if (row["year"], f"persons|{end}") in unshown else row["n_persons"]
        # the persons without are shown by subtraction: where they must not be, neither are those with
        ill = None if cells & {f"with|{end}", f"without|{end}"} else row["n_with_condition"]
        out.append(
            {**{k: row[k] for k in PREVALENCE.names[:5]}, "n_persons": n, "n_with_condition": ill, **_share(ill, n)}
        )
    return pa.Table.from_pylist(out, schema=PREVALENCE)


def _linked(group: list[dict[str, Any]]) -> tuple[dict[str, int], list[Sum]]:
    counts: dict[str, int] = {}
    levels: dict[str, list[str]] = defaultdict(list)
    sums = []
    for row in group:
        end = f"{row['stratum']}|{row['level']}"
        levels[row["stratum"]].append(end)
        counts |= {
            f"persons|{end}": row["n_persons"],
            f"with|{end}": row["n_with_condition"],
            f"without|{end}": row["n_persons"] - row["n_with_condition"],
        }
        sums.append(Sum(f"persons|{end}", (f"with|{end}", f"without|{end}")))
    for stratum, ends in levels.items():
        if stratum != "all":
            sums += [
                Sum(f"{kind}|all|all", tuple(f"{kind}|{end}" for end in ends))
                for kind in ("persons", "with", "without")
            ]
    return counts, sums


def sequences_table(lines: pa.Table, smallest: int) -> pa.Table:
    """Count persons per treatment and sequence of drugs; SEQUENCES, one row each, and one `all` per treatment.

    Parameters
    ----------
    lines
        treatment, person_id, sequence; one row a treatment and person.
    smallest
        Counts from 1 to below it are withheld, and with them what gives them away.
    """
    counted: dict[str, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for treatment, sequence in zip(
        lines.column("treatment").to_pylist(), lines.column("sequence").to_pylist(), strict=True
    ):
        counted[treatment][sequence] += 1
    out: list[dict[str, Any]] = []
    for treatment, found in sorted(counted.items()):
        cells = {f"sequence|{name}": n for name, n in found.items()} | {"all": sum(found.values())}
        withheld = suppress(cells, [Sum("all", tuple(cell for cell in cells if cell != "all"))], k=smallest)
        total = None if "all" in withheld else cells["all"]
        for cell, n in sorted(cells.items(), key=lambda item: (item[0] != "all", -item[1], item[0])):
            shown = None if cell in withheld else n
            out.append(
                {
                    "treatment": treatment,
                    "sequence": cell.removeprefix("sequence|"),
                    "n_persons": shown,
                    **_share(shown, total),
                }
            )
    return pa.Table.from_pylist(out, schema=SEQUENCES)


def _share(part: int | None, whole: int | None) -> dict[str, Any]:
    withheld = part is None or whole is None
    if part is None or whole is None or whole == 0:
        return {"percent": None, "percent_low": None, "percent_high": None, "is_withheld": withheld}
    low, high = wilson(part, whole)
    return {
        "percent": round(100 * part / whole, 1),
        "percent_low": round(100 * low, 1),
        "percent_high": round(100 * high, 1),
        "is_withheld": withheld,
    }
