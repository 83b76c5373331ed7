"""Parse JSON lines strictly, one row at a time: what json.loads would forgive rejects the row, not the file.

Put here the strict row parser only. It refuses duplicate keys, NaN and Infinity, over-deep nesting and anything but an
object of single values in the columns that are read.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from clinical_assets.notes.decoding import SURROGATES_REPLACED, decode_value, mend_surrogates

__all__ = ["ParsedLines", "parse"]


class _Refused(ValueError):
    """A row is refused for a reason that quotes nothing of it."""


@dataclass
class ParsedLines:
    """Rows of a JSON-lines file.

    ``columns`` holds one list per key seen in any row (empty for keys nobody asked for), each as long as ``numbers``,
    the 1-based numbers of the rows that parsed. Blank lines are no rows. ``mended``: index of a parsed row -> conversion.
    """

    columns: dict[str, list[str | None]] = field(default_factory=dict)
    numbers: list[int] = field(default_factory=list)
    malformed: list[tuple[int, str]] = field(default_factory=list)
    undecodable: list[int] = field(default_factory=list)
    mended: dict[int, str] = field(default_factory=dict)
    n_landed: int = 0

    def column(self, name: str) -> pa.Array:
        """Return one column as large_string, lone surrogates (``\\ud800``) replaced and recorded in ``mended``."""
        values = self.columns[name]
        values.extend([None] * (len(self.numbers) - len(values)))
        try:
            return pa.array(values, pa.large_string())
        except UnicodeEncodeError:
            pass
        mended: list[str | None] = []
        for index, value in enumerate(values):
            better = mend_surrogates(value) if value is not None else None
            if better != value:
                self.mended[index] = SURROGATES_REPLACED
            mended.append(better)
        return pa.array(mended, pa.large_string())


def parse(content: pa.Buffer, encoding: str, wanted: Iterable[str]) -> ParsedLines:
    """Parse the lines of ``content`` (UTF-8 row by row, else ``encoding``).

    Args:
        content: File content, rows ending in LF or CRLF.
        encoding: Encoding to try for rows that are not UTF-8.
        wanted: Names whose values are kept, compared without case and outer blanks.
    """
    kept = {name.strip().lower() for name in wanted}
    decoder = json.JSONDecoder(
        object_pairs_hook=_unique, parse_constant=_no_constant, parse_int=str, parse_float=str, strict=False
    )
    out = ParsedLines()
    with io.BufferedReader(pa.BufferReader(content), buffer_size=1 << 20) as lines:  # type: ignore[type-var]
        for line in lines:
            if not line.strip():
                continue
            out.n_landed += 1
            decoded = decode_value(line, encoding)
            if decoded is None:
                out.undecodable.append(out.n_landed)
                continue
            text, how = decoded
            try:
                row = decoder.decode(text.strip(" \t\r\n"))
                if not isinstance(row, dict):
                    raise _Refused("expected a JSON object")
                values = {name: _scalar(name, value) for name, value in row.items() if name.strip().lower() in kept}
            except _Refused as error:
                out.malformed.append((out.n_landed, str(error)))
                continue
            except RecursionError:
                out.malformed.append((out.n_landed, "nested too deeply"))
                continue
            except ValueError:
                out.malformed.append((out.n_landed, "not valid JSON"))
                continue
            _append(out, row, values)
            if how:
                out.mended[len(out.numbers) - 1] = how
    return out


def _append(out: ParsedLines, row: dict[str, Any], values: dict[str, str | None]) -> None:
    done = len(out.numbers)
    for name in row:
        column = out.columns.setdefault(name, [])
        if name in values:
            column.extend([None] * (done - len(column)))
            column.append(values[name])
    out.numbers.append(out.n_landed)


def _scalar(name: str, value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    # `name` is one of the study's column names here, not free text.
    raise _Refused(f"{name.strip()} holds a nested value, expected one value")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    row = dict(pairs)
    if len(row) != len(pairs):
        raise _Refused("a key is there twice")
    return row


def _no_constant(_: str) -> Any:
    raise _Refused("NaN and Infinity are not JSON")
