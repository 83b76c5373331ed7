"""The persons whose record is told: the lake table that the risk question writes."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.embeddings.code_text import CohortError
from clinical_assets.storage.lake import Lake

__all__ = ["COHORT_TABLE", "read_cohort"]

COHORT_TABLE = "risk/cohort"
_NOBODY = pa.schema([pa.field("person_id", pa.int64()), pa.field("index_date", pa.date32())])


def read_cohort(lake: Lake) -> pa.Table:
    """Return person_id, index_date of cases, controls and those whose outcome is not known yet; nobody where there is no table yet.

    The last, removed from the evaluation because they were not followed for long enough, are those who get scores.

    Raises
    ------
    CohortError
        If the table lacks person_id, index_date, role or reason.
    """
    if not lake.has(COHORT_TABLE):
        return _NOBODY.empty_table()
    rows = lake.read(COHORT_TABLE)
    missing = [name for name in ("person_id", "index_date", "role", "reason") if name not in rows.column_names]
    if missing:
        raise CohortError(f"{COHORT_TABLE} lacks {', '.join(missing)}; found {', '.join(rows.column_names)}")
    kept = pc.or_(pc.not_equal(rows.column("role"), "removed"), pc.equal(rows.column("reason"), "follow_up"))
    return rows.filter(kept).select(["person_id", "index_date"])
