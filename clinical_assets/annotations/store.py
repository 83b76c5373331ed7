"""The annotation tables in the lake: read what is there, work out what follows, write it whole."""

from __future__ import annotations

from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.annotations.adjudication import adjudicate
from clinical_assets.annotations.human_labels import update_labels
from clinical_assets.annotations.landed import read_landed
from clinical_assets.annotations.splits import update_splits
from clinical_assets.annotations.texts import known_texts
from clinical_assets.notes.guards import as_read_limits
from clinical_assets.storage.contracts import ADJUDICATED, ANNOTATION_REJECTS, HUMAN_LABELS, SPLITS
from clinical_assets.storage.lake import Lake, Written
from clinical_assets.study.model import Study

__all__ = ["scope_of", "store_adjudicated", "store_human_labels", "store_splits", "update_annotations"]

LABELS_TABLE, REJECTS_TABLE = "annotations/human_labels", "annotations/rejects"
ADJUDICATED_TABLE, SPLITS_TABLE = "annotations/adjudicated", "annotations/splits"


def store_human_labels(
    lake: Lake, folder: Path, study: Study, *, now: datetime
) -> tuple[Written, Written, dict[str, Any]]:
    """Read landing/annotations and write human_labels and rejects; return both writes and the counts to show."""
    landed = read_landed(folder, {field.name for field in study.fields}, as_read_limits(study.limits))
    found = update_labels(landed, known_texts(lake), _held(lake, LABELS_TABLE), now=now)
    landed.rejects += found.rejects
    rejects = lake.write(REJECTS_TABLE, landed.rejects_table(), ANNOTATION_REJECTS)
    labels = lake.write(LABELS_TABLE, found.table, HUMAN_LABELS)
    current = found.table.filter(found.table["is_current"])
    shown = {
        "n_files": landed.n_files,
        "n_rows": found.table.num_rows,
        "n_new": found.n_new,
        "n_current": current.num_rows,
        "n_notes": pc.count_distinct(current["note_id"]).as_py(),
        "n_annotators": pc.count_distinct(current["annotator"]).as_py(),
        "n_skipped": landed.n_skipped,
    }
    return labels, rejects, shown


def store_adjudicated(lake: Lake, study: Study) -> tuple[Written, dict[str, int]]:
    """Write what annotators agree on; return the write and rows by status."""
    labels = lake.read_all(LABELS_TABLE)
    table = adjudicate(labels, known_texts(lake), study.annotations.adjudicators)
    return lake.write(ADJUDICATED_TABLE, table, ADJUDICATED), dict(Counter(table["status"].to_pylist()))


def store_splits(
    lake: Lake, study: Study, in_scope: set[int], *, now: datetime, start_over: bool = False
) -> tuple[Written, dict[str, int]]:
    """Write the splits; return the write, and notes by split and by reason of exclusion."""
    before = None if start_over else _held(lake, SPLITS_TABLE)
    table = update_splits(lake.read_all(ADJUDICATED_TABLE), before, study.annotations.splits, in_scope, now=now)
    annotated = table.filter(table["is_annotated"])
    scoped = annotated.filter(pc.is_in(annotated["note_id"], value_set=pa.array(sorted(in_scope), pa.int64())))
    counts = {f"n_{name}": n for name, n in sorted(Counter(annotated["split"].to_pylist()).items())}
    counts |= {f"n_in_scope_{name}": n for name, n in sorted(Counter(scoped["split"].to_pylist()).items())}
    counts |= {f"n_{name}": n for name, n in sorted(Counter(annotated["reason"].drop_null().to_pylist()).items())}
    return lake.write(SPLITS_TABLE, table, SPLITS), counts


def update_annotations(lake: Lake, folder: Path, study: Study, in_scope: set[int], *, now: datetime) -> None:
    """Bring all four tables up to date, one after the other."""
    store_human_labels(lake, folder, study, now=now)
    store_adjudicated(lake, study)
    store_splits(lake, study, in_scope, now=now)


def scope_of(warehouse: Path) -> set[int]:
    """Return the notes in scope of labelling, as the published warehouse says; none before there is one.

    Read without a dependency in the graph: the warehouse is built from the splits, and they only resemble each other better
    where the scope is known.
    """
    if not warehouse.exists():
        return set()
    with duckdb.connect(str(warehouse), read_only=True) as connection:
        try:
            return {row[0] for row in connection.execute("select note_id from notes.labelling_scope").fetchall()}
        except duckdb.CatalogException:
            return set()


def _held(lake: Lake, table: str) -> pa.Table | None:
    return lake.read(table) if lake.has(table) else None
