"""How far labellers agree on the notes in scope, two by two and all together; nobody is right or wrong here but in McNemar's
test, which asks whether two labellers are right on gold equally often.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from clinical_assets.labels.answer_cube import GOLD_LABELLER, AnswerCube, rows_table
from clinical_assets.labels.evaluation import N_REPLICATES, SEED
from clinical_assets.statistics.agreement import MEASURES, agreement_of_cells, holm, mcnemar_exact, pair_cells
from clinical_assets.statistics.bootstrap import interval, intervals, replicate_sums

__all__ = ["agreement_table", "overall_table"]

Floats = npt.NDArray[np.float64]

_AGREEMENT = pa.schema(
    [pa.field(name, pa.string()) for name in ("labeller_a", "labeller_b", "field")]
    + [pa.field(name, pa.int64()) for name in ("n", "n_persons", "a_only", "b_only")]
    + [pa.field(f"{name}{end}", pa.float64()) for name in MEASURES for end in ("", "_low", "_high")]
    + [pa.field(name, pa.int64()) for name in ("n_gold", "a_right_only", "b_right_only")]
    + [pa.field(name, pa.float64()) for name in ("mcnemar_p", "mcnemar_p_holm")]
)
_OVERALL = pa.schema(
    [pa.field("field", pa.string())]
    + [pa.field(name, pa.int64()) for name in ("n_labellers", "n", "n_persons")]
    + [pa.field(f"fleiss_kappa{end}", pa.float64()) for end in ("", "_low", "_high")]
)


def agreement_table(answers: pa.Table) -> pa.Table:
    """Return one row per unordered pair of labellers and field that both answered on some note.

    Parameters
    ----------
    answers
        One row per labeller (``manual`` among them), note in scope and field (labels.scope_answers): person_id, value.

    Returns
    -------
    table
        On notes that both answered: n, their persons, what only one calls true, and the measures of
        `statistics.agreement.PairAgreement` with 95 % limits from drawing persons. ``mcnemar_p`` is exact, of the notes that
        both answered and gold does: on how many only a, and only b, is right; null where one of them is gold itself or there
        is none. It takes notes as independent. ``mcnemar_p_holm`` is adjusted for the fields of the pair (Holm 1979).

    Raises
    ------
    ValueError
        If a labeller has two answers for a note and field.
    """
    if not answers.num_rows:
        return rows_table([], _AGREEMENT)
    cube = AnswerCube(answers)
    value = cube.numbers("value")
    pairs = list(combinations(range(cube.shape[0]), 2))
    is_gold = [name == GOLD_LABELLER for name in cube.labellers]
    gold = value[is_gold.index(True)] if any(is_gold) else np.full(cube.shape[1:], np.nan)
    rows: list[dict[str, Any]] = []
    for j, field in enumerate(cube.fields if pairs else []):
        # field by field, as all pairs and fields at once may not fit into memory; the same seed gives the same draws
        which = np.stack([pair_cells(value[a, :, j], value[b, :, j]) for a, b in pairs], axis=1)
        flat = which.reshape(which.shape[0], -1)
        drawn = replicate_sums(cube.persons, flat, n_replicates=N_REPLICATES, seed=SEED)
        found = agreement_of_cells(np.vstack([flat.sum(axis=0), drawn]).reshape(-1, len(pairs), 4))
        measures = {name: np.asarray(getattr(found, name)) for name in MEASURES}
        limits = {name: intervals(values[1:]) for name, values in measures.items()}
        for i, (a, b) in enumerate(pairs):
            row: dict[str, Any] = {"labeller_a": cube.labellers[a], "labeller_b": cube.labellers[b], "field": field}
            both = which[:, i].any(axis=1)
            n, b_only, a_only = (int(np.asarray(one)[0, i]) for one in (found.n, found.b_only, found.a_only))
            if not n:
                continue
            row |= {"n": n, "n_persons": int(np.unique(cube.persons[both]).size), "a_only": a_only, "b_only": b_only}
            for name, values in measures.items():
                row[name] = values[0, i]
                row[f"{name}_low"], row[f"{name}_high"] = (limit[i] for limit in limits[name])
            compared = both & ~np.isnan(gold[:, j]) & (not is_gold[a] and not is_gold[b])
            rows.append(row | _rightness(value[a, compared, j], value[b, compared, j], gold[compared, j]))
    _adjust(rows)
    return rows_table(rows, _AGREEMENT)


def overall_table(answers: pa.Table) -> pa.Table:
    """Return one row per field: Fleiss' kappa (1971) of all machine labellers.

    Only notes that all of them answered count; labellers without any answer for a field are none of its raters.

    Parameters
    ----------
    answers
        As for `agreement_table`.

    Returns
    -------
    table
        Limits are 95 %, from drawing persons; kappa is null with fewer than two labellers, and where undefined.
    """
    rows: list[dict[str, Any]] = []
    if answers.num_rows:
        cube = AnswerCube(answers)
        value = cube.numbers("value")[cube.machines()]
        for j, field in enumerate(cube.fields):
            ratings = value[:, :, j].T
            ratings = ratings[:, ~np.isnan(ratings).all(axis=0)]
            complete = ~np.isnan(ratings).any(axis=1) & (ratings.shape[1] > 0)
            persons, ratings = cube.persons[complete], ratings[complete]
            row: dict[str, Any] = {"field": field, "n_labellers": ratings.shape[1], "n": len(persons)}
            row["n_persons"] = int(np.unique(persons).size)
            kappa = _fleiss(ratings, persons)
            row["fleiss_kappa"] = kappa[0]
            row["fleiss_kappa_low"], row["fleiss_kappa_high"] = interval(kappa[1:])
            rows.append(row)
    return rows_table(rows, _OVERALL)


def _rightness(a: Floats, b: Floats, gold: Floats) -> dict[str, Any]:
    """Counts of where only one of two is right, and McNemar's exact p; null without gold."""
    if not gold.size:
        return {"n_gold": 0, "a_right_only": None, "b_right_only": None, "mcnemar_p": None}
    a_only, b_only = int(((a == gold) & (b != gold)).sum()), int(((b == gold) & (a != gold)).sum())
    p = mcnemar_exact(a_only, b_only)
    return {"n_gold": gold.size, "a_right_only": a_only, "b_right_only": b_only, "mcnemar_p": p}


def _adjust(rows: list[dict[str, Any]]) -> None:
    """Add Holm's p to the rows of each pair."""
    tested: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for row in rows:
        row["mcnemar_p_holm"] = None
        if row["mcnemar_p"] is not None:
            tested.setdefault((row["labeller_a"], row["labeller_b"]), []).append(row)
    for of_pair in tested.values():
        for row, p in zip(of_pair, holm([row["mcnemar_p"] for row in of_pair]), strict=True):
            row["mcnemar_p_holm"] = float(p)


def _fleiss(ratings: Floats, persons: npt.NDArray[np.int64]) -> Floats:
    """Fleiss' kappa of complete ratings and of its replicates, shape (1 + n_replicates,).

    The formula of `statistics.agreement.fleiss_kappa`, from sums over items, so that replicates are one matrix product.
    """
    n_raters = ratings.shape[1]
    if n_raters < 2 or not ratings.size:
        return np.full(1 + N_REPLICATES, np.nan)
    n_true = ratings.sum(axis=1)
    n_false = n_raters - n_true
    agreeing = (n_true * (n_true - 1) + n_false * (n_false - 1)) / (n_raters * (n_raters - 1))
    columns = np.stack([agreeing, n_true / n_raters, np.ones_like(n_true)], axis=1)
    drawn = replicate_sums(persons, columns, n_replicates=N_REPLICATES, seed=SEED)
    pairs, true, n = np.vstack([columns.sum(axis=0), drawn]).T
    share = true / n
    chance = share**2 + (1 - share) ** 2
    varies = (share > 0) & (share < 1)
    return np.divide(pairs / n - chance, 1 - chance, out=np.full(n.shape, np.nan), where=varies)
