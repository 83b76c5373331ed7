"""Long tables of answers (one row per labeller, note and field) as arrays: labeller x note x field.

Only the shape belongs here; what is counted in it is decided elsewhere. Labellers, notes and fields are sorted, so that the
order of the rows, which a database does not promise, changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

__all__ = ["GOLD_LABELLER", "AnswerCube", "rows_table", "values_by"]

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]

GOLD_LABELLER = "manual"


class AnswerCube:
    """Answers by labeller, note and field.

    Parameters
    ----------
    rows
        One row per labeller, note and field, in any order; columns labeller, note_id, person_id, field and any others.

    Attributes
    ----------
    labellers, fields
        Names, sorted.
    notes, persons
        Shape (n_notes,): note_id, sorted, and the person of each.
    shape
        Numbers of labellers, notes and fields.

    Raises
    ------
    ValueError
        If a labeller, note and field have two rows.
    """

    def __init__(self, rows: pa.Table) -> None:
        self._rows = rows.combine_chunks()
        labellers, labeller = _codes(self._rows["labeller"])
        notes, note = _codes(self._rows["note_id"])
        fields, field = _codes(self._rows["field"])
        self.labellers: list[str] = labellers.to_pylist()
        self.fields: list[str] = fields.to_pylist()
        self.notes = notes.to_numpy(zero_copy_only=False).astype(np.int64)
        self.shape = (len(self.labellers), len(self.notes), len(self.fields))
        self._place = (labeller * self.shape[1] + note) * self.shape[2] + field
        if np.unique(self._place).size != self._place.size:
            raise ValueError("a labeller has two answers for one note and field; expected one row each")
        self.persons = np.zeros(self.shape[1], dtype=np.int64)
        self.persons[note] = self._rows["person_id"].to_numpy()

    def numbers(self, column: str) -> Floats:
        """Return a number or true/false column as floats (1, 0), shape `shape`; nan where null or without a row."""
        given = pc.cast(self._rows[column], pa.float64())
        out = np.full(int(np.prod(self.shape)), np.nan)
        out[self._place] = given.to_numpy(zero_copy_only=False)
        return out.reshape(self.shape)

    def where(self, column: str, values: Iterable[Any]) -> Flags:
        """Return where a column holds one of `values`, shape `shape`; false without a row."""
        out = np.zeros(int(np.prod(self.shape)), dtype=bool)
        held = pc.is_in(self._rows[column], value_set=pa.array(list(values), self._rows[column].type))
        out[self._place] = held.to_numpy(zero_copy_only=False)
        return out.reshape(self.shape)

    def has_row(self) -> Flags:
        """Return where there is a row at all, shape `shape`."""
        out = np.zeros(int(np.prod(self.shape)), dtype=bool)
        out[self._place] = True
        return out.reshape(self.shape)

    def machines(self) -> list[int]:
        """Return the places of the labellers that are not human."""
        return [i for i, name in enumerate(self.labellers) if name != GOLD_LABELLER]


def rows_table(rows: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows as a table in which what is undefined (nan) is null.

    Raises
    ------
    KeyError
        If a row lacks a column of the schema.
    """
    columns = [[row[name] for row in rows] for name in schema.names]
    return pa.Table.from_arrays(
        [pa.array(column, field.type, from_pandas=True) for column, field in zip(columns, schema, strict=True)],
        schema=schema,
    )


def values_by(rows: pa.Table, keys: Sequence[str], column: str) -> dict[tuple[Any, ...], Any]:
    """Return key columns -> value of one column, where the keys identify a row."""
    named = zip(*(rows[name].to_pylist() for name in keys), strict=True)
    return dict(zip(named, rows[column].to_pylist(), strict=True))


def _codes(column: pa.ChunkedArray) -> tuple[pa.Array, npt.NDArray[np.int64]]:
    """The distinct values, sorted, and the place of each row's value among them."""
    distinct = pc.unique(column)
    distinct = distinct.take(pc.sort_indices(distinct))
    places = pc.index_in(column, value_set=distinct)
    return distinct, places.to_numpy().astype(np.int64)
