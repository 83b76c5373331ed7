"""A picture of the corpora's balance."""

from __future__ import annotations

from collections import defaultdict

import pyarrow as pa

from clinical_assets.statistics.plots import COLOURS, new_figure, png_bytes
from clinical_assets.storage.entity_contracts import CORPUS_SPLITS, ENTITY_TYPES

__all__ = ["balance_figure"]


def balance_figure(profile: pa.Table) -> bytes:
    """Draw mentions of each type by corpus and split, with the number of documents; return a PNG."""
    documents: dict[tuple[str, str], int] = {}
    mentions: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for row in profile.to_pylist():
        key = (row["corpus"], row["split"])
        if row["measure"] == "n_documents":
            documents[key] = int(row["value"])
        elif row["measure"] == "n_mentions":
            mentions[key][row["entity_type"]] = int(row["value"])
    keys = sorted(documents, key=lambda k: (k[0], CORPUS_SPLITS.index(k[1])))
    figure = new_figure(7.5, 1.4 + 0.45 * max(len(keys), 1))
    axes = figure.subplots()
    for i, kind in enumerate(ENTITY_TYPES):
        height = 0.8 / len(ENTITY_TYPES)
        at = [j + (i - (len(ENTITY_TYPES) - 1) / 2) * height for j in range(len(keys))]
        axes.barh(at, [mentions[key].get(kind, 0) for key in keys], height=height, color=COLOURS[i], label=kind)
    axes.set(
        yticks=range(len(keys)),
        yticklabels=[f"{corpus} {split} (n = {documents[corpus, split]:,})" for corpus, split in keys],
        xlabel="Annotated mentions",
        title="Landed corpora",
    )
    axes.invert_yaxis()
    if keys:
        axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    return png_bytes(figure)
