"""The text that everything downstream reads: plain, LF line ends, nothing invisible, with a way back to what landed.

Put here what changes characters. Decoding bytes is `decoding`, markup is `markup`, offset arithmetic is `offsets`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.notes.decoding import SURROGATES_REPLACED
from clinical_assets.notes.markup import MARKUP_HINT, strip_markup
from clinical_assets.notes.offsets import OffsetMap, TextBuilder, compose

__all__ = ["Normalised", "NormalisedColumn", "normalise", "normalise_column"]

_INVISIBLE = "\u00ad\u180e\u200b-\u200d\u2060-\u2064\ufffe\uffff"
_BIDI = "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"
_BREAKS = "\x0b\x0c\u2028\u2029"
_SPECIAL = re.compile(
    f"(?P<cr>\r\n?)|(?P<line_break>[{_BREAKS}])|(?P<bom>\ufeff)|(?P<invisible>[{_INVISIBLE}])|(?P<bidi>[{_BIDI}])"
    "|(?P<control>[\x00-\x08\x0e-\x1f\x7f])|(?P<c1>[\x80-\x9f])|(?P<surrogate>[\ud800-\udfff])"
)
_OTHER_THAN_CRLF = re.compile(f"\r(?!\n)|[{_BREAKS}\ufeff{_INVISIBLE}{_BIDI}\x00-\x08\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_CRLF = re.compile("\r\n")
_CONVERSIONS = {
    "cr": "line_ends_to_lf",
    "line_break": "line_ends_to_lf",
    "bom": "bom_removed",
    "invisible": "invisible_removed",
    "bidi": "bidi_controls_removed",
    "control": "control_characters_removed",
    "c1": "c1_controls_read_as_cp1252",
    "surrogate": SURROGATES_REPLACED,
}
# Latin-1 text is mostly Windows-1252: its "control characters" are quotes and dashes.
_CP1252 = {chr(code): bytes([code]).decode("cp1252", "ignore") for code in range(0x80, 0xA0)}
_MARKUP_PASSES = 4  # notes escaped twice exist; more levels are somebody's joke

# For RE2: any note that this does not match is stored as it landed.
_HINT = (
    r"[\x00-\x08\x0b-\x1f\x7f-\x{9f}\x{ad}\x{61c}\x{180e}\x{200b}-\x{200f}\x{2028}-\x{202e}\x{2060}-\x{2069}\x{feff}"
    r"\x{fffe}\x{ffff}]|" + MARKUP_HINT
)


@dataclass(frozen=True)
class Normalised:
    """One note: ``text``, the ``conversions`` that made it in order, and its offset map (None: text is as landed)."""

    text: str
    conversions: tuple[str, ...]
    offset_map: OffsetMap | None


@dataclass(frozen=True)
class NormalisedColumn:
    """Notes in row order, in the types of the NOTES contract; the last three are null where the text is as landed."""

    text: pa.Array
    conversions: pa.Array
    raw_text: pa.Array
    offset_map: pa.Array


def normalise(raw: str) -> Normalised:
    """Return the plain text of a landed note.

    Markup becomes text, line ends become LF, and what no reader sees (byte order marks, NUL and other control
    characters, zero-width and direction characters) goes. Normalising a normalised text changes nothing.
    """
    text, steps, offset_map = raw, list[str](), None
    for _ in range(_MARKUP_PASSES):
        done: list[str] = []
        for step in (_markup, _characters):
            changed = step(text)
            if changed is not None:
                text, outer, names = changed
                offset_map = compose(outer, offset_map)
                done.extend(names)
        steps.extend(name for name in done if name not in steps)
        if not done or done == [_CONVERSIONS["cr"]]:
            break  # other conversions may uncover markup: &amp;lt;br&amp;gt;, <b\x00r>
    return Normalised(raw, (), None) if text == raw else Normalised(text, tuple(steps), offset_map)


def _markup(text: str) -> tuple[str, OffsetMap, list[str]] | None:
    stripped = strip_markup(text)
    return None if stripped is None else (stripped[0], stripped[1], [stripped[2]])


def _characters(text: str) -> tuple[str, OffsetMap, list[str]] | None:
    if not _OTHER_THAN_CRLF.search(text):
        return _line_ends(text) if "\r" in text else None
    out = TextBuilder(text)
    seen: dict[str, None] = {}
    done = 0
    for match in _SPECIAL.finditer(text):
        start, end = match.span()
        kind = match.lastgroup or ""
        out.copy(done, start)
        done = end
        seen[_CONVERSIONS[kind]] = None
        if end - start == 2:
            done = end - 1  # CRLF: the LF itself is kept
        elif kind in ("cr", "line_break"):
            out.put("\n", start)
        elif kind == "c1":
            out.put(_CP1252[match[0]], start)
        elif kind == "surrogate":
            out.put("\ufffd", start)
    out.copy(done, len(text))
    return (*out.result(), list(seen))


def _line_ends(text: str) -> tuple[str, OffsetMap, list[str]]:
    """Turn CRLF into LF where nothing else needs a change: whole deliveries come like that."""
    anchors = [] if text.startswith("\r") else [(0, 0)]
    anchors.extend((match.start() - index, match.start() + 1) for index, match in enumerate(_CRLF.finditer(text)))
    return text.replace("\r\n", "\n"), tuple(anchors), [_CONVERSIONS["cr"]]


def normalise_column(
    raw: pa.ChunkedArray | pa.Array, how: pa.ChunkedArray | pa.Array | None = None
) -> NormalisedColumn:
    """Normalise a large_string column; rows without a special character cost one vectorised scan together.

    Args:
        raw: Landed texts, no nulls.
        how: Conversions that reading already made, comma-separated, null for none.
    """
    raw = raw.combine_chunks() if isinstance(raw, pa.ChunkedArray) else raw
    size = len(raw)
    reading = how.to_pylist() if how is not None and how.null_count < size else [None] * size
    special = pc.match_substring_regex(raw, _HINT).to_numpy(zero_copy_only=False)
    changed: dict[int, Normalised] = {}
    for index in np.flatnonzero(special).tolist():
        result = normalise(raw[index].as_py())
        if result.offset_map is not None:
            changed[index] = result
    steps = [
        [*(reading[i].split(",") if reading[i] else ()), *(changed[i].conversions if i in changed else ())] or None
        for i in range(size)
    ]
    spans = pa.list_(pa.struct([pa.field("stored", pa.int32()), pa.field("raw", pa.int32())]))
    if not changed:
        return NormalisedColumn(
            raw, pa.array(steps, pa.list_(pa.string())), pa.nulls(size, pa.large_string()), pa.nulls(size, spans)
        )
    mask = np.zeros(size, dtype=bool)
    mask[list(changed)] = True
    new = pa.array([result.text for result in changed.values()], pa.large_string())
    return NormalisedColumn(
        text=pc.replace_with_mask(raw, pa.array(mask), new),
        conversions=pa.array(steps, pa.list_(pa.string())),
        raw_text=pc.if_else(pa.array(mask), raw, pa.scalar(None, pa.large_string())),
        offset_map=_spans(changed, size, spans),
    )


def _spans(changed: dict[int, Normalised], size: int, kind: pa.DataType) -> pa.Array:
    lengths = np.zeros(size, dtype=np.int64)
    for index, result in changed.items():
        lengths[index] = len(result.offset_map or ())
    flat = np.array(
        [anchor for result in changed.values() for anchor in result.offset_map or ()], dtype=np.int32
    ).reshape(-1, 2)
    offsets = np.concatenate(([0], np.cumsum(lengths))).astype(np.int32)
    absent = np.ones(size, dtype=bool)
    absent[list(changed)] = False
    values = pa.StructArray.from_arrays([flat[:, 0].copy(), flat[:, 1].copy()], fields=list(kind.value_type))
    return pa.ListArray.from_arrays(pa.array(offsets), values, type=kind, mask=pa.array(absent))
