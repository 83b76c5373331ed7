"""The folder landing/annotations: which files hold labels, and all that they say, with what was refused and why.

Nothing here writes there, and no message repeats what a file says about a note.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.annotations.claims import CLAIMS
from clinical_assets.annotations.formats import parse_labels
from clinical_assets.annotations.positions import AnnotationsError
from clinical_assets.notes.errors import CorruptFile, UnreadableBatch
from clinical_assets.notes.guards import ReadLimits, is_ignored, read_guarded, resolve_inside
from clinical_assets.storage.contracts import ANNOTATION_REJECTS

__all__ = ["LEFT_ALONE", "Landed", "Reject", "annotation_files", "read_landed"]

# Gold of other subjects that stands in the same folder.
LEFT_ALONE = frozenset({"entities", "reference_summaries"})
_SOURCE = ("source_file", "source_format", "source_sha256")
_MENDS = {
    "unknown_field": "The study has no such field: name them as the study does, or map them in the tool.",
    "no_note_id": "Give note_id with each text that is given to annotators.",
    "bad_note_id": "note_id is a whole number.",
    "no_text_digest": "Give text_sha256, or the text, with each task.",
    "bad_text_digest": "text_sha256 is 64 hex digits.",
    "no_annotator": "Say who answered.",
    "bad_value": "An answer is true or false (yes, no, 1, 0), or nothing.",
}
_QUIET = frozenset({"skipped"})  # a task that was skipped is no mistake


@dataclass(frozen=True)
class Reject:
    """Rows of one file that are not used, and why; `detail` never holds text of a note."""

    source_file: str
    source_sha256: str
    source_format: str | None
    reason: str
    n: int
    detail: str


@dataclass
class Landed:
    """All claims (`CLAIMS` and source_file, source_format, source_sha256), what was refused, and the number of files."""

    claims: pa.Table
    rejects: list[Reject] = field(default_factory=list)
    n_files: int = 0
    n_skipped: int = 0

    def rejects_table(self) -> pa.Table:
        """Return the refused rows as the lake keeps them."""
        rows = sorted(self.rejects, key=lambda one: (one.source_file, one.reason))
        return pa.Table.from_pylist([vars(row) for row in rows], schema=ANNOTATION_REJECTS)


def annotation_files(folder: Path) -> list[Path]:
    """Return the files of human labels, by name; of subfolders too, one level down. Any other file is some other subject's."""
    if not folder.is_dir():
        return []
    inside = [path for sub in folder.iterdir() if sub.is_dir() and not is_ignored(sub.name) for path in sub.iterdir()]
    files = [path for path in (*folder.iterdir(), *inside) if path.is_file() and not is_ignored(path.name)]
    return sorted(path for path in files if path.name.split(".")[0] not in LEFT_ALONE)


def read_landed(folder: Path, fields: Collection[str], limits: ReadLimits) -> Landed:
    """Read every file of labels; one that cannot be used is refused in words, and the others go on.

    Parameters
    ----------
    folder
        landing/annotations; need not be there.
    fields
        Fields of the study. Answers to other questions are refused.
    limits
        Sizes in bytes, and the encoding.
    """
    out, tables = Landed(pa.table({}), []), []
    for path in annotation_files(folder):
        out.n_files += 1
        name = path.relative_to(folder).as_posix()
        digest = ""
        try:
            resolve_inside(folder, name)
            content = read_guarded(path, limits)
            digest = hashlib.sha256(content).hexdigest()
            parsed = _parse(content, name, limits.default_encoding)
        except AnnotationsError as error:
            out.rejects.append(Reject(name, digest, None, error.reason, 1, str(error)))
            continue
        except UnreadableBatch as error:
            out.rejects.append(Reject(name, digest, None, error.reason, 1, str(error)))
            continue
        known = pc.is_in(parsed.claims["field"], value_set=pa.array(sorted(fields), pa.string()))
        n_unknown = parsed.claims.num_rows - (pc.sum(known, min_count=0).as_py() or 0)
        problems: Mapping[str, int] = {**parsed.problems, **({"unknown_field": n_unknown} if n_unknown else {})}
        out.n_skipped += sum(n for reason, n in problems.items() if reason in _QUIET)
        out.rejects += [
            Reject(name, digest, parsed.format, reason, n, _MENDS.get(reason, ""))
            for reason, n in problems.items()
            if reason not in _QUIET
        ]
        tables.append(_with_source(parsed.claims.filter(known), (name, parsed.format, digest)))
    out.claims = pa.concat_tables([_with_source(CLAIMS.empty_table(), ("", "", "")), *tables])
    return out


def _parse(content: pa.Buffer, name: str, encoding: str) -> Any:
    try:
        return parse_labels(content, name, encoding)
    except (ValueError, TypeError, KeyError, AttributeError, IndexError, RecursionError, pa.ArrowException) as error:
        if isinstance(error, AnnotationsError):
            raise
        # whatever an export holds where something else was expected: only the kind of failure is told, never its message
        raise CorruptFile(
            f"its content is not laid out as its format says ({type(error).__name__}).",
            where=name,
            mend="Export it again from the tool; docs/landing.md shows what is read.",
        ) from None


def _with_source(claims: pa.Table, source: Sequence[str]) -> pa.Table:
    for name, value in zip(_SOURCE, source, strict=True):
        column = pa.DictionaryArray.from_arrays(pa.array([0] * claims.num_rows, pa.int32()), pa.array([value])).cast(
            pa.string()
        )
        claims = claims.append_column(name, column)
    return claims
