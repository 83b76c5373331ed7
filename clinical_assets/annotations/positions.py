"""What landed human labels must look like, and why labels by position are refused.

The seed study kept its human labels under positions ("Note 201") and its predictions in row order, and joined them by
counting. Its published baseline was thereby compared with the labels of other notes, 200 rows away, and its tuned model with
those 2 rows away: 82 % and 86 % accuracy that are chance agreement, kappa 0.00. An id and a digest of the text cannot slip.
"""

from __future__ import annotations

import re

import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["ANNOTATION_COLUMNS", "AnnotationsError", "check_annotations", "is_position", "no_note_ids"]

ANNOTATION_COLUMNS = {
    "note_id": "OMOP note.note_id of the note that was read",
    "text_sha256": "SHA-256 (hex, UTF-8) of its text as it was read",
    "annotator": "who answered",
    "field": "field of the study, e.g. cml_diagnosed",
    "value": "true or false; null for no answer",
}

# A note named by its place, e.g. "Note 12", "note_201", "#7": never text of a note, so it may be shown.
_POSITION = re.compile(r"\s*(?:notes?|rows?|records?|items?|no\.?|#)[\s_#.:-]*\d{1,9}\s*", re.IGNORECASE)
_NAMES = ("note_text", "note", "note_id", "note_name", "text", "key", "id")
_DIGEST = re.compile(r"[0-9a-fA-F]{64}")
_LOOKED_AT = 10_000  # enough to see how notes are named

_WHY = (
    "Labels that name notes by position are refused: in the study that this project follows, the published baseline was "
    "compared with labels of other notes, 200 rows away, because both sides were counted, not named."
)


class AnnotationsError(ValueError):
    """Human labels that cannot be tied to notes. The message holds column names, counts and positions, never text.

    `reason` is `positional` (named by place or order), `missing_column`, `bad_note_id` or `bad_text_digest`.
    """

    def __init__(self, message: str, *, reason: str = "positional") -> None:
        super().__init__(message)
        self.reason = reason


def check_annotations(annotations: pa.Table) -> None:
    """Refuse human labels that are not keyed by note_id and text_sha256.

    Parameters
    ----------
    annotations
        As landed: one row per note, annotator and field, with `ANNOTATION_COLUMNS`; others are ignored.

    Raises
    ------
    AnnotationsError
        If notes are named by position ("Note 12") or by the order of rows only, a column is missing, a note_id is null or no
        whole number, or a text_sha256 is null or no SHA-256. It says what is expected and how to mend it.
    """
    named = _named_by_position(annotations)
    missing = [name for name in ANNOTATION_COLUMNS if name not in annotations.column_names]
    keyless = [name for name in ("note_id", "text_sha256") if name in missing]
    if named:
        column, n, example = named
        raise AnnotationsError(
            f"column {column!r} names notes by position: {n} of its values, e.g. {example!r}. {_WHY} {_mend()}"
        )
    if len(keyless) == 2:
        raise AnnotationsError(
            f"the table has neither note_id nor text_sha256: its {annotations.num_rows} rows could only be tied to notes by their "
            f"order. {_WHY} {_mend()}"
        )
    if missing:
        raise AnnotationsError(
            f"missing columns: {', '.join(missing)}. {_WHY if keyless else ''} {_mend()}".replace("  ", " "),
            reason="missing_column",
        )
    ids, digests = annotations["note_id"], annotations["text_sha256"]
    whole = pc.cast(pc.cast(ids, pa.string()), pa.int64()) if _are_numbers(ids) else None
    if whole is None or whole.null_count:
        raise AnnotationsError(f"note_id must be a whole number in every row. {_mend()}", reason="bad_note_id")
    n_bad = sum(not (isinstance(one, str) and _DIGEST.fullmatch(one)) for one in pc.unique(digests).to_pylist())
    if n_bad:
        raise AnnotationsError(
            f"text_sha256 must be 64 hex digits in every row; {n_bad} distinct values are not. {_mend()}",
            reason="bad_text_digest",
        )


def no_note_ids(n: int) -> AnnotationsError:
    """Return the error for an export of `n` tasks that carry no note_id."""
    return AnnotationsError(
        f"none of its {n} tasks carries a note_id: they could only be tied to notes by their order. {_WHY} {_mend()}"
    )


def is_position(name: object) -> bool:
    """Return whether a name only says the place of a note, e.g. "Note 12"."""
    return isinstance(name, str) and _POSITION.fullmatch(name) is not None


def _named_by_position(annotations: pa.Table) -> tuple[str, int, str] | None:
    """Column, number of values and an example, if a column that should say which note it is says a position."""
    for column in _NAMES:
        if column not in annotations.column_names or not _is_text(annotations.schema.field(column).type):
            continue
        values = [one for one in pc.unique(annotations[column].slice(0, _LOOKED_AT)).to_pylist() if one is not None]
        positions = [one for one in values if _POSITION.fullmatch(one)]
        # a column of real texts may hold one that reads "Note 1"; one of positions holds little else
        if positions and len(positions) * 2 > len(values):
            return column, len(positions), positions[0].strip()
    return None


def _are_numbers(ids: pa.ChunkedArray) -> bool:
    if pa.types.is_integer(ids.type):
        return True
    text = pc.cast(ids, pa.string()) if _is_text(ids.type) else None
    return text is not None and bool(pc.all(pc.match_substring_regex(text, r"^-?\d{1,18}$"), min_count=0).as_py())


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _mend() -> str:
    columns = "; ".join(f"{name} ({meaning})" for name, meaning in ANNOTATION_COLUMNS.items())
    return (
        f"Expected one row per note, annotator and field: {columns}. To mend it, export note_id with each text that is given to "
        "annotators, compute hashlib.sha256(text.encode('utf-8')).hexdigest() from that text, and carry both through; a position "
        "can only be turned into a note_id with the very list that annotators were given."
    )
