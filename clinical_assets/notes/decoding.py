"""Bytes to text, row by row, without losing the rows around a bad one.

Put here what turns landed bytes into valid Unicode and says how. What characters mean is `normalise`.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.notes.errors import CorruptFile

__all__ = ["SURROGATES_REPLACED", "Decoded", "decode_column", "decode_value", "mend_surrogates", "to_utf8"]

SURROGATES_REPLACED = "lone_surrogates_replaced"
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


@dataclass(frozen=True)
class Decoded:
    """One decoded column: ``values`` (large_string), ``bad`` rows that no encoding reads, ``how`` by row index."""

    values: pa.Array
    bad: frozenset[int]
    how: dict[int, str]


def mend_surrogates(value: str) -> str:
    """Join surrogate pairs and replace lone surrogates by U+FFFD, so that the text can be stored as UTF-8."""
    return value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def decode_value(value: bytes, encoding: str) -> tuple[str, str | None] | None:
    """Decode one value: UTF-8 first (text of another encoding is hardly ever valid UTF-8), then ``encoding``.

    Returns:
        The text and the conversion to record (None for plain UTF-8), or None if neither encoding reads it.
    """
    try:
        return value.decode("utf-8"), None
    except UnicodeDecodeError:
        pass
    try:
        return mend_surrogates(value.decode("utf-8", "surrogatepass")), SURROGATES_REPLACED
    except UnicodeDecodeError:
        pass
    name = codecs.lookup(encoding).name
    if name == "utf-8":
        return None
    try:
        return value.decode(name), f"decoded_{name}"
    except UnicodeDecodeError:
        return None


def decode_column(values: pa.Array | pa.ChunkedArray, encoding: str) -> Decoded:
    """Decode a binary column; the all-valid case costs one vectorised check."""
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    binary = values.cast(pa.large_binary())
    try:
        return Decoded(binary.cast(pa.large_string()), frozenset(), {})
    except pa.ArrowInvalid:
        pass
    out: list[str | None] = []
    bad: set[int] = set()
    how: dict[int, str] = {}
    for index, value in enumerate(binary):
        raw = value.as_py()
        decoded = decode_value(raw, encoding) if raw is not None else ("", None)
        if decoded is None:
            bad.add(index)
        elif decoded[1]:
            how[index] = decoded[1]
        out.append(decoded[0] if decoded is not None and raw is not None else None)
    return Decoded(pa.array(out, pa.large_string()), frozenset(bad), how)


def to_utf8(content: pa.Buffer, encoding: str, where: str) -> pa.Buffer:
    """Return file content whose rows can be split as bytes: byte order marks gone, UTF-16/32 transcoded.

    Raises:
        CorruptFile: The file announces UTF-16/32 and is not.
    """
    head = content[:4].to_pybytes()
    wide = next((name for bom, name in _BOMS if head.startswith(bom)), None)
    declared = codecs.lookup(encoding).name
    if wide is None and declared.startswith(("utf-16", "utf-32")) and not head.startswith(codecs.BOM_UTF8):
        wide = declared
    if wide is not None:
        try:
            text = codecs.decode(content.to_pybytes(), wide)
        except (UnicodeDecodeError, ValueError) as error:
            raise CorruptFile(
                f"the file is announced as {wide} and cannot be decoded.",
                where=where,
                mend="Export it as UTF-8, or set limits.default_encoding in the study.",
            ) from error
        return pa.py_buffer(mend_surrogates(text).encode("utf-8"))
    return content[3:] if head.startswith(codecs.BOM_UTF8) else content


def is_blank(values: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array:
    """Return True where a string is null or holds white space only."""
    return pc.fill_null(pc.equal(pc.binary_length(pc.utf8_trim_whitespace(values)), 0), True)
