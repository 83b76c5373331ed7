"""Who answered what, version by version: what the landed files say, held against the notes and against what was known before.

Pandas does the joins; nothing here reads files or knows formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from clinical_assets.annotations.landed import Landed, Reject
from clinical_assets.storage.contracts import HUMAN_LABELS

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["HumanLabels", "update_labels"]

_ANSWER = ["note_id", "annotator", "field", "text_sha256", "answered_at"]
_IDENTITY = [*_ANSWER, "value"]
_KEY = ["note_id", "annotator", "field"]
_SOURCE = ["source_file", "source_sha256", "source_format"]
_SHOWN = 5  # note_ids named in the detail of a reject


@dataclass(frozen=True)
class HumanLabels:
    """The table (`HUMAN_LABELS`), what was refused in holding it against notes, and the number of answers of this call."""

    table: pa.Table
    rejects: list[Reject]
    n_new: int


def update_labels(landed: Landed, texts: pd.DataFrame, before: pa.Table | None, *, now: datetime) -> HumanLabels:
    """Return the human labels after a look at the landed files.

    An answer is what one annotator said of one field of one text at one time. An answer that was not known gets the next
    version of its annotator, note and field; older versions stay. Current is, per text, the answer that was given last (by its
    time, else by when it was first seen) of those that the files still hold: one that is in no file any more is withdrawn.

    Parameters
    ----------
    landed
        Claims of the files, of fields of the study.
    texts
        `texts.known_texts`.
    before
        The table as it was, or None. Its rows keep their version, source and first_seen_at.
    now
        first_seen_at of new answers.

    Returns
    -------
    HumanLabels
        Refused are `unknown_note`, `text_changed` (no version of the note has that digest) and `contradictory_duplicate`:
        true and false of the same annotator, text, field and time in one file; or new in several files at once, without a
        time to tell which is later. Neither of the two is used.
    """
    rejects: list[Reject] = []
    claims = _of_known_texts(landed, texts, rejects).drop_duplicates([*_IDENTITY, "source_file"])
    claims = _refuse(
        claims, claims.duplicated([*_ANSWER, "source_file"], keep=False), "contradictory_duplicate", rejects
    )
    claims = claims.sort_values("source_file", kind="stable").drop_duplicates(_IDENTITY)
    known = _frame(before if before is not None else HUMAN_LABELS.empty_table())
    marked = claims.merge(known[_IDENTITY].assign(known=True), on=_IDENTITY, how="left")
    new = marked[marked["known"].isna()].drop(columns="known")
    new = _refuse(new, new.duplicated(_ANSWER, keep=False), "contradictory_duplicate", rejects)
    return HumanLabels(_versions(known, claims, new, texts, now), rejects, len(new))


def _of_known_texts(landed: Landed, texts: pd.DataFrame, rejects: list[Reject]) -> pd.DataFrame:
    claims = _frame(landed.claims).rename(columns={"text_sha256": "digest"})
    claims = _refuse(claims, ~claims["note_id"].isin(texts["note_id"].unique()), "unknown_note", rejects)
    found = claims.merge(texts[["note_id", "digest", "text_sha256", "person_id"]], on=["note_id", "digest"], how="left")
    found = _refuse(found, found["text_sha256"].isna(), "text_changed", rejects)
    return found.drop(columns="digest").astype({"person_id": "int64"})


_DETAILS = {
    "unknown_note": "No landed note has this note_id; the labels are used as soon as it lands.",
    "text_changed": "The note has another text than the one that was labelled: label it again.",
    "contradictory_duplicate": "The same annotator says true and false of one field of one text, and no answered_at tells "
    "which is later: keep one row.",
}


def _refuse(rows: pd.DataFrame, wrong: pd.Series[bool], reason: str, rejects: list[Reject]) -> pd.DataFrame:
    """Return the rows that are not wrong; the others are counted file by file."""
    for (file, digest, format), these in rows[wrong].groupby(_SOURCE, sort=True):
        notes: list[Any] = sorted(these["note_id"].unique().tolist())
        some = ", ".join(map(str, notes[:_SHOWN])) + (", ..." if len(notes) > _SHOWN else "")
        detail = f"{_DETAILS[reason]} {len(notes)} notes: {some}"
        rejects.append(Reject(file, digest, format, reason, len(these), detail))
    return rows[~wrong]


def _versions(
    known: pd.DataFrame, claims: pd.DataFrame, new: pd.DataFrame, texts: pd.DataFrame, now: datetime
) -> pa.Table:
    import pandas as pd

    new = new.sort_values([*_KEY, "answered_at", "text_sha256", "value"], na_position="first", kind="stable")
    seen = known.groupby(_KEY, sort=False)["version"].max().rename("seen").reset_index()
    new = new.merge(seen, on=_KEY, how="left")
    new["version"] = new["seen"].fillna(0).astype("int32") + new.groupby(_KEY, sort=False).cumcount() + 1
    new["first_seen_at"] = pd.Timestamp(now)
    rows = pd.concat(
        [
            part[HUMAN_LABELS.names]
            for part in (known.assign(is_current=False), new.assign(is_current=False))
            if len(part)
        ]
        or [known]
    )
    # a note may have been given to another person since
    persons = texts[texts["is_current"]].drop_duplicates("note_id").set_index("note_id")["person_id"]
    rows["person_id"] = rows["note_id"].map(persons).fillna(rows["person_id"]).astype("int64")
    rows = rows.merge(claims[_IDENTITY].assign(held=True), on=_IDENTITY, how="left").sort_values(
        ["note_id", "field", "annotator", "version"], kind="stable", ignore_index=True
    )
    rows["given"] = rows["answered_at"].fillna(rows["first_seen_at"])
    held = rows[rows["held"].notna()].sort_values(["given", "version"], kind="stable")
    rows.loc[held.drop_duplicates([*_KEY, "text_sha256"], keep="last").index, "is_current"] = True
    return pa.Table.from_pandas(rows[HUMAN_LABELS.names], schema=HUMAN_LABELS, preserve_index=False)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame = table.to_pandas()
    for name in ("answered_at", "first_seen_at"):
        if name in frame:
            frame[name] = frame[name].astype("datetime64[us, UTC]")
    return frame.astype(_types(frame.columns))


def _types(columns: Sequence[str]) -> dict[str, str]:
    kinds = {"note_id": "int64", "value": "bool", "version": "int32", "is_current": "bool"}
    return {name: kind for name, kind in kinds.items() if name in columns}
