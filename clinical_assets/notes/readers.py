"""Read landed files into one table of raw values without losing a bad row.

Put here what knows parquet and csv, and the table that every format becomes; JSON lines are in `json_lines`. Whether a
value makes sense is `validate`. The guarded worker imports this module, so it stays with pyarrow and the stdlib.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from clinical_assets.notes import json_lines
from clinical_assets.notes.columns import OPTIONAL, REQUIRED, pick_columns
from clinical_assets.notes.decoding import decode_column, to_utf8
from clinical_assets.notes.errors import CorruptFile, MissingColumn, UnreadableBatch, UnsafeArchive, UnsupportedFormat
from clinical_assets.notes.guards import ReadLimits, data_format, describe_failure, read_guarded

__all__ = ["RAW", "RAW_REJECTS", "LandedRows", "read_file", "read_files"]

# What every format becomes: values as landed, as text. `how` names the conversions that reading needed.
RAW = pa.schema(
    [
        pa.field("row_number", pa.int64(), nullable=False),
        pa.field("source_file", pa.string(), nullable=False),
        *(pa.field(name, pa.large_string()) for name in (*REQUIRED[:3], *OPTIONAL, "text")),
        pa.field("how", pa.string()),
    ]
)
RAW_REJECTS = pa.schema(
    [
        pa.field("row_number", pa.int64(), nullable=False),
        pa.field("source_file", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
        pa.field("note_id", pa.int64()),
    ]
)
_STORED = tuple(name for name in RAW.names if name not in ("row_number", "source_file", "how"))
_CSV_BLOCK = 1 << 28  # a row may not be longer than a block
_HEADER_BYTES = 1 << 20
_PARQUET_ROWS = 4096
_WHOLE = re.compile(r"^\d{1,18}\Z")


@dataclass(frozen=True)
class LandedRows:
    """The rows of one batch: ``rows`` (RAW), ``rejects`` (RAW_REJECTS), and how many there were.

    Invariant: ``n_landed == rows.num_rows + rejects.num_rows``. Row numbers run on over the files of a folder.
    """

    rows: pa.Table
    rejects: pa.Table
    n_landed: int
    n_extra_columns: int


@dataclass(frozen=True)
class _Part:
    """A piece of one file: binary arrays by stored name, 1-based row numbers, conversions made so far by row index."""

    columns: dict[str, pa.ChunkedArray | pa.Array]
    numbers: pa.Array
    how: Mapping[int, str] = field(default_factory=dict)


def read_files(files: Sequence[Path], *, columns: Mapping[str, Sequence[str]], limits: ReadLimits) -> LandedRows:
    """Read the files of a batch in the order given.

    Args:
        files: Parquet, csv or jsonl files, each optionally gzipped.
        columns: Stored column -> candidate landed names; the first present wins.
        limits: Sizes and the encoding to try after UTF-8.

    Raises:
        UnreadableBatch: A file as a whole cannot be read or is refused.
    """
    read = []
    n_landed = 0
    for file in files:
        part = read_file(file, columns=columns, limits=limits, first_row=n_landed + 1)
        n_landed += part.n_landed
        read.append(part)
    return LandedRows(
        rows=pa.concat_tables([part.rows for part in read]),
        rejects=pa.concat_tables([part.rejects for part in read]),
        n_landed=n_landed,
        n_extra_columns=max((part.n_extra_columns for part in read), default=0),
    )


def read_file(
    path: Path, *, columns: Mapping[str, Sequence[str]], limits: ReadLimits, first_row: int = 1
) -> LandedRows:
    """Read one landed file; see ``read_files``."""
    kind = data_format(path.name)
    if kind is None:
        raise UnsupportedFormat("expected parquet, csv, jsonl or ndjson, each optionally .gz.", where=path.name)
    reader: Callable[[pa.Buffer, Mapping[str, Sequence[str]], ReadLimits, str, _Rejects], tuple[list[_Part], int, int]]
    reader = {"parquet": _read_parquet, "csv": _read_csv, "jsonl": _read_json_lines}[kind[1]]
    rejects = _Rejects(path.name, first_row)
    try:
        content = read_guarded(path, limits)
        parts, n_landed, n_extra = reader(content, columns, limits, path.name, rejects)
        tables = [_decode(part, limits.default_encoding, path.name, first_row, rejects) for part in parts]
    except UnreadableBatch:
        raise
    except (pa.ArrowException, MemoryError, OSError, ValueError, RecursionError, csv.Error) as error:
        # "from None": a parser's own message may quote the row that it failed on.
        failure = describe_failure(error)
        raise type(failure)(failure.what, where=path.name, mend=failure.mend) from None
    rows = pa.concat_tables([RAW.empty_table(), *tables])
    return LandedRows(rows, rejects.table(), n_landed, n_extra)


class _Rejects:
    """Collects the rejected rows of one file."""

    def __init__(self, source_file: str, first_row: int) -> None:
        self._source_file, self._first_row = source_file, first_row
        self._rows: list[tuple[int, str, str, int | None]] = []

    def add(self, number: int, reason: str, detail: str, note_id: str | None = None) -> None:
        """Reject the file's ``number``-th row (1-based)."""
        whole = int(note_id) if note_id and _WHOLE.match(note_id) else None
        self._rows.append((number + self._first_row - 1, reason, detail, whole))

    def table(self) -> pa.Table:
        """Return what was collected (RAW_REJECTS), in row order."""
        rows = sorted(self._rows)
        return pa.table(
            [
                [row[0] for row in rows],
                [self._source_file] * len(rows),
                [row[1] for row in rows],
                [row[2] for row in rows],
                [row[3] for row in rows],
            ],
            schema=RAW_REJECTS,
        )


def _decode(part: _Part, encoding: str, where: str, first_row: int, rejects: _Rejects) -> pa.Table:
    size = len(part.numbers)
    arrays: dict[str, pa.Array] = {}
    bad: dict[int, str] = {}
    how = {index: {conversion} for index, conversion in part.how.items()}
    for name in _STORED:
        if name not in part.columns:
            arrays[name] = pa.nulls(size, pa.large_string())
            continue
        decoded = decode_column(part.columns[name], encoding)
        arrays[name] = decoded.values
        bad.update(dict.fromkeys(decoded.bad, name))
        for index, conversion in decoded.how.items():
            how.setdefault(index, set()).add(conversion)
    table = pa.table(
        [
            pc.cast(pc.add(part.numbers, first_row - 1), pa.int64()),
            pa.repeat(pa.scalar(where, pa.string()), size),
            *(arrays[name] for name in _STORED),
            pa.array([",".join(sorted(how[i])) if i in how else None for i in range(size)], pa.string())
            if how
            else pa.nulls(size, pa.string()),
        ],
        schema=RAW,
    )
    if bad:
        for index, name in bad.items():
            number, note_id = part.numbers[index].as_py(), arrays["note_id"][index].as_py()
            detail = f"{name} is neither UTF-8 nor the declared encoding ({encoding})"
            rejects.add(number, "invalid_encoding", detail, note_id)
        keep = pa.array([index not in bad for index in range(size)], pa.bool_())
        table = table.filter(keep)
    return table


def _read_parquet(
    content: pa.Buffer, columns: Mapping[str, Sequence[str]], limits: ReadLimits, where: str, rejects: _Rejects
) -> tuple[list[_Part], int, int]:
    file = pq.ParquetFile(pa.BufferReader(content), page_checksum_verification=True)
    meta = file.metadata
    announced = sum(meta.row_group(group).total_byte_size for group in range(meta.num_row_groups))
    _refuse_expansion(announced, content.size, limits, where)
    found = file.schema_arrow.names
    picked = pick_columns(found, columns, where)
    names = {stored: found[position] for stored, position in picked.items()}
    parts: list[_Part] = []
    expanded = n_landed = 0
    for batch in file.iter_batches(batch_size=_PARQUET_ROWS, columns=sorted(set(names.values()))):
        expanded += batch.nbytes
        _refuse_expansion(expanded, content.size, limits, where)
        values = {stored: _as_text(batch.column(name), stored, where) for stored, name in names.items()}
        numbers = pa.array(range(n_landed + 1, n_landed + 1 + batch.num_rows), pa.int64())
        parts.append(_Part(values, numbers))
        n_landed += batch.num_rows
    return parts, n_landed, len(found) - len(set(names.values()))


def _refuse_expansion(expanded: int, landed: int, limits: ReadLimits, where: str) -> None:
    if expanded > min(limits.max_expanded_bytes, max(1 << 20, limits.max_ratio * landed)):
        raise UnsafeArchive(
            f"{landed:,} landed bytes expand to {expanded:,} or more.",
            where=where,
            mend="Split it, or raise limits.max_expanded_bytes or limits.max_ratio in the study.",
        )


def _as_text(values: pa.Array, stored: str, where: str) -> pa.Array:
    """Return values as binary (undecoded text) or string (anything that prints as one scalar)."""
    kind = values.type
    if pa.types.is_dictionary(kind):
        values = values.dictionary_decode()
        kind = values.type
    text = pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_binary(kind)
    if text or pa.types.is_large_binary(kind):
        return values.cast(pa.large_binary())
    if pa.types.is_string_view(kind) or pa.types.is_binary_view(kind) or pa.types.is_fixed_size_binary(kind):
        return values.cast(pa.large_binary())
    try:
        return values.cast(pa.string()).cast(pa.large_binary())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        # The kind's name only: a struct's type would print field names, which nobody vouches for.
        raise MissingColumn(
            f"the column for {stored} holds nested values, expected one value a row.",
            where=where,
            mend="Land text, numbers or dates.",
        ) from None


def _csv_header(content: pa.Buffer, where: str) -> tuple[list[str], str, int]:
    """Return the header's names, the delimiter and the number of bytes that the header takes."""
    lines = content[:_HEADER_BYTES].to_pybytes().splitlines(keepends=True)
    taken = 0

    def feed() -> Iterator[str]:
        nonlocal taken
        for line in lines:
            taken += len(line)
            yield line.decode("latin-1")

    first = next((line for line in lines if line.strip()), b"").decode("latin-1")
    delimiter = max(",;\t|", key=first.count)
    for record in csv.reader(feed(), delimiter=delimiter):
        if any(cell.strip() for cell in record):
            return [cell.encode("latin-1").decode("utf-8", "replace") for cell in record], delimiter, taken
    raise CorruptFile("no header line found.", where=where, mend="The first line of a csv file names its columns.")


def _read_csv(
    content: pa.Buffer, columns: Mapping[str, Sequence[str]], limits: ReadLimits, where: str, rejects: _Rejects
) -> tuple[list[_Part], int, int]:
    content = to_utf8(content, limits.default_encoding, where)
    header, delimiter, taken = _csv_header(content, where)
    picked = pick_columns(header, columns, where)
    body = content[taken:]
    n_extra = len(header) - len(set(picked.values()))
    if not body.size or (body.size < _HEADER_BYTES and not body.to_pybytes().strip()):
        return [], 0, n_extra
    generated = [f"c{position}" for position in range(len(header))]
    bad_numbers: list[int] = []

    def on_bad_row(row: pacsv.InvalidRow) -> str:
        bad_numbers.append(row.number)
        rejects.add(row.number, "malformed_row", f"expected {row.expected_columns} fields, found {row.actual_columns}")
        return "skip"

    used = sorted({generated[position] for position in picked.values()})
    table = pacsv.read_csv(
        pa.BufferReader(body),
        # One thread: only then are bad rows numbered.
        read_options=pacsv.ReadOptions(column_names=generated, use_threads=False, block_size=_CSV_BLOCK),
        parse_options=pacsv.ParseOptions(
            delimiter=delimiter, newlines_in_values=True, invalid_row_handler=on_bad_row, ignore_empty_lines=True
        ),
        convert_options=pacsv.ConvertOptions(
            check_utf8=False,
            column_types=dict.fromkeys(used, pa.large_binary()),
            include_columns=used,
            strings_can_be_null=False,
        ),
    )
    bad = frozenset(bad_numbers)
    n_landed = table.num_rows + len(bad_numbers)
    numbers = [number for number in range(1, n_landed + 1) if number not in bad]
    if _swallowed(table, body):
        rejects.add(numbers.pop(), "malformed_row", "a quoted field is never closed: the rows after it cannot be told")
        table = table.slice(0, table.num_rows - 1)
    values = {stored: table.column(generated[position]) for stored, position in picked.items()}
    return [_Part(values, pa.array(numbers, pa.int64()))], n_landed, n_extra


def _swallowed(table: pa.Table, body: pa.Buffer) -> bool:
    """Say whether an unclosed quote made the rest of the file one last row."""
    if not table.num_rows:
        return False
    last = [column[-1].as_py() or b"" for column in table.columns]
    return any(b"\n" in cell or b"\r" in cell for cell in last) and bool(body.to_pybytes().count(b'"') % 2)


def _read_json_lines(
    content: pa.Buffer, columns: Mapping[str, Sequence[str]], limits: ReadLimits, where: str, rejects: _Rejects
) -> tuple[list[_Part], int, int]:
    wanted = [name for candidates in columns.values() for name in candidates]
    parsed = json_lines.parse(to_utf8(content, limits.default_encoding, where), limits.default_encoding, wanted)
    for number, detail in parsed.malformed:
        rejects.add(number, "malformed_row", detail)
    for number in parsed.undecodable:
        rejects.add(number, "invalid_encoding", f"neither UTF-8 nor the declared encoding ({limits.default_encoding})")
    if not parsed.numbers and parsed.n_landed:
        raise CorruptFile(
            "no line is a JSON object.", where=where, mend="Write one JSON object a line, with one value a column."
        )
    if not parsed.n_landed:
        return [], 0, 0
    names = list(parsed.columns)
    picked = pick_columns(names, columns, where)
    values = {stored: parsed.column(names[position]).cast(pa.large_binary()) for stored, position in picked.items()}
    part = _Part(values, pa.array(parsed.numbers, pa.int64()), parsed.mended)
    return [part], parsed.n_landed, len(names) - len(set(picked.values()))
