"""Which answers a human should look at next, and why."""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.labels.answer_cube import GOLD_LABELLER, AnswerCube, rows_table
from clinical_assets.labels.consensus import consensus_of_field

__all__ = ["AUDIT_SHARE", "FAILURES", "LOW_MARGIN", "is_audited", "priorities", "review_queue_table"]

Floats = npt.NDArray[np.float64]

AUDIT_SHARE = 0.02
LOW_MARGIN = 0.2  # P(true) from 0.3 to 0.7
FAILURES = ("parse_error", "truncated", "too_long")  # a labeller was asked and gave no value that a rerun would mend

_QUEUE = pa.schema(
    [pa.field(name, pa.int64()) for name in ("rank", "note_id", "person_id")]
    + [pa.field("field", pa.string()), pa.field("reason", pa.string()), pa.field("has_gold", pa.bool_())]
    + [pa.field("priority", pa.float64())]
    + [pa.field(name, pa.int64()) for name in ("n_true", "n_false", "n_missing", "n_unsupported")]
    + [pa.field("smallest_margin", pa.float64()), pa.field("consensus_probability", pa.float64())]
)


def review_queue_table(answers: pa.Table) -> pa.Table:
    """Return one row per note in scope and field that is worth a look, those without gold first, then by priority.

    The reason is the first that holds: `disagreement` (machine labellers answer both true and false), `low_margin` (the
    least sure P(true) is within 0.2 of 0.5), `missing` (a labeller was asked and its answer could not be read, or the note was
    too long), `unsupported_evidence` (a model says true of what the text does not say), `random_audit` (2 % of all other
    answers, to see what agreement misses: read all of these, whatever their rank).

    Parameters
    ----------
    answers
        One row per labeller (``manual`` among them), note in scope and field (labels.scope_answers): person_id, value,
        probability, status, is_unsupported.

    Returns
    -------
    table
        ``priority`` as `priorities` says; ``consensus_probability`` is P(true) of Dawid & Skene (see `consensus`), null with
        fewer than three machine labellers. ``n_missing`` counts machine labellers without a value, not asked ones too.
    """
    if not answers.num_rows:
        return rows_table([], _QUEUE)
    cube = AnswerCube(answers)
    machines = cube.machines()
    value, unsupported = cube.numbers("value")[machines], cube.where("is_unsupported", [True])[machines]
    n_true, n_false = (value == 1).sum(axis=0), (value == 0).sum(axis=0)
    failed = cube.where("status", FAILURES)[machines].sum(axis=0)
    margin = _smallest_margin(cube.numbers("probability")[machines])
    n_unsupported = unsupported.sum(axis=0)
    priority = priorities(n_true, n_false, failed, margin, n_unsupported)
    consensus = _consensus(value)
    has_gold = _has_gold(cube)
    reasons = {
        "disagreement": (n_true > 0) & (n_false > 0),
        "low_margin": margin < LOW_MARGIN,
        "missing": failed > 0,
        "unsupported_evidence": n_unsupported > 0,
        "random_audit": (n_true + n_false > 0) & _audited(cube),
    }
    rows: list[dict[str, Any]] = []
    first = np.select(list(reasons.values()), list(range(len(reasons))), default=-1)
    names = list(reasons)
    for i, j in np.argwhere(first >= 0).tolist():
        row: dict[str, Any] = {
            "note_id": int(cube.notes[i]),
            "person_id": int(cube.persons[i]),
            "field": cube.fields[j],
        }
        row |= {"reason": names[first[i, j]], "has_gold": bool(has_gold[i, j]), "priority": float(priority[i, j])}
        row |= {"n_true": int(n_true[i, j]), "n_false": int(n_false[i, j])}
        row |= {"n_missing": len(machines) - row["n_true"] - row["n_false"], "n_unsupported": int(n_unsupported[i, j])}
        row |= {"smallest_margin": margin[i, j], "consensus_probability": consensus[i, j]}
        rows.append(row)
    # rounded, or the last digit of a float would decide between equals
    rows.sort(key=lambda row: (row["has_gold"], -round(row["priority"], 9), row["note_id"], row["field"]))
    return rows_table([row | {"rank": rank + 1} for rank, row in enumerate(rows)], _QUEUE)


def priorities(
    n_true: npt.ArrayLike,
    n_false: npt.ArrayLike,
    n_failed: npt.ArrayLike,
    margin: npt.ArrayLike,
    n_unsupported: npt.ArrayLike,
) -> Floats:
    """Return how much an answer is worth a look, elementwise, from 0 to 3.

    Parameters
    ----------
    n_true, n_false
        Machine labellers that say so.
    n_failed
        Those that were asked and gave no value.
    margin
        Smallest ``|P(true) - 0.5|``, 0 to 0.5; nan without probabilities.
    n_unsupported
        Those that say true without support in the text.

    Returns
    -------
    array
        Vote entropy, bits (Dagan & Engelson 1995), plus ``(1 - 2 margin) / 2`` (0 without probabilities), plus the share of the
        labellers asked that failed, plus half the share of the answers true that are unsupported.
    """
    true, false, failed, unsupported = (
        np.asarray(one, dtype=float) for one in (n_true, n_false, n_failed, n_unsupported)
    )
    said = true + false
    share = np.divide(true, said, out=np.zeros(said.shape), where=said > 0)
    entropy = np.zeros(share.shape)
    split = (share > 0) & (share < 1)
    entropy[split] = -share[split] * np.log2(share[split]) - (1 - share[split]) * np.log2(1 - share[split])
    doubt = np.nan_to_num((1 - 2 * np.asarray(margin, dtype=float)) / 2, nan=0.0)
    asked = said + failed
    failing = np.divide(failed, asked, out=np.zeros(said.shape), where=asked > 0)
    unfounded = np.divide(unsupported, true, out=np.zeros(said.shape), where=true > 0)
    return np.asarray(entropy + doubt + failing + unfounded / 2)


def is_audited(note_id: int, field: str) -> bool:
    """Return whether an answer is in the random audit: from a hash of note and field, so that it stays in from build to build."""
    digest = hashlib.sha256(f"random_audit:{note_id}:{field}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < AUDIT_SHARE * 2**64


def _smallest_margin(probability: Floats) -> Floats:
    """Shape (notes, fields); nan without probabilities."""
    margin = np.abs(probability - 0.5)
    return np.asarray(np.fmin.reduce(margin, axis=0, initial=np.nan))


def _consensus(value: Floats) -> Floats:
    """P(true) of each note and field; nan where there are too few labellers."""
    out = np.full(value.shape[1:], np.nan)
    for j in range(value.shape[2]):
        fitted = consensus_of_field(value[:, :, j].T)
        if fitted is not None:
            out[:, j] = fitted.posterior
    return out


def _has_gold(cube: AnswerCube) -> npt.NDArray[np.bool_]:
    """Whether a human labelled a note and field; where annotators disagree too, as it has been looked at."""
    human = [i for i, name in enumerate(cube.labellers) if name == GOLD_LABELLER]
    return np.asarray(cube.has_row()[human].any(axis=0))


def _audited(cube: AnswerCube) -> npt.NDArray[np.bool_]:
    return np.array([[is_audited(int(note), field) for field in cube.fields] for note in cube.notes])
