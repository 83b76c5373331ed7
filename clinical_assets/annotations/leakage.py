"""Whether one split knows something of another: the same person, the same text, nearly the same text. Counts only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.storage.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NearDuplicates", "Straddling", "near_duplicates", "near_duplicates_across", "straddling"]

WORDS = 5  # a shingle is that many words in a row
SIMILAR = 0.8  # Jaccard similarity of the sets of shingles from which two texts are nearly the same
SAMPLE = 1500  # texts compared at most, of each side
CHARS = 20_000  # of each text, from its start
_FEATURES = 1 << 20
_SPLITS = ("train", "validation", "test")


@dataclass(frozen=True)
class Straddling:
    """Persons and texts that stand in two or more of train, validation and test, and the notes looked at."""

    n_persons: int
    n_texts: int
    n_notes: int


@dataclass(frozen=True)
class NearDuplicates:
    """Texts of validation and test that are nearly one of another split, of those compared; `n_notes` could have been."""

    n_compared: int
    n_near: int
    n_notes: int


def straddling(splits: pa.Table) -> Straddling:
    """Count persons and texts in two splits; `splits` is `SPLITS`, notes without labels now among them."""
    rows = splits.select(["person_id", "text_sha256", "split"]).filter(pc.field("split") != "excluded")

    def n_in_two(name: str) -> int:
        counted = rows.group_by(name).aggregate([("split", "count_distinct")])["split_count_distinct"]
        return int(pc.sum(pc.greater(counted, 1), min_count=0).as_py())

    return Straddling(n_in_two("person_id"), n_in_two("text_sha256"), rows.num_rows)


def near_duplicates(splits: pa.Table, lake: Lake) -> NearDuplicates:
    """Compare texts of validation and test with those of the splits before them, by shingles of five words.

    At most 1,500 texts of validation and test, and as many of each split they are compared with, are read, the same ones each
    time: those whose digests come first. So the time is bounded, and a share is an estimate where there are more.
    """
    rows = splits.filter(pc.and_(splits["is_annotated"], pc.not_equal(splits["split"], "excluded")))
    frame = rows.select(["text_sha256", "split"]).to_pandas().drop_duplicates("text_sha256").sort_values("text_sha256")
    n_judged = int((frame["split"] != "train").sum())
    if not n_judged or frame["split"].nunique() < 2:
        return NearDuplicates(0, 0, n_judged)
    sizes = {"train": SAMPLE, "validation": SAMPLE // 2, "test": SAMPLE // 2}
    sample = frame.groupby("split", sort=False).apply(lambda part: part.head(sizes[part.name]), include_groups=False)
    chosen = frame[frame["text_sha256"].isin(sample["text_sha256"])]
    return _compare(chosen, _texts(lake, chosen["text_sha256"].tolist()), n_judged)


def _compare(chosen: pd.DataFrame, texts: dict[str, str], n_judged: int) -> NearDuplicates:
    by_split = {
        name: [texts[one] for one in chosen.loc[chosen["split"] == name, "text_sha256"] if one in texts]
        for name in _SPLITS
    }
    n_near = near_duplicates_across(by_split["validation"], by_split["train"])
    n_near += near_duplicates_across(by_split["test"], by_split["train"] + by_split["validation"])
    return NearDuplicates(len(by_split["validation"]) + len(by_split["test"]), n_near, n_judged)


def near_duplicates_across(judged: Sequence[str], known: Sequence[str]) -> int:
    """Return how many of the texts `judged` are nearly one of `known` (Jaccard of five-word shingles at least 0.8)."""
    from sklearn.feature_extraction.text import HashingVectorizer

    if not judged or not known:
        return 0
    hashed = HashingVectorizer(
        ngram_range=(WORDS, WORDS), n_features=_FEATURES, binary=True, norm=None, alternate_sign=False, dtype=np.float32
    )
    a, b = hashed.transform(one[:CHARS] for one in judged), hashed.transform(one[:CHARS] for one in known)
    shared = (a @ b.T).tocoo()
    n_a, n_b = (np.asarray(one.sum(axis=1)).ravel() for one in (a, b))
    jaccard = shared.data / (n_a[shared.row] + n_b[shared.col] - shared.data)
    return int(np.unique(shared.row[jaccard >= SIMILAR]).size)


def _texts(lake: Lake, digests: Sequence[str]) -> dict[str, str]:
    wanted = pa.array(digests)
    found: dict[str, str] = {}
    for batch in lake.batches("notes/notes"):
        rows = lake.read("notes/notes", batch, ["text_sha256", "text"])
        rows = rows.filter(pc.is_in(rows["text_sha256"], value_set=wanted))
        found.update(zip(rows["text_sha256"].to_pylist(), rows["text"].to_pylist(), strict=True))
    return found
