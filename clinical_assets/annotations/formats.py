"""One landed file of human labels as claims: which format it is, by its content, and the long formats of our own.

Long: one row per note, annotator and field, as Parquet, CSV, JSON (a list) or JSON lines; columns `ANNOTATION_COLUMNS`, and
``answered_at`` where it is known. The exports of tools are read in `tools`.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq

from clinical_assets.annotations.claims import CLAIMS, Parsed, sha256_of, time_of
from clinical_assets.annotations.positions import (
    ANNOTATION_COLUMNS,
    AnnotationsError,
    check_annotations,
    is_position,
    no_note_ids,
)
from clinical_assets.annotations.tools import READERS, tool_of
from clinical_assets.notes.decoding import to_utf8
from clinical_assets.notes.errors import CorruptFile

__all__ = ["parse_labels"]

_TEXTS = ("text", "note_text")
_TIMES = ("answered_at", "updated_at", "created_at")
_KEPT = (*ANNOTATION_COLUMNS, *_TEXTS, "note", *_TIMES)
_TRUE, _FALSE = ("true", "yes", "y", "t", "1"), ("false", "no", "n", "f", "0")
_OPEN = ("", "unsure", "unknown", "unclear", "null", "na", "n/a")
_EXPECTED = (
    "Expected one row per note, annotator and field (parquet, csv, json, jsonl), or an export of Label Studio (JSON), Prodigy "
    "(JSONL), Argilla (records as JSON) or doccano (JSONL); see docs/landing.md."
)


def parse_labels(content: pa.Buffer, name: str, encoding: str = "utf-8") -> Parsed:
    """Return what one file says.

    Parameters
    ----------
    content
        Its bytes, unpacked.
    name
        Its name within the folder; only its stem is ever used, as doccano's annotator.
    encoding
        Of text files without a byte order mark.

    Raises
    ------
    AnnotationsError
        If its labels cannot be tied to notes: positions, missing columns, no ids.
    UnreadableBatch
        If it is no such file. No message repeats content.
    """
    if content[:4].to_pybytes() == b"PAR1":
        return _long("parquet", _parquet(content, name))
    utf8 = to_utf8(content, encoding, name)
    text = _text(utf8, name)
    head = text.lstrip("\ufeff \t\r\n")[:1]
    if head not in {"[", "{"}:
        return _long("csv", _csv(utf8, text, name))
    tasks, kind = _json(text, name)
    tool = tool_of(tasks)
    if tool is None:
        return _long(kind, _rows_as_table(tasks))
    claims = READERS[tool](tasks, name.rsplit("/", 1)[-1].split(".", maxsplit=1)[0])
    if claims.n_tasks and not claims.n_keyed:
        raise no_note_ids(claims.n_tasks)
    return claims.parsed(tool)


# --- the long formats -------------------------------------------------------------------------------------------------


def _long(kind: str, rows: pa.Table) -> Parsed:
    texts = next((rows[name] for name in _TEXTS if name in rows.column_names), None)
    if "text_sha256" not in rows.column_names and "note_id" in rows.column_names and texts is not None:
        digests = [sha256_of(one) if one is not None else None for one in texts.cast(pa.string()).to_pylist()]
        rows = rows.append_column("text_sha256", pa.array(digests, pa.string()))
    check_annotations(rows)
    value, unreadable = _truths(rows["value"])
    annotator = pc.utf8_trim_whitespace(_strings(rows["annotator"]))
    nameless = pc.and_(pc.equal(pc.fill_null(annotator, ""), ""), pc.is_valid(value))
    times = next((rows[name] for name in _TIMES if name in rows.column_names), None)
    claims = pa.table(
        [
            pc.cast(_strings(rows["note_id"]), pa.int64()),
            pc.ascii_lower(_strings(rows["text_sha256"])),
            annotator,
            pc.utf8_trim_whitespace(_strings(rows["field"])),
            value,
            _times(times, rows.num_rows),
        ],
        schema=CLAIMS,
    )
    problems = {"bad_value": unreadable, "no_annotator": pc.sum(nameless, min_count=0).as_py()}
    kept = claims.filter(pc.and_(pc.is_valid(value), pc.invert(nameless)))
    return Parsed(kind, kept, {reason: n for reason, n in problems.items() if n})


def _truths(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """True, false or null (no answer), and how many values are neither."""
    if pa.types.is_boolean(values.type):
        return values, 0
    words = pc.fill_null(pc.utf8_lower(pc.utf8_trim_whitespace(_strings(values))), "")
    is_true, is_false = (pc.is_in(words, value_set=pa.array(known)) for known in (_TRUE, _FALSE))
    n_known = pc.sum(pc.or_(pc.or_(is_true, is_false), pc.is_in(words, value_set=pa.array(_OPEN))), min_count=0).as_py()
    return pc.if_else(is_true, True, pc.if_else(is_false, False, pa.scalar(None, pa.bool_()))), len(words) - n_known


def _times(values: pa.ChunkedArray | None, n: int) -> pa.Array | pa.ChunkedArray:
    kind = CLAIMS.field("answered_at").type
    if values is None:
        return pa.nulls(n, kind)
    if pa.types.is_timestamp(values.type):
        return values.cast(pa.timestamp("us", tz=values.type.tz or "UTC")).cast(kind)
    return pa.array([time_of(one) for one in values.to_pylist()], kind)


def _strings(values: pa.ChunkedArray) -> pa.ChunkedArray:
    return values if pa.types.is_string(values.type) else pc.cast(values, pa.string())


def _parquet(content: pa.Buffer, name: str) -> pa.Table:
    try:
        file = pq.ParquetFile(pa.BufferReader(content))
        return file.read(columns=[column for column in file.schema_arrow.names if column in _KEPT])
    except (pa.ArrowException, OSError):
        raise CorruptFile("no intact parquet file.", where=name, mend="Write it again.") from None


def _csv(utf8: pa.Buffer, text: str, name: str) -> pa.Table:
    first = text.lstrip("\ufeff").split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    header = [cell.strip() for cell in next(csv.reader(io.StringIO(first), delimiter=delimiter), [])]
    if not set(header) & set(_KEPT):
        raise CorruptFile(f"neither JSON, nor parquet, nor a csv with known columns. {_EXPECTED}", where=name)
    try:
        rows = pacsv.read_csv(
            pa.BufferReader(utf8),
            read_options=pacsv.ReadOptions(column_names=header, skip_rows=1),
            parse_options=pacsv.ParseOptions(delimiter=delimiter, newlines_in_values=True),
            convert_options=pacsv.ConvertOptions(
                column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowException:
        raise CorruptFile(
            "the rows of the csv do not have the columns of its header.", where=name, mend="Export it again, quoted."
        ) from None
    return rows.select([column for column in dict.fromkeys(header) if column in _KEPT])


def _rows_as_table(tasks: Sequence[dict[str, Any]]) -> pa.Table:
    """Rows of JSON as text columns: note_id may be a number here and a text there."""
    names = [name for name in _KEPT if any(name in task for task in tasks)]
    if not names:
        raise AnnotationsError(f"none of its {len(tasks)} entries has a known key. {_EXPECTED}", reason="unreadable")
    columns = [pa.array([_cell(task.get(name)) for task in tasks], pa.string()) for name in names]
    return pa.table(columns, names=names)


def _cell(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _text(utf8: pa.Buffer, name: str) -> str:
    try:
        return utf8.to_pybytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorruptFile(
            f"neither UTF-8 nor the declared encoding at byte {error.start}.", where=name, mend="Export it as UTF-8."
        ) from None


def _json(text: str, name: str) -> tuple[list[dict[str, Any]], str]:
    """Tasks of a JSON list or of JSON lines."""
    if text.lstrip().startswith("["):
        found, kind = _strictly(json.loads, text, name), "json"
    elif (whole := _whole(text)) is not None:
        if whole and all(is_position(key) for key in whole):
            # the seed's own files: {"Note 1": {...}, "Note 2": {...}}
            check_annotations(pa.table({"note": list(whole)}))
        found, kind = [whole], "json"
    else:
        # not splitlines: a note may hold U+2028, which ends no line of JSON
        lines = (line for line in text.split("\n") if line.strip())
        found, kind = [_strictly(json.loads, line, name) for line in lines], "jsonl"
    if not all(isinstance(task, dict) for task in found):
        raise CorruptFile(f"its entries are no JSON objects. {_EXPECTED}", where=name)
    return found, kind


def _whole(text: str) -> dict[str, Any] | None:
    """The one object that the text is, or None if it is several (JSON lines) or broken."""
    try:
        found = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def _strictly(load: Callable[..., Any], text: str, name: str) -> Any:
    try:
        return load(text, object_pairs_hook=_unique, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise CorruptFile(
            "not valid JSON (cut off, a key twice, NaN, or nested too deeply).", where=name, mend="Export it again."
        ) from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise ValueError("a key is there twice")
    return row


def _refuse(_: str) -> Any:
    raise ValueError("NaN and Infinity are not JSON")
