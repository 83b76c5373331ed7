"""Building tables of the LABELS contract column by column, without a Python object per row and column.

Only the shape of the result belongs here; which value a label has is decided elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa

from clinical_assets.storage.contracts import LABELS

__all__ = ["Finding", "Findings", "canonical_sha256", "label_table"]


def canonical_sha256(value: Any) -> str:
    """Return the SHA-256 (hex) of a JSON-able value in canonical form: sorted keys, no blanks, UTF-8."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


# What was found for one row (note x field) of a chunk: row, start and end of the evidence in the note's text, value,
# asserted, assertion, reason. A plain tuple: there is one for every field of every note that mentions it.
Finding = tuple[int, int, int, bool, bool, str, str]


@dataclass
class Findings:
    """What a labeller found in a chunk: one `Finding` for each row (note x field, note-major) that is mentioned.

    `failed` maps the row of a label that could not be made to (status, reason).
    """

    found: list[Finding] = field(default_factory=list)
    failed: dict[int, tuple[str, str]] = field(default_factory=dict)


def label_table(
    notes: pa.Table,
    fields: Sequence[str],
    findings: Findings,
    identity: Mapping[str, str],
    *,
    usable: np.ndarray[Any, Any],
    unsupported: Sequence[str] = (),
    run_id: str,
    labelled_at: datetime,
) -> pa.Table:
    """Return one row per note and field, note-major, in the LABELS contract.

    Parameters
    ----------
    notes
        Columns note_id, person_id, text_sha256, batch; n rows.
    usable
        Boolean (n,): the note was read. The others get status `no_text` and no value.
    unsupported
        Fields that the labeller does not know: status `unsupported`, no value, whatever the note.
    """
    n, k = notes.num_rows, len(fields)
    size = n * k
    note_of_row = pa.array(np.repeat(np.arange(n, dtype=np.int64), k))
    rows, starts, ends, verdicts, asserted, assertions, reason_texts = (
        zip(*findings.found, strict=True) if findings.found else ((),) * 7
    )
    row = np.asarray(rows, dtype=np.int64)

    labelled = np.repeat(usable.astype(bool), k)
    status = np.where(labelled, 0, 1).astype(np.int8)  # index into statuses
    statuses = ["labelled", "no_text", "unsupported"]
    for name in unsupported:
        column = fields.index(name)
        status[column::k] = 2
        labelled[column::k] = False
    for failed_row, (failed_status, _) in findings.failed.items():
        if failed_status not in statuses:
            statuses.append(failed_status)
        status[failed_row] = statuses.index(failed_status)
        labelled[failed_row] = False
    unknown = ~labelled

    def flags(values: Sequence[bool]) -> pa.Array:
        out = np.zeros(size, dtype=bool)
        out[row] = values
        return pa.array(out, mask=unknown)

    def sparse(values: Sequence[Any], type_: pa.DataType, at: np.ndarray[Any, Any], hidden: Any = False) -> pa.Array:
        index = np.zeros(size, dtype=np.int32)
        absent = np.ones(size, dtype=bool)
        index[at] = np.arange(len(at))
        absent[at] = False
        return pa.array(values, type_).take(pa.array(index, mask=absent | hidden)) if len(at) else pa.nulls(size, type_)

    def constant(value: Any, type_: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, type_), size)

    def of_note(column: str) -> pa.Array:
        return notes[column].combine_chunks().take(note_of_row)

    # a row that failed says why, and no more; one that the labeller cannot know says nothing
    failed_row_numbers = np.fromiter(findings.failed, np.int64, len(findings.failed))
    reason_rows = np.concatenate([row[~unknown[row]], failed_row_numbers])
    hidden = unknown[row].tolist()
    reason_values = [text for text, hide in zip(reason_texts, hidden, strict=True) if not hide]
    reason_values += [reason for _, reason in findings.failed.values()]

    columns: dict[str, pa.Array] = {name: constant(value, pa.string()) for name, value in identity.items()}
    columns |= {
        "note_id": of_note("note_id"),
        "note_sha256": of_note("text_sha256"),
        "person_id": of_note("person_id"),
        "batch": of_note("batch"),
        "field": pa.array(list(fields), pa.string()).take(pa.array(np.tile(np.arange(k), n))),
        "value": flags(verdicts),
        "probability": pa.nulls(size, pa.float32()),
        "status": pa.array(statuses, pa.string()).take(pa.array(status)),
        "mentioned": flags([True] * len(row)),
        "asserted": flags(asserted),
        "assertion": sparse(assertions, pa.string(), row, unknown),
        "evidence_start": sparse(starts, pa.int32(), row, unknown),
        "evidence_end": sparse(ends, pa.int32(), row, unknown),
        "reason": sparse(reason_values, pa.string(), reason_rows),
        "n_input_tokens": pa.nulls(size, pa.int32()),
        "n_output_tokens": pa.nulls(size, pa.int32()),
        "seconds": pa.nulls(size, pa.float32()),
        "labelled_at": constant(labelled_at, LABELS.field("labelled_at").type),
        "run_id": constant(run_id, pa.string()),
    }
    return pa.Table.from_arrays([columns[name].cast(LABELS.field(name).type) for name in LABELS.names], schema=LABELS)
