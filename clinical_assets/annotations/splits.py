"""Which part of the annotated notes each one belongs to: drawn once, kept for ever, extended as labels come.

Put here what is kept and what is new; how groups are drawn is `stratify`.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from clinical_assets.annotations.stratify import NOWHERE, connected_groups, draw_parts
from clinical_assets.storage.contracts import SPLITS
from clinical_assets.study.annotations import SplitRules

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["update_splits"]


def update_splits(
    adjudicated: pa.Table, before: pa.Table | None, rules: SplitRules, in_scope: Collection[int], *, now: datetime
) -> pa.Table:
    """Return one row per note that is or was annotated, sorted by note_id (`SPLITS`).

    No person and no text is in two of train, validation and test. A note that has its split keeps it, whatever the rules say
    now. A new note follows its person and its text; where these are in two splits it is excluded (`bridges_splits`), and so is
    a text of more than ``most_persons_per_text`` persons (`shared_text`), which would chain everybody into one group. Groups
    that are new are drawn so that each split has its part of the notes, of the notes in scope, and of the true answers of each
    field in both. With numbers of notes instead of shares, what is beyond them is excluded (`not_needed`); a group is never cut,
    so a split may exceed its number by less than a group.

    Parameters
    ----------
    adjudicated
        `ADJUDICATED`: the annotated notes and their answers.
    before
        The table as it was, or None.
    rules
        Shares or numbers, and the seed.
    in_scope
        note_ids of the notes that models are asked about, where evaluation happens; empty if not known.
    now
        assigned_at of notes that get a split.
    """
    rows = _rows(adjudicated, in_scope)
    rows = _kept(rows, before)
    new = rows["split"].isna()
    persons = rows.groupby("text_sha256")["person_id"].transform("nunique")
    _exclude(rows, new & (persons > rules.most_persons_per_text), "shared_text")
    _follow(rows)
    if not rules.are_shares:
        _no_more_than_needed(rows, rules, new)
    _draw(rows, rules)
    return _table(rows, before, rules, now)


def _rows(adjudicated: pa.Table, in_scope: Collection[int]) -> pd.DataFrame:
    """One row a note: ids, then counts: notes (1), in_scope, and per field whether it is true, and true and in scope."""
    labels = adjudicated.to_pandas()
    labels["value"] = labels["value"].eq(True)
    key = ["note_id", "person_id", "text_sha256"]
    rows = (
        labels.pivot_table(index=key, columns="field", values="value", aggfunc="any", fill_value=False)
        if len(labels)
        else None
    )
    if rows is None:
        return labels[key].assign(n_notes=[], n_in_scope=[], is_annotated=[])
    fields = [f"true_{name}" for name in rows.columns]
    rows.columns = fields
    rows = rows.astype(float).reset_index().sort_values("note_id", ignore_index=True)
    rows["n_notes"], rows["n_in_scope"] = 1.0, rows["note_id"].isin(list(in_scope)).astype(float)
    for name in fields:
        rows[f"scope_{name}"] = rows[name] * rows["n_in_scope"]
    return rows.assign(is_annotated=True)


def _kept(rows: pd.DataFrame, before: pa.Table | None) -> pd.DataFrame:
    """Rows with the splits that notes already have, and rows of notes that have no labels any more."""
    import pandas as pd

    old = (before if before is not None else SPLITS.empty_table()).to_pandas()
    old = old[old["split"] != "excluded"]
    here = rows.merge(
        old[["note_id", "person_id", "text_sha256", "split"]], on="note_id", how="left", suffixes=("", "_then")
    )
    gone = old[~old["note_id"].isin(rows["note_id"])][["note_id", "person_id", "text_sha256", "split"]]
    rows = pd.concat([here, gone.assign(is_annotated=False)], ignore_index=True) if len(gone) else here
    rows["split"] = rows["split"].astype(object).where(rows["split"].notna(), None)
    rows["reason"] = pd.Series([None] * len(rows), dtype=object)
    moved = rows["person_id_then"].notna() & (
        (rows["person_id_then"] != rows["person_id"]) | (rows["text_sha256_then"] != rows["text_sha256"])
    )
    # A corrected note keeps its split, unless its new person or text is in another one.
    for place in rows.index[moved]:
        others = rows["split"].notna() & (rows["split"] != "excluded") & (rows.index != place)
        same = (rows["person_id"] == rows.at[place, "person_id"]) | (
            rows["text_sha256"] == rows.at[place, "text_sha256"]
        )
        if (rows.loc[others & same, "split"] != rows.at[place, "split"]).any():
            _exclude(rows, rows.index == place, "bridges_splits")
    return rows


def _exclude(rows: pd.DataFrame, which: Any, reason: str) -> None:
    rows.loc[which, ["split", "reason"]] = ["excluded", reason]


def _follow(rows: pd.DataFrame) -> None:
    """Give new notes the split of their person and text; exclude those that would join two."""
    held = rows[rows["split"].notna() & (rows["split"] != "excluded")]
    of_person = held.drop_duplicates("person_id").set_index("person_id")["split"].to_dict()
    of_text = held.drop_duplicates("text_sha256").set_index("text_sha256")["split"].to_dict()
    for which in ("note_id", "text_sha256", "group"):
        new = rows[rows["split"].isna()].copy()
        new["group"] = connected_groups(new["person_id"].to_numpy(), new["text_sha256"].to_numpy())
        found: dict[Any, set[str]] = {}
        for group, person, text in zip(new[which], new["person_id"], new["text_sha256"], strict=True):
            splits = found.setdefault(group, set())
            splits |= {known[key] for known, key in ((of_person, person), (of_text, text)) if key in known}
        joining = new[which].map(lambda group, found=found: len(found[group]) > 1).astype(bool)
        _exclude(rows, new.index[joining], "bridges_splits")
    following = new[~joining & new["group"].map(lambda group: len(found[group]) == 1).astype(bool)]
    rows.loc[following.index, "split"] = [min(found[group]) for group in following["group"]]


def _counts(rows: pd.DataFrame) -> list[str]:
    return [
        "n_notes",
        *(name for name in rows.columns if name == "n_in_scope" or name.startswith(("true_", "scope_true_"))),
    ]


def _no_more_than_needed(rows: pd.DataFrame, rules: SplitRules, new: pd.Series[bool]) -> None:
    for name in ("train", "validation", "test"):
        mine = (rows["split"] == name) & rows["is_annotated"].astype(bool)
        room = max(0, int(rules.parts.get(name, 0)) - int((mine & ~new).sum()))
        _exclude(rows, rows.index[mine & new][room:], "not_needed")


def _draw(rows: pd.DataFrame, rules: SplitRules) -> None:
    """Draw the groups in which no note has a split yet."""
    free = rows[rows["split"].isna()]
    if not len(free):
        return
    names = _counts(rows)
    groups = connected_groups(free["person_id"].to_numpy(), free["text_sha256"].to_numpy())
    # in the order of their smallest person, so that the order of rows changes nothing
    first = free["person_id"].groupby(groups).transform("min").to_numpy()
    contents = free[names].groupby(first, sort=True).sum()
    annotated = rows[rows["is_annotated"].astype(bool)]
    usable = annotated[annotated["split"] != "excluded"][names]
    total = usable.sum().to_numpy()
    parts = rules.parts
    share = np.array(list(parts.values())) / (1 if rules.are_shares else max(total[0], 1))
    have = np.stack([annotated.loc[annotated["split"] == name, names].sum().to_numpy() for name in parts])
    drawn = draw_parts(
        contents.to_numpy(), share[:, None] * total[None, :] - have, seed=rules.seed, fill_only=not rules.are_shares
    )
    split_of = dict(zip(contents.index, drawn, strict=True))
    chosen = [split_of[group] for group in first]
    rows.loc[free.index, "split"] = [list(parts)[one] if one != NOWHERE else "excluded" for one in chosen]
    rows.loc[free.index, "reason"] = [None if one != NOWHERE else "not_needed" for one in chosen]


def _table(rows: pd.DataFrame, before: pa.Table | None, rules: SplitRules, now: datetime) -> pa.Table:
    """The rows as a table; what did not change keeps its seed and time."""
    import pandas as pd

    if not len(rows):
        return SPLITS.empty_table()
    # a note that is excluded joins nobody: its text is one of its own
    texts = rows["text_sha256"].where(rows["split"] != "excluded", "note " + rows["note_id"].astype(str))
    groups = connected_groups(rows["person_id"].to_numpy(), texts.to_numpy())
    rows["group_id"] = rows["person_id"].groupby(groups).transform("min")
    old = (before if before is not None else SPLITS.empty_table()).to_pandas()
    rows = rows.merge(
        old[["note_id", "split", "reason", "seed", "assigned_at"]], on="note_id", how="left", suffixes=("", "_old")
    )
    same = (rows["split"] == rows["split_old"]) & (rows["reason"].fillna("") == rows["reason_old"].fillna(""))
    rows["seed"] = rows["seed"].where(same, rules.seed).astype("int64")
    rows["assigned_at"] = rows["assigned_at"].astype("datetime64[us, UTC]").where(same, pd.Timestamp(now).as_unit("us"))
    rows = rows.sort_values("note_id", ignore_index=True)
    return pa.Table.from_pandas(rows[SPLITS.names], schema=SPLITS, preserve_index=False)
