"""Inter-rater reliability of the annotators, two by two: the measures that labellers are compared with too."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.label_agreement import agreement_table
from clinical_assets.statistics.agreement import MEASURES

__all__ = ["annotator_agreement_table"]

_COUNTS = ("n", "n_persons", "a_only", "b_only")
_MEASURES = tuple(f"{name}{end}" for name in MEASURES for end in ("", "_low", "_high"))


def annotator_agreement_table(annotations: pa.Table) -> pa.Table:
    """Return one row per unordered pair of annotators and field that both answered on some note.

    Parameters
    ----------
    annotations
        One row per note, annotator, field and version (labels.annotations).

    Returns
    -------
    table
        On notes that both answered, by their current answers on the current text: n, their persons, what only one calls true,
        and observed agreement, Cohen's kappa, PABAK and Gwet's AC1 with 95 % limits from drawing persons.
    """
    current = annotations.filter(pc.and_(annotations["is_current"], annotations["is_current_text"]))
    # Only notes that two or more read say anything; usually they are few.
    readers = current.group_by("note_id").aggregate([("annotator", "count_distinct")])
    both = readers.filter(pc.greater(readers["annotator_count_distinct"], 1))["note_id"]
    current = current.filter(pc.is_in(current["note_id"], value_set=both.combine_chunks()))
    # The prefix keeps an annotator who is called like the gold labeller from being taken for it.
    named = pc.binary_join_element_wise("", current["annotator"], "@")
    rows = current.select(["note_id", "person_id", "field", "value"]).append_column("labeller", named)
    pairs = agreement_table(rows)
    # Not binary_slice: with some numbers of rows it fails in this version of pyarrow.
    names = [pc.utf8_slice_codeunits(pairs[f"labeller_{side}"], 1) for side in "ab"]
    columns = dict(zip(("annotator_a", "annotator_b"), names, strict=True))
    return pa.table(columns | {name: pairs[name] for name in ("field", *_COUNTS, *_MEASURES)})
