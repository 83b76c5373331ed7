"""The lake: one immutable Parquet file per table and batch, replaced whole or not at all.

Layout: ``<root>/<schema>/<table>/batch=<key>/data.parquet`` (unpartitioned: ``<root>/<schema>/<table>/data.parquet``), plus
``<root>/<schema>/<table>/empty.parquet`` with no rows, so that no scan of a declared table ever finds nothing.
``root`` is a folder or an object-store URL that :mod:`pyarrow.fs` understands; on a store, a finished PUT is the rename.
"""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.fs as pafs
import pyarrow.parquet as pq

from clinical_assets.storage.contracts import FAMILIES, VOLATILE
from clinical_assets.storage.failpoints import failpoint

__all__ = ["BATCH_KEY", "ContractError", "Lake", "Written", "content_digest"]

BATCH_KEY = re.compile(r"[A-Za-z0-9._-]{1,80}")
_TABLE_NAME = re.compile(r"[a-z][a-z0-9_]*/[a-z][a-z0-9_]*")
_TEXT_COLUMNS = frozenset({"text", "raw_text", "offset_map"})  # identified by text_sha256; hashing them again is waste


class ContractError(ValueError):
    """Rows do not fit their table's contract; nothing was written."""


@dataclass(frozen=True)
class Written:
    """What one lake write did: where, how many rows and bytes, and the digest of the content."""

    path: str
    n_rows: int
    n_bytes: int
    digest: str


def content_digest(rows: pa.Table) -> str:
    """Return a SHA-256 over what `rows` say: the same rows in the same order give the same digest, whenever made.

    Columns in :data:`VOLATILE` are left out, and so is a note's text (its ``text_sha256`` speaks for it).
    """
    names = [name for name in rows.column_names if name not in VOLATILE and name not in _TEXT_COLUMNS]
    sink = pa.BufferOutputStream()
    # Parquet encodes values, not Arrow buffers, so slices, chunking and absent null bitmaps cannot change the digest.
    pq.write_table(
        rows.select(names).combine_chunks(), sink, compression="none", store_schema=False, row_group_size=1 << 20
    )
    return hashlib.sha256(sink.getvalue()).hexdigest()


class Lake:
    """Atomic reads and writes of contract tables.

    Parameters
    ----------
    root
        Folder, or URL such as ``s3://bucket/prefix``.
    """

    def __init__(self, root: str | Path) -> None:
        self.root = str(root)
        if "://" in self.root:
            self._fs, self._base = pafs.FileSystem.from_uri(self.root)
            self.is_local = isinstance(self._fs, pafs.LocalFileSystem)
        else:
            self._fs, self._base, self.is_local = pafs.LocalFileSystem(), str(Path(root).resolve()), True

    # -- names ---------------------------------------------------------------------------------------------------
    def folder(self, table: str) -> str:
        """Return the folder of ``<schema>/<table>``; refuse any other shape of name."""
        if not _TABLE_NAME.fullmatch(table):
            raise ValueError(f"lake table {table!r}: expected <schema>/<table> in lower-case letters, digits and _")
        return f"{self._base}/{table}"

    def path(self, table: str, batch: str | None = None) -> str:
        """Return the data file of a table's partition (`batch`), or of an unpartitioned table."""
        if batch is None:
            return f"{self.folder(table)}/data.parquet"
        if not BATCH_KEY.fullmatch(batch) or batch.startswith("."):
            raise ValueError(f"batch key {batch!r}: expected 1-80 of A-Z a-z 0-9 . _ - and no leading dot")
        return f"{self.folder(table)}/batch={batch}/data.parquet"

    # -- writing -------------------------------------------------------------------------------------------------
    def declare(self, table: str, schema: pa.Schema) -> None:
        """Make sure the table can be scanned: write its zero-row file unless one with these columns is there."""
        path = f"{self.folder(table)}/empty.parquet"
        if self._exists(path) and pq.read_schema(path, filesystem=self._fs).equals(schema, check_metadata=False):
            return
        self._put(path, schema.empty_table(), schema, {})

    def write(
        self,
        table: str,
        rows: pa.Table | Iterable[pa.Table],
        schema: pa.Schema,
        *,
        batch: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Written:
        """Replace one partition by `rows` (a table, or chunks of it), atomically.

        Raises
        ------
        ContractError
            If columns are missing, unexpected or of another type, or a required value is null. The old file stands.
        """
        return self._put(self.path(table, batch), rows, schema, dict(metadata or {}))

    def _put(
        self, path: str, rows: pa.Table | Iterable[pa.Table], schema: pa.Schema, metadata: dict[str, str]
    ) -> Written:
        chunks = [rows] if isinstance(rows, pa.Table) else rows
        folder = path.rsplit("/", 1)[0]
        if self.is_local:
            os.makedirs(folder, mode=0o700, exist_ok=True)
            handle, temp = tempfile.mkstemp(prefix=".data.", suffix=".tmp", dir=folder)
        else:
            handle, temp = tempfile.mkstemp(prefix="clinical-lake.", suffix=".tmp")
        os.close(handle)
        try:
            n_rows = _write_parquet(temp, chunks, schema, metadata)
            failpoint("lake.after_temp_write")
            written = pq.read_metadata(temp).num_rows
            if written != n_rows:
                raise OSError(f"{path}: wrote {n_rows} rows but the file holds {written}; the old file stands")
            digest = content_digest(pq.read_table(temp, columns=_digest_columns(schema)))
            n_bytes = os.path.getsize(temp)
            _fsync(temp)
            failpoint("lake.before_replace")
            if self.is_local:
                os.replace(temp, path)
                _fsync(folder)
            else:
                self._upload(temp, path)
            failpoint("lake.after_replace")
        finally:
            Path(temp).unlink(missing_ok=True)
        return Written(path, n_rows, n_bytes, digest)

    def _upload(self, temp: str, path: str) -> None:
        with open(temp, "rb") as source:
            target = self._fs.open_output_stream(path)
            # Not a with-block: closing commits the PUT, which must not happen after a failed read.
            while block := source.read(8 << 20):
                target.write(block)
            target.close()

    # -- reading -------------------------------------------------------------------------------------------------
    def has(self, table: str, batch: str | None = None) -> bool:
        """Tell whether the partition's file is there (a fact of the store, not of the event log)."""
        return self._exists(self.path(table, batch))

    def tables(self, schema: str, prefix: str) -> list[str]:
        """Return the tables ``<schema>/<prefix>...`` that have a folder, sorted."""
        selector = pafs.FileSelector(f"{self._base}/{schema}", allow_not_found=True)
        names = (i.base_name for i in self._fs.get_file_info(selector) if i.type == pafs.FileType.Directory)
        return sorted(f"{schema}/{name}" for name in names if name.startswith(prefix))

    def members(self, table: str) -> list[str]:
        """Return the tables that a declared one stands for (`contracts.FAMILIES`); none for one that holds rows itself."""
        schema = table.partition("/")[0]
        return [member for beginning in FAMILIES.get(table, ()) for member in self.tables(schema, beginning)]

    def remove(self, table: str, batch: str) -> None:
        """Delete one partition, if it is there."""
        if self.has(table, batch):
            self._fs.delete_dir(self.path(table, batch).rsplit("/", 1)[0])

    def batches(self, table: str) -> list[str]:
        """Return the batch keys that hold a data file, sorted."""
        selector = pafs.FileSelector(self.folder(table), allow_not_found=True, recursive=True)
        found = (
            info.path.rsplit("/", 2)[-2:]
            for info in self._fs.get_file_info(selector)
            if info.type == pafs.FileType.File
        )
        return sorted(
            part[0].removeprefix("batch=")
            for part in found
            if part[0].startswith("batch=") and part[1] == "data.parquet"
        )

    def read(self, table: str, batch: str | None = None, columns: list[str] | None = None) -> pa.Table:
        """Return one partition (or the unpartitioned file).

        Raises
        ------
        FileNotFoundError
            If it is not there: what a materialization record claims is checked against the store.
        """
        path = self._require(table, batch)
        return pq.read_table(path, columns=columns, filesystem=self._fs, partitioning=None)

    def iter_chunks(self, table: str, batch: str, *, rows: int, columns: list[str] | None = None) -> Iterator[pa.Table]:
        """Yield one partition in chunks of at most `rows` rows, so that memory is bounded by a chunk."""
        with self._fs.open_input_file(self._require(table, batch)) as source:
            for chunk in pq.ParquetFile(source).iter_batches(batch_size=rows, columns=columns):
                yield pa.Table.from_batches([chunk])

    def read_all(self, table: str, columns: list[str] | None = None) -> pa.Table:
        """Return all partitions of a declared table, in batch order; of an unpartitioned one, its file."""
        parts = [self.read(table, batch, columns) for batch in self.batches(table)]
        if self.has(table):
            parts.append(self.read(table, columns=columns))
        if parts:
            return pa.concat_tables(parts)
        return pq.read_table(f"{self.folder(table)}/empty.parquet", columns=columns, filesystem=self._fs)

    def files(self, table: str) -> list[str]:
        """Return every file a scan of the table reads: the zero-row file, and one per partition or the unpartitioned one."""
        data = [self.path(table, batch) for batch in self.batches(table)]
        data += [self.path(table)] if self.has(table) else []
        return [f"{self.folder(table)}/empty.parquet", *data]

    def n_rows(self, table: str, batch: str | None = None) -> int:
        """Return the number of rows of a partition, from its footer."""
        return int(pq.read_metadata(self._require(table, batch), filesystem=self._fs).num_rows)

    def written(self, table: str, batch: str | None = None) -> Written:
        """Return what a write of the partition as it stands would have returned."""
        path = self._require(table, batch)
        schema = pq.read_schema(path, filesystem=self._fs)
        rows = pq.read_table(path, columns=_digest_columns(schema), filesystem=self._fs, partitioning=None)
        return Written(path, rows.num_rows, int(self._fs.get_file_info(path).size), content_digest(rows))

    def metadata(self, table: str, batch: str | None = None) -> dict[str, str]:
        """Return the key-value metadata stored in the partition's file, e.g. the digest of its source."""
        stored = pq.read_schema(self._require(table, batch), filesystem=self._fs).metadata or {}
        return {key.decode(): value.decode() for key, value in stored.items() if not key.startswith(b"ARROW:")}

    def _require(self, table: str, batch: str | None) -> str:
        path = self.path(table, batch)
        if not self._exists(path):
            where = f"batch {batch!r} of " if batch else ""
            raise FileNotFoundError(f"{where}{table} is not in the lake ({path}): materialize {table} first")
        return path

    def _exists(self, path: str) -> bool:
        return self._fs.get_file_info(path).type == pafs.FileType.File


def _digest_columns(schema: pa.Schema) -> list[str]:
    return [name for name in schema.names if name not in VOLATILE and name not in _TEXT_COLUMNS]


def _write_parquet(path: str, chunks: Iterable[pa.Table], schema: pa.Schema, metadata: dict[str, str]) -> int:
    n_rows = 0
    with pq.ParquetWriter(
        path, schema.with_metadata({**(schema.metadata or {}), **metadata}), compression="zstd"
    ) as writer:
        for chunk in chunks:
            fitted = _fit(chunk, schema, path)
            writer.write_table(fitted)
            n_rows += fitted.num_rows
    return n_rows


def _fit(rows: pa.Table, schema: pa.Schema, path: str) -> pa.Table:
    """Return `rows` with the contract's columns, in its order and types."""
    missing = [name for name in schema.names if name not in rows.column_names]
    extra = [name for name in rows.column_names if name not in schema.names]
    if missing or extra:
        raise ContractError(f"{path}: columns missing {missing}, unexpected {extra}; expected exactly {schema.names}")
    columns = []
    for field in schema:
        column = rows.column(field.name)
        if column.null_count and not field.nullable:
            raise ContractError(f"{path}: column {field.name} has {column.null_count} nulls; it must have none")
        try:
            columns.append(column.cast(field.type))
        except pa.ArrowInvalid:
            # "from None": Arrow's message quotes the value, which may be text of a note.
            raise ContractError(f"{path}: column {field.name} is {column.type}, expected {field.type}") from None
    return pa.table(columns, schema=schema)


def _fsync(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
