"""Write a demo hospital into a landing folder: OMOP snapshot, note batches in mixed formats, annotations.

Every file is written under a temporary name in its own folder and renamed when complete, so that a reader never sees
half of it; a folder batch gets its ``_SUCCESS`` manifest last. Writing the same hospital again gives the same bytes.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from clinical_assets.synthetic.batches import BATCHES, BadRow
from clinical_assets.synthetic.hospital import Hospital

__all__ = ["publish", "write_landing"]

_NOTICE = """SYNTHETIC DATA

Everything in this folder was made by clinical_assets.synthetic from a seed. No person, note, measurement or outcome
in it is real, and no number derived from it says anything about real patients. Concept ids of 2,000,000,000 and above
are local to this demonstration.

"""
_FOLDER_PARTS = 3


def publish(path: Path, content: bytes) -> None:
    """Write the bytes to the path, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "wb") as handle:
            handle.write(content)
            handle.flush()
            os.fsync(handle.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd")
    return sink.getvalue()


def _cell(value: object) -> str:
    return "" if value is None else str(value)


def _csv(table: pa.Table, bad: Sequence[BadRow]) -> bytes:
    """Return the table as CSV with the bad rows at their row numbers (1-based, header not counted)."""
    header = table.schema.names
    rows = [[_cell(value) for value in row.values()] for row in table.to_pylist()]
    planted = {row.row_number: row for row in bad}
    out = bytearray()

    def emit(cells: list[str]) -> bytes:
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerow(cells)
        return text.getvalue().encode("utf-8")

    out += emit(header)
    good = iter(rows)
    for number in range(1, len(rows) + len(bad) + 1):
        if number in planted:
            # Latin-1 maps bytes to characters and back one to one, which is how the invalid bytes survive the writer.
            text = io.StringIO()
            cells = [planted[number].cells.get(name, b"").decode("latin-1") for name in header]
            csv.writer(text, lineterminator="\n").writerow(cells)
            out += text.getvalue().encode("latin-1")
        else:
            out += emit(next(good))
    return bytes(out)


def _jsonl_gz(table: pa.Table) -> bytes:
    lines = [json.dumps(row, ensure_ascii=False, default=str, sort_keys=False) for row in table.to_pylist()]
    sink = io.BytesIO()
    with gzip.GzipFile(filename="", mode="wb", fileobj=sink, compresslevel=6, mtime=0) as handle:
        handle.write(("\n".join(lines) + "\n").encode("utf-8") if lines else b"")
    return sink.getvalue()


def _write_folder(table: pa.Table, folder: Path) -> None:
    (folder / "_SUCCESS").unlink(missing_ok=True)  # while parts change, the folder must not look complete
    size = -(-max(table.num_rows, 1) // _FOLDER_PARTS)
    digests = {}
    for number in range(_FOLDER_PARTS):
        content = _parquet(table.slice(number * size, size))
        name = f"part-{number:05d}.parquet"
        publish(folder / name, content)
        digests[name] = hashlib.sha256(content).hexdigest()
    publish(folder / "_SUCCESS", (json.dumps({"files": digests}, sort_keys=True) + "\n").encode())


def write_landing(hospital: Hospital, landing_dir: str | Path) -> list[Path]:
    """Write the hospital below ``landing_dir`` and return what was written, folders of a batch counting once.

    ``omop/<table>.parquet``, ``annotations/<name>.parquet``, ``notes/<batch>.parquet|.csv|.jsonl.gz`` or the folder
    ``notes/<batch>/``, and ``SYNTHETIC.txt``. Empty batches are not written. The answer key is not written.
    """
    root = Path(landing_dir)
    written: list[Path] = []
    notice = f"{_NOTICE}seed: {hospital.config.seed}\npersons: {hospital.config.n_persons}\n"
    publish(root / "SYNTHETIC.txt", notice.encode())
    written.append(root / "SYNTHETIC.txt")
    for folder, tables in (("omop", hospital.omop), ("annotations", hospital.annotations)):
        for name, table in tables.items():
            path = root / folder / f"{name}.parquet"
            publish(path, _parquet(table))
            written.append(path)
    for batch in BATCHES:
        table = hospital.note_batches[batch.name]
        bad = [row for row in hospital.bad_rows if row.batch == batch.name]
        if table.num_rows == 0:
            continue
        path = root / "notes" / (batch.name if batch.form == "folder" else f"{batch.name}.{batch.form}")
        if batch.form == "folder":
            _write_folder(table, path)
        elif batch.form == "csv":
            publish(path, _csv(table, bad))
        elif batch.form == "jsonl.gz":
            publish(path, _jsonl_gz(table))
        else:
            publish(path, _parquet(table))
        written.append(path)
    return written
