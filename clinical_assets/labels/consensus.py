"""What machine labellers together hold to be true, and how good each is by that, where there is no gold.

Dawid & Skene (1979), see `statistics.dawid_skene`. Labellers who share their errors, e.g. the two rules or models of one
family, come out too good: it is no gold.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.labels.answer_cube import AnswerCube, rows_table
from clinical_assets.statistics.dawid_skene import DawidSkene, dawid_skene

__all__ = ["LEAST_LABELLERS", "consensus_of_field", "consensus_table"]

LEAST_LABELLERS = 3

_CONSENSUS = pa.schema(
    [pa.field("labeller", pa.string()), pa.field("field", pa.string())]
    + [pa.field(name, pa.float64()) for name in ("sensitivity", "specificity", "prevalence")]
    + [pa.field(name, pa.int64()) for name in ("n", "n_notes", "n_labellers", "n_iterations")]
    + [pa.field("converged", pa.bool_())]
)


def consensus_table(answers: pa.Table) -> pa.Table:
    """Return one row per machine labeller and field with at least three machine labellers.

    Parameters
    ----------
    answers
        One row per labeller, note in scope and field (labels.scope_answers): value.

    Returns
    -------
    table
        Shares between 0 and 1; ``n`` answers of the labeller on ``n_notes`` notes with an answer. Labellers without an answer
        for a field have no row there.
    """
    rows: list[dict[str, Any]] = []
    if answers.num_rows:
        cube = AnswerCube(answers)
        value = cube.numbers("value")
        for j, field in enumerate(cube.fields):
            ratings = value[cube.machines(), :, j].T
            fitted = consensus_of_field(ratings)
            if fitted is None:
                continue
            answered = ~np.isnan(ratings)
            for i, place in enumerate(cube.machines()):
                if not answered[:, i].any():
                    continue
                row: dict[str, Any] = {"labeller": cube.labellers[place], "field": field}
                row |= {"sensitivity": fitted.sensitivity[i], "specificity": fitted.specificity[i]}
                row |= {"prevalence": fitted.prevalence, "n": int(answered[:, i].sum())}
                row |= {"n_notes": int(answered.any(axis=1).sum()), "n_labellers": int(answered.any(axis=0).sum())}
                rows.append(row | {"n_iterations": fitted.n_iterations, "converged": fitted.converged})
    return rows_table(rows, _CONSENSUS)


def consensus_of_field(ratings: npt.NDArray[np.float64]) -> DawidSkene | None:
    """Return the fit of one field's ratings, shape (notes, labellers), nan where missing; None with fewer than three raters."""
    if (~np.isnan(ratings)).any(axis=0).sum() < LEAST_LABELLERS:
        return None
    return dawid_skene(ratings)
