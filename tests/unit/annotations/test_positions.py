"""Human labels that name notes by position are refused, and the message says why and what to do, but never a text."""

from __future__ import annotations

import hashlib

import pyarrow as pa
import pytest

from clinical_assets.annotations.positions import AnnotationsError, check_annotations

SHA = hashlib.sha256(b"a").hexdigest()


def table(**columns) -> pa.Table:
    good = {
        "note_id": [1, 2],
        "text_sha256": [SHA, SHA.upper()],
        "annotator": ["a", "a"],
        "field": ["f", "f"],
        "value": [True, None],
    }
    return pa.table({name: values for name, values in (good | columns).items() if values is not None})


def test_keyed_labels_pass() -> None:
    check_annotations(table())
    check_annotations(table(note_id=["1", "22"], comment=["x", "y"]))
    check_annotations(table(note_text=["Seen in clinic. Note 12 was reviewed.", "Note 1"]).slice(0, 1))
    check_annotations(table().slice(0, 0))


@pytest.mark.parametrize("values", [["Note 12", "Note 13"], ["note_201", "note_202"], ["#1", "#2"], ["Row 1", "row 2"]])
@pytest.mark.parametrize("column", ["note_text", "note"])
def test_positions_are_refused(column: str, values: list[str]) -> None:
    with pytest.raises(AnnotationsError) as caught:
        check_annotations(table(note_id=None, text_sha256=None, **{column: values}))
    message = str(caught.value)
    for part in (column, values[0], "200 rows", "note_id", "text_sha256", "hashlib.sha256", "by position"):
        assert part in message


def test_positions_as_ids_are_refused_with_a_digest_too() -> None:
    with pytest.raises(AnnotationsError, match="by position"):
        check_annotations(table(note_id=["Note 1", "Note 2"]))


def test_a_bare_order_of_rows_is_refused() -> None:
    with pytest.raises(AnnotationsError, match="their order"):
        check_annotations(pa.table({"cml_diagnosed": [True, False]}))


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"text_sha256": None}, "missing columns: text_sha256"),
        ({"annotator": None}, "missing columns: annotator"),
        ({"note_id": [1, None]}, "note_id must be a whole number"),
        ({"note_id": ["x9", "2"]}, "note_id must be a whole number"),
        ({"note_id": [1.5, 2.0]}, "note_id must be a whole number"),
        ({"text_sha256": ["short", SHA]}, "64 hex digits"),
        ({"text_sha256": [None, SHA]}, "64 hex digits"),
    ],
)
def test_what_is_wrong_is_said(columns, says: str) -> None:
    with pytest.raises(AnnotationsError, match=says):
        check_annotations(table(**columns))


def test_no_text_of_a_note_is_repeated() -> None:
    secret = "Mr Zzyzx was seen today for CML."
    for columns in (
        {"note_id": None, "text_sha256": None},
        {"note_id": [secret, secret]},
        {"text_sha256": [secret, secret]},
    ):
        with pytest.raises(AnnotationsError) as caught:
            check_annotations(table(**{"note_text": [secret, "Note 1"]} | columns))
        assert "Zzyzx" not in str(caught.value)
