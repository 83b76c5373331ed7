"""Reference summaries as they landed: which are used, and what was refused and why.

Files `reference_summaries.*` in landing/annotations: parquet, csv, JSON or JSON lines with the columns note_id, summary and,
where they are known, author and text_sha256. A summary of a text that has changed since is not used. Nothing here repeats what a
file says about a note.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from clinical_assets.notes.decoding import to_utf8
from clinical_assets.notes.errors import CorruptFile, UnreadableBatch
from clinical_assets.notes.guards import ReadLimits, is_ignored, read_guarded, resolve_inside
from clinical_assets.storage.contracts import ANNOTATION_REJECTS
from clinical_assets.storage.lake import Lake, Written
from clinical_assets.storage.summary_contracts import SUMMARY_REFERENCES

__all__ = ["REFERENCE_FILES", "reference_files", "store_references"]

REFERENCE_FILES = "reference_summaries"
_MENDS = {
    "no_summary": "Give a summary in every row, or leave the row out.",
    "bad_note_id": "note_id is a whole number.",
    "unknown_note": "No note with this id is in the lake, or it has no usable text; land the notes first.",
    "other_text": "The note's text has changed since it was summarized (text_sha256); summarize it anew.",
    "twice": "The same author summarized the note before in these files; leave one.",
}
_EXPECTED = "Expected columns note_id and summary (and author, text_sha256)."


@dataclass(frozen=True)
class _Note:
    person_id: int
    text_sha256: str


def reference_files(folder: Path) -> list[Path]:
    """Return the files of reference summaries in landing/annotations, by name; of subfolders too, one level down."""
    if not folder.is_dir():
        return []
    inside = [path for sub in folder.iterdir() if sub.is_dir() and not is_ignored(sub.name) for path in sub.iterdir()]
    files = [path for path in (*folder.iterdir(), *inside) if path.is_file() and not is_ignored(path.name)]
    return sorted(path for path in files if path.name.split(".")[0] == REFERENCE_FILES)


def store_references(lake: Lake, folder: Path, limits: ReadLimits) -> tuple[Written, Written]:
    """Read every file, hold it against the notes, and write what is used and what is not; a bad file does not hold up the others.

    Returns
    -------
    tuple
        What was written to summaries/references (a row a note and author) and summaries/reference_rejects (a row a file and
        reason).
    """
    notes = _usable_notes(lake)
    rows: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    seen: set[tuple[int, str]] = set()
    for path in reference_files(folder):
        name, digest, kind = path.relative_to(folder).as_posix(), "", None
        problems: Counter[str] = Counter()
        try:
            resolve_inside(folder, name)
            content = read_guarded(path, limits)
            digest = hashlib.sha256(content).hexdigest()
            kind, entries = _entries(content, name, limits.default_encoding)
            for entry in entries:
                row = _reference(entry, notes)
                if isinstance(row, dict) and (key := (row["note_id"], row["author"])) in seen:
                    row = "twice"
                if isinstance(row, str):
                    problems[row] += 1
                else:
                    seen.add(key)
                    rows.append(row | {"source_file": name, "source_sha256": digest})
        except UnreadableBatch as error:
            rejects.append(_reject(name, digest, None, error.reason, 1, str(error)))
        rejects += [_reject(name, digest, kind, reason, n, _MENDS[reason]) for reason, n in sorted(problems.items())]
    rows.sort(key=lambda row: (row["note_id"], row["author"]))
    used = lake.write("summaries/references", pa.Table.from_pylist(rows, SUMMARY_REFERENCES), SUMMARY_REFERENCES)
    refused = pa.Table.from_pylist(rejects, ANNOTATION_REJECTS)
    return used, lake.write("summaries/reference_rejects", refused, ANNOTATION_REJECTS)


def _reference(entry: Mapping[str, Any], notes: Mapping[int, _Note]) -> dict[str, Any] | str:
    """Return a row, or why there is none."""
    said = entry.get("note_id")
    if isinstance(said, bool) or not re.fullmatch(r"\d{1,18}", str(said).strip()):
        return "bad_note_id"
    summary = entry.get("summary")
    if not isinstance(summary, str) or not summary.strip():
        return "no_summary"
    note = notes.get(int(str(said)))
    if note is None:
        return "unknown_note"
    digest = str(entry.get("text_sha256") or note.text_sha256).strip().lower()
    if digest != note.text_sha256:
        return "other_text"
    text = summary.strip()
    return {
        "note_id": int(str(said)),
        "person_id": note.person_id,
        "note_sha256": note.text_sha256,
        "author": str(entry.get("author") or "").strip()[:200] or "unnamed",
        "text": text,
        "text_sha256": hashlib.sha256(text.encode("utf-8", "replace")).hexdigest(),
    }


def _usable_notes(lake: Lake) -> dict[int, _Note]:
    found: dict[int, _Note] = {}
    for batch in lake.batches("notes/notes"):
        rows = lake.read("notes/notes", batch, ["note_id", "person_id", "text_sha256", "status"]).to_pylist()
        found |= {r["note_id"]: _Note(r["person_id"], r["text_sha256"]) for r in rows if r["status"] == "usable"}
    return found


def _entries(content: pa.Buffer, name: str, encoding: str) -> tuple[str, list[dict[str, Any]]]:
    """Return format and rows of a file; what it is its content says."""
    broken = CorruptFile(
        f"it cannot be read. {_EXPECTED}", where=name, mend="Export it again; docs/summaries.md shows it."
    )
    try:
        if content[:4].to_pybytes() == b"PAR1":
            kind, rows = "parquet", pq.read_table(pa.BufferReader(content)).to_pylist()
        else:
            text = to_utf8(content, encoding, name).to_pybytes().decode("utf-8-sig")
            kind, rows = _text_entries(text)
    except (ValueError, RecursionError, csv.Error, pa.ArrowException, OSError):
        # whatever stands there: only that it failed is told, never what
        raise broken from None
    if not all(isinstance(row, dict) for row in rows) or (
        rows and not any({"note_id", "summary"} <= set(r) for r in rows)
    ):
        raise broken
    return kind, rows


def _text_entries(text: str) -> tuple[str, list[dict[str, Any]]]:
    head = text.lstrip()[:1]
    if head == "[":
        return "json", json.loads(text)
    if head == "{":
        # not splitlines: a text may hold U+2028, which ends no line of JSON
        return "jsonl", [json.loads(line) for line in text.split("\n") if line.strip()]
    return "csv", list(_csv_entries(text))


def _csv_entries(text: str) -> Iterator[dict[str, Any]]:
    yield from csv.DictReader(io.StringIO(text, newline=""), strict=True)


def _reject(name: str, digest: str, kind: str | None, reason: str, n: int, detail: str) -> dict[str, Any]:
    return {
        "source_file": name, "source_sha256": digest, "source_format": kind, "reason": reason, "n": n, "detail": detail,
    }  # fmt: skip
