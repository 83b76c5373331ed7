"""One landed batch to stored notes, sections and quarantined rows, with every landed row accounted for."""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.notes.digests import content_digest
from clinical_assets.notes.errors import ChangedDuringRun, UnreadableBatch
from clinical_assets.notes.guarded import read_batch
from clinical_assets.notes.guards import ReadLimits, batch_files, resolve_inside
from clinical_assets.notes.normalise import normalise_column
from clinical_assets.notes.sections import sections_table
from clinical_assets.notes.status import status_column
from clinical_assets.notes.validate import validate, whole_numbers
from clinical_assets.storage.contracts import NOTES, REJECTS
from clinical_assets.study.model import IntakeLimits, NoteMapping

__all__ = ["Intake", "IntakeReport", "intake_batch"]


@dataclass(frozen=True)
class IntakeReport:
    """The intake in numbers of rows. ``n_landed == n_stored + n_rejected`` always."""

    n_landed: int
    n_stored: int
    n_rejected: int
    n_extra_columns: int
    n_duplicate_texts: int
    by_reason: dict[str, int] = field(default_factory=dict)
    by_status: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Intake:
    """What one batch became: tables of the NOTES, SECTIONS and REJECTS contracts, and the report."""

    batch: str
    digest: str
    source_file: str
    ingested_at: datetime
    notes: pa.Table
    sections: pa.Table
    rejects: pa.Table
    report: IntakeReport


def intake_batch(
    path: Path,
    *,
    root: Path,
    batch: str,
    digest: str,
    mapping: NoteMapping,
    limits: IntakeLimits,
    persons: pa.Table | None,
    ingested_at: datetime,
    guarded: bool = True,
) -> Intake:
    """Read, validate, normalise and section one landed batch.

    Parameters
    ----------
    path, root
        The landed file or folder, and the landing folder that its files may not leave.
    digest
        Content digest that the caller saw; the content is checked against it after reading.
    persons
        person_id, birth_date, death_date, or None while no person table landed.
    ingested_at
        Time of the intake (UTC); its date bounds the dates of notes.
    guarded
        False parses in this process instead of a limited child (tests, trusted files).

    Raises
    ------
    UnreadableBatch
        If the batch as a whole cannot be read, or changed meanwhile. Nothing is stored then.
    """
    read_limits = ReadLimits(
        limits.max_file_bytes, limits.max_expanded_bytes, limits.max_ratio, limits.default_encoding
    )
    path = resolve_inside(root, path.name)
    _expect(path, root, digest)
    try:
        landed = read_batch(
            batch_files(path, root=root), columns=mapping.model_dump(), limits=read_limits, guarded=guarded
        )
    except UnreadableBatch:
        _expect(path, root, digest)  # a file that was overwritten meanwhile is not corrupt
        raise
    _expect(path, root, digest)
    rows = landed.rows.set_column(
        landed.rows.schema.get_field_index("text"), "text", pc.fill_null(landed.rows["text"], "")
    )
    valid = validate(rows, limits=limits, persons=persons, today=ingested_at.date())
    notes = _notes(valid.rows, batch=batch, digest=digest, limits=limits, ingested_at=ingested_at)
    rejects = _rejects(pa.concat_tables([landed.rejects, valid.rejects]), batch=batch, digest=digest)
    report = IntakeReport(
        n_landed=landed.n_landed,
        n_stored=notes.num_rows,
        n_rejected=rejects.num_rows,
        n_extra_columns=landed.n_extra_columns,
        n_duplicate_texts=sum(n for n in Counter(notes["text_sha256"].to_pylist()).values() if n > 1),
        by_reason=dict(Counter(rejects["reason"].to_pylist())),
        by_status=dict(Counter(notes["status"].to_pylist())),
    )
    if report.n_landed != report.n_stored + report.n_rejected:
        raise AssertionError(
            f"batch {batch}: {report.n_landed} rows landed, {report.n_stored} stored, {report.n_rejected} rejected"
        )
    return Intake(batch, digest, path.name, ingested_at, notes, sections_table(notes), rejects, report)


def _expect(path: Path, root: Path, digest: str) -> None:
    if content_digest(path, root=root) != digest:
        raise ChangedDuringRun(
            "its content is not what was seen when the run began.",
            where=path.name,
            mend="Nothing: the new content is due.",
        )


def _notes(rows: pa.Table, *, batch: str, digest: str, limits: IntakeLimits, ingested_at: datetime) -> pa.Table:
    clean = normalise_column(rows["text"], rows["how"])
    size = rows.num_rows
    sha256 = [hashlib.sha256(text.encode()).hexdigest() for text in clean.text.to_pylist()]
    columns = {
        "note_id": rows["note_id"],
        "person_id": rows["person_id"],
        "note_date": rows["note_date"],
        **{name: _plain(rows[name]) for name in ("note_type", "note_class", "site")},
        "visit_occurrence_id": whole_numbers(rows["visit_occurrence_id"]),
        "text": clean.text,
        "text_sha256": pa.array(sha256, pa.string()),
        "n_chars": pc.utf8_length(clean.text).cast(pa.int32()),
        "status": status_column(
            clean.text, min_usable_chars=limits.min_usable_chars, languages_enabled=limits.languages_enabled
        ),
        "batch": pa.repeat(pa.scalar(batch), size),
        "source_file_sha256": pa.repeat(pa.scalar(digest), size),
        "ingested_at": pa.repeat(pa.scalar(ingested_at, pa.timestamp("us", tz="UTC")), size),
        "conversions": clean.conversions,
        "raw_text": clean.raw_text,
        "offset_map": clean.offset_map,
    }
    return pa.table([columns[name] for name in NOTES.names], schema=NOTES).sort_by("note_id")


def _rejects(rows: pa.Table, *, batch: str, digest: str) -> pa.Table:
    size = rows.num_rows
    columns = {name: rows[name] for name in ("row_number", "reason", "detail", "source_file", "note_id")}
    columns |= {"batch": pa.repeat(pa.scalar(batch), size), "source_file_sha256": pa.repeat(pa.scalar(digest), size)}
    return pa.table([columns[name] for name in REJECTS.names], schema=REJECTS).sort_by("row_number")


def _plain(values: pa.ChunkedArray) -> pa.ChunkedArray:
    """Trim a short label; empty is null."""
    trimmed = pc.utf8_trim_whitespace(values.cast(pa.string()))
    return pc.if_else(pc.equal(trimmed, ""), None, trimmed)
