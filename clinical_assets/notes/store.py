"""Storing an intake: its four tables in the lake, in an order that a crash cannot make misleading."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import pyarrow as pa

from clinical_assets.notes.intake import Intake
from clinical_assets.storage.contracts import INTAKES, NOTES, REJECTS, SECTIONS
from clinical_assets.storage.failpoints import failpoint
from clinical_assets.storage.lake import Lake, Written

__all__ = ["INTAKE_TABLES", "held_digests", "store_intake"]

# The record of the intake comes last: as long as it names the old digest, the landing sensor knows that the batch is due.
INTAKE_TABLES = ("notes/sections", "notes/rejects", "notes/notes", "notes/intakes")


def held_digests(lake: Lake, batches: Iterable[str]) -> dict[str, str]:
    """Return batch -> digest of the landed content that the lake holds, for those of `batches` that it holds."""
    held = (batch for batch in batches if lake.has("notes/intakes", batch))
    return {batch: lake.metadata("notes/intakes", batch).get("source_file_sha256", "") for batch in held}


def store_intake(lake: Lake, intake: Intake, *, run_id: str) -> Iterator[tuple[str, Written, dict[str, int]]]:
    """Write the intake's tables and yield table, what was written, and numbers worth showing.

    Killed anywhere, a rerun writes the same four files; until then the old record stands and the batch stays due.
    """
    report, batch = intake.report, intake.batch
    metadata = {"source_file_sha256": intake.digest, "run_id": run_id}
    failpoint("ingest.after_parse")
    yield "notes/sections", lake.write("notes/sections", intake.sections, SECTIONS, batch=batch, metadata=metadata), {}
    failpoint("ingest.after_sections")
    reasons = {f"n_{reason}": n for reason, n in sorted(report.by_reason.items())}
    yield "notes/rejects", lake.write("notes/rejects", intake.rejects, REJECTS, batch=batch, metadata=metadata), reasons
    failpoint("ingest.after_rejects")
    statuses = {f"n_{status}": n for status, n in sorted(report.by_status.items())}
    numbers = {
        "n_landed": report.n_landed,
        "n_rejected": report.n_rejected,
        "n_extra_columns": report.n_extra_columns,
        **statuses,
    }
    yield "notes/notes", lake.write("notes/notes", intake.notes, NOTES, batch=batch, metadata=metadata), numbers
    failpoint("ingest.after_notes")
    record = {
        "batch": batch,
        "source_file": intake.source_file,
        "source_file_sha256": intake.digest,
        "n_landed": report.n_landed,
        "n_stored": report.n_stored,
        "n_rejected": report.n_rejected,
        "n_usable": report.by_status.get("usable", 0),
        "n_duplicate_texts": report.n_duplicate_texts,
        "ingested_at": intake.ingested_at,
        "run_id": run_id,
    }
    rows = pa.Table.from_pylist([record], schema=INTAKES)
    yield (
        "notes/intakes",
        lake.write("notes/intakes", rows, INTAKES, batch=batch, metadata=metadata),
        {"n_landed": report.n_landed},
    )
