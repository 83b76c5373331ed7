"""Can the labels a model gave to a batch be trusted: coverage, failures, rates against the batches before, the cascade's misses."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.coverage import coverage_of
from clinical_assets.labels.drift import rate_changes
from clinical_assets.labels.model_labels import audited
from clinical_assets.labels.model_rows import CASCADE
from clinical_assets.statistics.classification import clopper_pearson
from clinical_assets.storage.lake import Lake
from clinical_assets.study.model import Study

__all__ = ["Verdict", "trust_in"]

_MOST_FAILURES = 0.01
_MOST_MISSED = 0.02
_TRAILING = 10  # batches


@dataclass(frozen=True)
class Verdict:
    """Whether a rule holds, the numbers it was judged by, and what to do if it does not."""

    passed: bool
    numbers: Mapping[str, Any]
    mend: str


def trust_in(lake: Lake, table: str, batch: str, study: Study, scope: Collection[int]) -> dict[str, Verdict]:
    """Judge the labels of one batch.

    Parameters
    ----------
    table
        The model's labels in the lake.
    scope
        note_ids of the batch that must be labelled.
    """
    columns = ["note_id", "note_sha256", "field", "value", "status", "reason", "mentioned"]
    labels = lake.read(table, batch, columns)
    notes = lake.read("notes/notes", batch, ["note_id", "text_sha256"])
    fields = [rule.name for rule in study.fields if rule.ask_models]
    in_scope = notes.filter(pc.is_in(notes["note_id"], value_set=pa.array(sorted(scope), pa.int64())))
    return {
        "every_label_has_a_known_note": _known(labels, notes),
        "every_note_in_scope_is_labelled": _covered(labels, in_scope, fields, len(scope)),
        "failures_are_rare": _failures(labels),
        "label_rates_are_steady": _steady(lake, table, batch, labels),
        "the_cascade_misses_little": _misses(labels, study),
    }


def _known(labels: pa.Table, notes: pa.Table) -> Verdict:
    n = coverage_of(labels.select(["note_id", "note_sha256", "field"]), notes, []).n_orphan_labels
    return Verdict(
        n == 0, {"n_unexpected": n, "n_labels": labels.num_rows}, "Materialize the labels again: notes changed."
    )


def _covered(labels: pa.Table, notes: pa.Table, fields: list[str], n_scope: int) -> Verdict:
    wanted = labels.select(["note_id", "note_sha256", "field"])
    n = coverage_of(wanted, notes, fields).n_missing_labels + (n_scope - notes.num_rows) * len(fields)
    share = 1.0 if not n_scope else 1 - n / (n_scope * len(fields))
    return Verdict(
        n == 0,
        {"n_missing": n, "n_notes_in_scope": n_scope, "coverage": round(share, 6)},
        "Materialize the labels of this batch again: notes came into scope, or their text changed, since it was labelled.",
    )


def _failures(labels: pa.Table) -> Verdict:
    asked = labels.filter(pc.not_equal(labels["status"], "no_text"))
    by_status = {item["values"]: item["counts"] for item in asked["status"].value_counts().to_pylist()}
    n = sum(count for status, count in by_status.items() if status != "labelled")
    rate = n / asked.num_rows if asked.num_rows else 0.0
    numbers = {"n_failed": n, "n_labels": asked.num_rows, "rate": rate, **{f"n_{k}": v for k, v in by_status.items()}}
    return Verdict(
        rate <= _MOST_FAILURES,
        numbers,
        "More than 1 % of answers failed. too_long: raise context_length; unavailable: mend the server and materialize again; "
        "parse_error: use a server that honours JSON schemas.",
    )


def _counts(labels: pa.Table) -> dict[str, tuple[int, int]]:
    known = (
        labels.filter(pc.is_valid(labels["value"])).group_by("field").aggregate([("value", "sum"), ("value", "count")])
    )
    return {row["field"]: (int(row["value_sum"]), int(row["value_count"])) for row in known.to_pylist()}


def _steady(lake: Lake, table: str, batch: str, labels: pa.Table) -> Verdict:
    earlier = [name for name in lake.batches(table) if name < batch][-_TRAILING:]
    before: dict[str, tuple[int, int]] = {}
    for name in earlier:
        for field, (true, n) in _counts(lake.read(table, name, ["field", "value"])).items():
            old = before.get(field, (0, 0))
            before[field] = (old[0] + true, old[1] + n)
    changes = rate_changes(_counts(labels), before)
    numbers: dict[str, Any] = {"n_changed": len(changes), "n_batches_before": len(earlier)}
    numbers |= {c.field: f"{c.trailing_rate:.3f} -> {c.rate:.3f} (n {c.n:,}, p {c.p:.2g})" for c in changes}
    return Verdict(
        not changes,
        numbers,
        "Labels of this batch are true at another rate than before. Look whether the notes differ (site, kind, years) or the model.",
    )


def _misses(labels: pa.Table, study: Study) -> Verdict:
    """Estimate how often a field without a mention is true, from the random sample that the model read all the same."""
    if not study.labelling.cascade:
        return Verdict(True, {"cascade": "off"}, "")
    share = study.labelling.audit_share
    rows = (
        labels.filter(pc.equal(labels["status"], "labelled"))
        .select(["note_id", "value", "reason", "mentioned"])
        .to_pylist()
    )
    sample = [
        row for row in rows if audited(row["note_id"], share) and row["reason"] != CASCADE and row["mentioned"] is False
    ]
    n, missed = len(sample), sum(bool(row["value"]) for row in sample)
    low, high = clopper_pearson(missed, n) if n else (0.0, 1.0)
    rate = missed / n if n else 0.0
    return Verdict(
        n == 0 or low <= _MOST_MISSED,
        {"n_audited": n, "n_missed": missed, "miss_rate": rate, "low_95": low, "high_95": high},
        "The model finds fields true whose terms do not occur: read these notes, and widen the terms or switch the cascade off.",
    )
