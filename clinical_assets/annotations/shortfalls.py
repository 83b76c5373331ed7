"""What human labels lack, in numbers: refused answers, fields without a second class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

import pyarrow as pa

__all__ = ["one_sided_fields", "rejects_by_reason"]

_SHOWN = 20


def rejects_by_reason(rejects: pa.Table) -> tuple[dict[str, int], list[str]]:
    """Return refused answers (a whole file counts 1) by reason, and a line per file and reason with the mend, 20 at most."""
    rows = rejects.to_pylist()
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["reason"]] += row["n"]
    lines = [f"{row['source_file']}: {row['reason']}, {row['n']}. {row['detail']}".strip() for row in rows[:_SHOWN]]
    return dict(sorted(counts.items())), lines + ([f"and {len(rows) - _SHOWN} more"] if len(rows) > _SHOWN else [])


def one_sided_fields(adjudicated: pa.Table, fields: Iterable[str]) -> dict[str, dict[str, int]]:
    """Return field -> numbers of true and false, of the fields that have no more than one of the two.

    Fields that nobody was asked about are left out; with no label at all there is nothing to warn of.
    """
    counts: dict[str, Counter[bool]] = {}
    for field, value in zip(adjudicated["field"].to_pylist(), adjudicated["value"].to_pylist(), strict=True):
        counts.setdefault(field, Counter())[value] += value is not None
    return {
        name: {"n_true": counts[name][True], "n_false": counts[name][False]}
        for name in fields
        if name in counts and not (counts[name][True] and counts[name][False])
    }
