"""Annotators two by two: only current answers on current texts count, and the measures are those of statistics."""

from __future__ import annotations

import pyarrow as pa
import pytest

from clinical_assets.annotations.annotator_agreement import annotator_agreement_table
from clinical_assets.statistics.agreement import pair_agreement


def rows(who: str, values: list[bool | None], *, current: bool = True, text: bool = True) -> list[dict]:
    return [
        {
            "note_id": i,
            "person_id": i // 2,
            "field": "f",
            "annotator": who,
            "version": 1,
            "value": value,
            "is_current": current,
            "is_current_text": text,
        }
        for i, value in enumerate(values)
        if value is not None
    ]


A, B = [True, True, False, False, True, None] * 5, [True, False, False, False, True, True] * 5


def test_pairs_on_what_both_read() -> None:
    table = pa.Table.from_pylist(
        rows("manual", A) + rows("ben", B) + rows("old", A, current=False) + rows("other_text", A, text=False)
    )
    found = annotator_agreement_table(table).to_pylist()
    assert len(found) == 1
    expected = pair_agreement([b for a, b in zip(A, B, strict=True) if a is not None], [a for a in A if a is not None])
    one = found[0]
    assert (one["annotator_a"], one["annotator_b"], one["field"], one["n"]) == ("ben", "manual", "f", 25)
    for name in ("observed", "cohen_kappa", "pabak", "gwet_ac1"):
        assert one[name] == pytest.approx(getattr(expected, name))
        assert one[f"{name}_low"] <= one[name] <= one[f"{name}_high"]
    assert (one["a_only"], one["b_only"]) == (0, 5)


def test_one_annotator_is_no_pair() -> None:
    table = pa.Table.from_pylist(rows("anna", A))
    assert annotator_agreement_table(table).num_rows == annotator_agreement_table(table.slice(0, 0)).num_rows == 0


@pytest.mark.parametrize("n_fields", [1, 2, 3, 7, 12])
def test_names_come_back_however_many_rows_there_are(n_fields: int) -> None:
    # pyarrow's binary_slice failed with 2 and with 12 rows
    told = [row | {"field": f"f{k}"} for who in ("ann@x", "bö") for row in rows(who, A) for k in range(n_fields)]
    found = annotator_agreement_table(pa.Table.from_pylist(told))
    assert found["annotator_a"].to_pylist() == ["ann@x"] * n_fields
    assert found["annotator_b"].to_pylist() == ["bö"] * n_fields
