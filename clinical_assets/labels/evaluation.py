"""How good every labeller is, against gold: per field, and over all fields.

Every labeller is judged on every gold answer of a note set: one that it gave no value for counts as wrong and is counted
apart. Limits come from drawing persons with replacement (see `statistics.bootstrap`), the same draws for all labellers of a
note set, so that labellers can be compared replicate by replicate.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from clinical_assets.labels.answer_cube import AnswerCube, rows_table, values_by
from clinical_assets.statistics.bootstrap import intervals, replicate_sums
from clinical_assets.statistics.classification import Counts, Metrics, cells, macro_f1_of_positives, metrics

__all__ = ["N_REPLICATES", "SEED", "evaluation_table", "summary_table"]

Floats = npt.NDArray[np.float64]

N_REPLICATES = 500
SEED = 20250701

_WITH_LIMITS = ("f1", "precision", "recall", "mcc", "kappa")
_METRICS = tuple(one.name for one in fields(Metrics) if one.name not in {"n", "n_positive"})
_KEY = [pa.field(name, pa.string()) for name in ("labeller", "field", "note_set", "rule")]
_COUNTS = ("n", "n_persons", "n_positive", "tp", "fp", "fn", "tn", "n_missing", "n_parse_error", "n_gold_disagree")
_EVALUATION = pa.schema(
    _KEY
    + [pa.field(name, pa.int64()) for name in _COUNTS]
    + [pa.field(name, pa.float64()) for name in _METRICS]
    + [pa.field(f"{name}_{end}", pa.float64()) for name in _WITH_LIMITS for end in ("low", "high")]
)
_OVERALL = ("macro_f1", "micro_precision", "micro_recall", "micro_f1")
_SUMMARY = pa.schema(
    [field for field in _KEY if field.name != "field"]
    + [pa.field(name, pa.int64()) for name in ("n_notes", "n_persons", "n_fields", "n_fields_with_positives")]
    + [pa.field(name, pa.int64()) for name in ("n", "n_positive", "n_missing", "n_gold_disagree")]
    + [pa.field("missing_share", pa.float64())]
    + [pa.field(f"{name}{end}", pa.float64()) for name in _OVERALL for end in ("", "_low", "_high")]
)


@dataclass(frozen=True)
class _Judged:
    """The labellers of one note set by one rule.

    Attributes
    ----------
    sums
        Shape (1 + n_replicates, labellers, fields, 5): `classification.cells` added up; row 0 is the notes themselves.
    n_parse_error
        Shape (labellers, fields).
    n_gold_disagree
        Shape (fields,), notes whose annotators disagree: in none of the others.
    """

    note_set: str
    rule: str
    labellers: list[str]
    fields: list[str]
    n_notes: int
    n_persons: int
    sums: Floats
    n_parse_error: npt.NDArray[np.int64]
    n_gold_disagree: npt.NDArray[np.int64]


def evaluation_table(items: pa.Table, thresholds: pa.Table) -> pa.Table:
    """Return one row per labeller, field, note set and rule.

    Note sets are `scope` (notes in scope with gold, whatever their split), `validation` and `test` (of those, the split's),
    and `annotated` (all notes with gold, for labellers that answered outside the scope too). Rules are `default` (the
    labeller's own value) and `tuned` (P(true) at least the threshold chosen on validation; only on validation, where it
    flatters, and on test, where it does not; an answer without a probability stands as it is).

    Parameters
    ----------
    items
        One row per labeller, note and field with gold (labels.evaluation_items): person_id, split, in_scope, gold (null
        where annotators disagree), value, probability, status.
    thresholds
        One row per labeller with probabilities and field (labels.label_thresholds).

    Returns
    -------
    table
        Counts; shares between 0 and 1; 95 % limits ``<metric>_low`` and ``_high`` of f1, precision, recall, mcc, kappa. Null
        where undefined.

    Raises
    ------
    ValueError
        If a labeller has two answers for a note and field.
    """
    rows: list[dict[str, Any]] = []
    for judged in _judge(items, thresholds):
        found = metrics(Counts(*np.moveaxis(judged.sums, -1, 0)))
        limits = {name: intervals(np.asarray(getattr(found, name))[1:]) for name in _WITH_LIMITS}
        for i, labeller in enumerate(judged.labellers):
            for j, name in enumerate(judged.fields):
                tp, fp, fn, tn, n_missing = (int(total) for total in judged.sums[0, i, j])
                row: dict[str, Any] = {
                    "labeller": labeller,
                    "field": name,
                    "note_set": judged.note_set,
                    "rule": judged.rule,
                }
                row |= {"n": tp + fp + fn + tn, "n_persons": judged.n_persons, "n_positive": tp + fn}
                row |= {"tp": tp, "fp": fp, "fn": fn, "tn": tn, "n_missing": n_missing}
                row["n_parse_error"] = int(judged.n_parse_error[i, j])
                row["n_gold_disagree"] = int(judged.n_gold_disagree[j])
                for metric in _METRICS:
                    row[metric] = np.asarray(getattr(found, metric))[0, i, j]
                for metric, (low, high) in limits.items():
                    row[f"{metric}_low"], row[f"{metric}_high"] = low[i, j], high[i, j]
                rows.append(row)
    return rows_table(rows, _EVALUATION)


def summary_table(items: pa.Table, thresholds: pa.Table) -> pa.Table:
    """Return one row per labeller, note set and rule: F1 over all fields.

    Macro F1 is the mean over the fields with at least one true gold answer, which are the same for every labeller of a note
    set; in a replicate, over those with one there. Micro takes the answers of all fields together.

    Parameters
    ----------
    items, thresholds
        As for `evaluation_table`.

    Raises
    ------
    ValueError
        As `evaluation_table`.
    """
    rows: list[dict[str, Any]] = []
    for judged in _judge(items, thresholds):
        counts = Counts(*np.moveaxis(judged.sums, -1, 0))
        n_fields = (np.asarray(counts.tp) + np.asarray(counts.fn) > 0).sum(axis=2)
        macro = macro_f1_of_positives(counts)
        micro = metrics(Counts(*np.moveaxis(judged.sums.sum(axis=2), -1, 0)))
        quantities = dict(zip(_OVERALL, (macro, micro.precision, micro.recall, micro.f1), strict=True))
        limits = {name: intervals(np.asarray(values)[1:]) for name, values in quantities.items()}
        for i, labeller in enumerate(judged.labellers):
            tp, fp, fn, tn, n_missing = (int(total) for total in judged.sums[0, i].sum(axis=0))
            n = tp + fp + fn + tn
            row: dict[str, Any] = {"labeller": labeller, "note_set": judged.note_set, "rule": judged.rule}
            row |= {"n_notes": judged.n_notes, "n_persons": judged.n_persons, "n_fields": len(judged.fields)}
            row |= {
                "n_fields_with_positives": int(n_fields[0, i]),
                "n": n,
                "n_positive": tp + fn,
                "n_missing": n_missing,
            }
            row["n_gold_disagree"] = int(judged.n_gold_disagree.sum())
            row["missing_share"] = n_missing / n if n else None
            for name, values in quantities.items():
                low, high = limits[name]
                row |= {name: np.asarray(values)[0, i], f"{name}_low": low[i], f"{name}_high": high[i]}
            rows.append(row)
    return rows_table(rows, _SUMMARY)


def _judge(items: pa.Table, thresholds: pa.Table) -> Iterator[_Judged]:
    """Count every note set by every rule that applies to it; sets without notes are left out."""
    cut = values_by(thresholds, ["labeller", "field"], "threshold")
    in_scope, split = items["in_scope"], items["split"]
    elsewhere = pc.unique(items["labeller"].filter(pc.invert(in_scope)))
    chosen = {
        "scope": in_scope,
        "validation": pc.and_(in_scope, pc.equal(split, "validation")),
        "test": pc.and_(in_scope, pc.equal(split, "test")),
        "annotated": pc.is_in(items["labeller"], value_set=elsewhere),
    }
    for note_set, mask in chosen.items():
        rows = items.filter(mask)
        if not rows.num_rows:
            continue
        yield _count(AnswerCube(rows), note_set, "default")
        probable = rows.filter(pc.is_in(rows["labeller"], value_set=pc.unique(thresholds["labeller"])))
        if note_set in {"validation", "test"} and probable.num_rows:
            yield _count(AnswerCube(probable), note_set, "tuned", cut)


def _count(cube: AnswerCube, note_set: str, rule: str, cut: dict[tuple[Any, ...], float] | None = None) -> _Judged:
    n_labellers, n_notes, n_fields = cube.shape
    # every labeller has a row for every gold answer, so any of them holds it
    gold = np.fmax.reduce(cube.numbers("gold"), axis=0)
    known = ~np.isnan(gold)
    value = cube.numbers("value")
    if cut is not None:
        probability = cube.numbers("probability")
        threshold = np.array([[cut.get((who, what), np.nan) for what in cube.fields] for who in cube.labellers])[
            :, None
        ]
        decided = ~np.isnan(probability) & ~np.isnan(threshold)
        value = np.where(decided, probability >= threshold, value)
    which = np.zeros((n_notes, n_labellers, n_fields, 5))
    for i in range(n_labellers):
        of_one = np.zeros((n_notes, n_fields, 5))
        of_one[known] = cells(gold[known], value[i][known])
        which[:, i] = of_one
    flat = which.reshape(n_notes, -1)
    drawn = replicate_sums(cube.persons, flat, n_replicates=N_REPLICATES, seed=SEED)
    failed = cube.where("status", ["parse_error"]) & known
    return _Judged(
        note_set=note_set,
        rule=rule,
        labellers=cube.labellers,
        fields=cube.fields,
        n_notes=n_notes,
        n_persons=int(np.unique(cube.persons).size),
        sums=np.vstack([flat.sum(axis=0), drawn]).reshape(-1, n_labellers, n_fields, 5),
        n_parse_error=failed.sum(axis=1),
        n_gold_disagree=(cube.has_row().any(axis=0) & ~known).sum(axis=0),
    )
