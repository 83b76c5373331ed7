"""What all summaries of a summarizer are worth together: means with limits, and whether shorter ones keep less.

From the rows of ``summaries.scores``: numbers alone, so it is done while the warehouse is built.
"""

from __future__ import annotations

from dataclasses import asdict, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.labels.answer_cube import rows_table
from clinical_assets.statistics.correlation import spearman
from clinical_assets.summaries.metrics import Aggregate, aggregate_arrays

__all__ = ["compression_retention_table", "metrics_table"]

_N_REPLICATES, _SEED = 1000, 20251121
_COUNTS = ("n_rows", "n_defined", "n_flagged")
_VALUES = tuple(one.name for one in fields(Aggregate) if one.name not in {"metric", *_COUNTS})
_KEYS = [pa.field(name, pa.string()) for name in ("summarizer", "variant", "metric")]
_METRICS = pa.schema(
    _KEYS
    + [pa.field(name, pa.int64()) for name in (*_COUNTS, "n_persons")]
    + [pa.field(name, pa.float64()) for name in _VALUES]
    + [pa.field("encoder", pa.string())]
)
_PAIRS = pa.schema(
    [pa.field(name, pa.string()) for name in ("summarizer", "versus", "retention")]
    + [pa.field(name, pa.int64()) for name in ("n", "n_persons")]
    + [pa.field(name, pa.float64()) for name in ("spearman", "spearman_low", "spearman_high")]
)


class _Group:
    """Scores of one summarizer and variant as arrays: rows are notes, columns metrics."""

    def __init__(self, rows: pa.Table) -> None:
        columns = {name: rows[name].to_numpy() for name in ("note_id", "numerator", "denominator", "flagged")}
        self.notes, at = np.unique(columns["note_id"], return_inverse=True)
        names, of = np.unique(rows["metric"].to_numpy(zero_copy_only=False).astype(str), return_inverse=True)
        self.names: list[str] = names.tolist()
        self.top, self.bottom = (np.zeros((len(self.notes), len(names))) for _ in range(2))
        self.flagged = np.zeros(self.top.shape, dtype=bool)
        # a metric that a note has no row of is undefined there
        self.top[at, of], self.bottom[at, of] = columns["numerator"], columns["denominator"]
        self.flagged[at, of] = columns["flagged"]
        self.persons = np.empty(len(self.notes), dtype=np.int64)
        self.persons[at] = rows["person_id"].to_numpy()
        self.encoder = dict(zip(rows["metric"].to_pylist(), rows["encoder"].to_pylist(), strict=True))

    def values(self, metric: str) -> npt.NDArray[np.float64]:
        """Return a metric's values, nan where undefined or flagged."""
        if metric not in self.names:
            return np.full(len(self.notes), np.nan)
        j = self.names.index(metric)
        counted = (self.bottom[:, j] > 0) & ~self.flagged[:, j]
        return np.divide(self.top[:, j], self.bottom[:, j], out=np.full(len(self.notes), np.nan), where=counted)


def metrics_table(scores: pa.Table) -> pa.Table:
    """Return one row per summarizer, variant and metric; see `metrics.Aggregate` for the columns.

    Parameters
    ----------
    scores
        One row per summarizer, variant, note and metric: numerator, denominator, flagged, person_id, encoder.
    """
    rows: list[dict[str, Any]] = []
    for (summarizer, variant), group in _groups(scores).items():
        found = aggregate_arrays(
            group.names, group.top, group.bottom, group.flagged, group.persons.tolist(),
            n_replicates=_N_REPLICATES, seed=_SEED,
        )  # fmt: skip
        n_persons = len(np.unique(group.persons))
        for name, one in found.items():
            extra = {"n_persons": n_persons, "encoder": group.encoder[name]}
            rows.append({"summarizer": summarizer, "variant": variant, **asdict(one), **extra})
    return rows_table(rows, _METRICS)


def compression_retention_table(scores: pa.Table) -> pa.Table:
    """Return Spearman's correlation of compression and retention: one row per summarizer, what both are against, and retention.

    Above 0: what is shorter keeps less. Null where one of the two is the same for all.
    """
    rows: list[dict[str, Any]] = []
    for (summarizer, variant), group in _groups(scores).items():
        if variant != "summary":
            continue
        for versus in ("source", "first_stage"):
            ratio = group.values(f"compression_tokens_vs_{versus}")
            for kind in ("entities", "numeric"):
                kept = group.values(f"retention_{kind}_vs_{versus}")
                both = ~np.isnan(ratio) & ~np.isnan(kept)
                if not both.any():
                    continue
                estimate, low, high = spearman(ratio[both], kept[both], group.persons[both], seed=_SEED)
                rows.append(
                    {
                        "summarizer": summarizer, "versus": versus, "retention": kind, "n": int(both.sum()),
                        "n_persons": len(np.unique(group.persons[both])), "spearman": estimate, "spearman_low": low,
                        "spearman_high": high,
                    }
                )  # fmt: skip
    return rows_table(rows, _PAIRS)


def _groups(scores: pa.Table) -> dict[tuple[str, str], _Group]:
    """Return the scores by summarizer and variant, in their order."""
    ordered = scores.sort_by([(name, "ascending") for name in ("summarizer", "variant", "note_id", "metric")])
    who = np.char.add(
        np.char.add(ordered["summarizer"].to_numpy(zero_copy_only=False).astype(str), "\0"),
        ordered["variant"].to_numpy(zero_copy_only=False).astype(str),
    )
    edges = np.flatnonzero(who[1:] != who[:-1]) + 1 if len(who) else np.zeros(0, dtype=np.int64)
    found = {}
    for start, end in zip([0, *edges], [*edges, len(who)], strict=True):
        if end > start:
            part = ordered.slice(int(start), int(end - start))
            found[part["summarizer"][0].as_py(), part["variant"][0].as_py()] = _Group(part)
    return found
