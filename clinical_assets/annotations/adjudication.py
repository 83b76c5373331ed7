"""What annotators agree on: one answer per note and field, and how it came about."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

import pyarrow as pa

from clinical_assets.storage.contracts import ADJUDICATED

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["adjudicate"]


def adjudicate(labels: pa.Table, texts: pd.DataFrame, adjudicators: Collection[str]) -> pa.Table:
    """Return one row per note and field whose current text somebody labelled, sorted (`ADJUDICATED`).

    ``single``: one annotator. ``agreed``: two or more say the same. ``adjudicated``: they do not, and the adjudicators who
    answered say one and the same, which is the value. ``disagreed``: the others; there is no value.

    Parameters
    ----------
    labels
        `HUMAN_LABELS`.
    texts
        `texts.known_texts`.
    adjudicators
        Names of the annotators whose answer settles a disagreement.
    """
    import numpy as np

    current = texts.loc[texts["is_current"], ["note_id", "text_sha256"]].drop_duplicates()
    rows = labels.to_pandas()
    rows = rows[rows["is_current"]].merge(current, on=["note_id", "text_sha256"])
    key = ["note_id", "person_id", "text_sha256", "field"]
    rows["settles"] = rows["annotator"].isin(list(adjudicators))
    rows["ruled_true"], rows["ruled_false"] = rows["settles"] & rows["value"], rows["settles"] & ~rows["value"]
    sums = (
        rows.groupby(key, sort=True)
        .agg(
            n_annotators=("annotator", "size"),
            n_true=("value", "sum"),
            ruled_true=("ruled_true", "any"),
            ruled_false=("ruled_false", "any"),
        )
        .reset_index()
    )
    same = sums["n_true"].isin([0]) | (sums["n_true"] == sums["n_annotators"])
    ruled = ~same & (sums["ruled_true"] ^ sums["ruled_false"])
    sums["status"] = np.select(
        [same & (sums["n_annotators"] == 1), same, ruled], ["single", "agreed", "adjudicated"], "disagreed"
    )
    sums["value"] = np.where(ruled, sums["ruled_true"], sums["n_true"] > 0)
    values = pa.array(sums["value"].astype(bool), mask=(sums["status"] == "disagreed").to_numpy())
    columns = {name: pa.array(sums[name]) for name in sums.columns if name in ADJUDICATED.names} | {"value": values}
    return pa.table(
        [columns[name].cast(ADJUDICATED.field(name).type) for name in ADJUDICATED.names], schema=ADJUDICATED
    )
