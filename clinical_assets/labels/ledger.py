"""The ledger: which labels are already made, so that nothing is labelled twice.

A label's identity is :data:`~clinical_assets.storage.contracts.LABEL_IDENTITY`. A partition is rewritten whole, but rows
whose identity is already there are carried over, and the labeller sees only the other notes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.storage.contracts import LABELS

__all__ = ["LabelTally", "carry_over", "label_chunks"]


@dataclass
class LabelTally:
    """What a labelling run did: notes carried over and computed, and true / false / without value per field."""

    n_cached: int = 0
    n_computed: int = 0
    by_field: dict[str, dict[str, int]] = field(default_factory=dict)

    def count(self, labels: pa.Table) -> None:
        """Add a chunk of labels to the counts per field."""
        grouped = labels.select(["field", "value"]).group_by(["field", "value"]).aggregate([([], "count_all")])
        for row in grouped.to_pylist():
            name = {True: "n_true", False: "n_false", None: "n_without_value"}[row["value"]]
            counts = self.by_field.setdefault(row["field"], {"n_true": 0, "n_false": 0, "n_without_value": 0})
            counts[name] += row["count_all"]


def carry_over(existing: pa.Table | None, notes: pa.Table, identity: Mapping[str, str]) -> pa.Table:
    """Return the rows of `existing` that are still the labels of `notes` (same text, same labeller, same question).

    Parameters
    ----------
    existing
        Labels of the partition as it stands (LABELS contract), or None.
    notes
        Notes to label: note_id, text_sha256.
    identity
        The labeller's constant part of the identity: every identity column but note_id and note_sha256.
    """
    if existing is None or not existing.num_rows:
        return LABELS.empty_table()
    # note_id is unique in a batch, so the text of a label's note is found by position of its id.
    text_now = notes["text_sha256"].take(pc.index_in(existing["note_id"], value_set=notes["note_id"].combine_chunks()))
    same = pc.fill_null(pc.equal(text_now, existing["note_sha256"]), False)
    for column, value in identity.items():
        same = pc.and_(same, pc.equal(existing[column], pa.scalar(value)))
    return existing.filter(same)


def label_chunks(
    chunks: Iterator[pa.Table],
    existing: pa.Table | None,
    identity: Mapping[str, str],
    label: Callable[[pa.Table], pa.Table],
    tally: LabelTally,
) -> Iterator[pa.Table]:
    """Yield the labels of each chunk of notes: carried over where the ledger has them, computed where not.

    Rows come in (note_id, field order of the labeller) so that the same labels make the same file however many of
    them were carried over.
    """
    for notes in chunks:
        kept = carry_over(existing, notes, identity)
        missing = pc.invert(pc.is_in(notes["note_id"], value_set=kept["note_id"].combine_chunks()))
        todo = notes.filter(missing)
        computed = label(todo) if todo.num_rows else LABELS.empty_table()
        tally.n_computed += todo.num_rows
        tally.n_cached += notes.num_rows - todo.num_rows
        labels = pa.concat_tables([kept, computed]).sort_by([("note_id", "ascending"), ("field", "ascending")])
        tally.count(labels)
        yield labels
