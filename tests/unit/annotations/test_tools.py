"""Exports of annotation tools, written by hand as the tools write them, become claims; skipped tasks become nothing."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime

import pyarrow as pa
import pytest

from clinical_assets.annotations.formats import parse_labels
from clinical_assets.annotations.positions import AnnotationsError
from clinical_assets.notes.errors import CorruptFile

TEXT = "Seen for CML. No imatinib."
SHA = hashlib.sha256(TEXT.encode()).hexdigest()


def parse(content: object, name: str = "export.json"):
    if isinstance(content, list) and name.endswith("jsonl"):
        content = "".join(json.dumps(row) + "\n" for row in content)
    elif not isinstance(content, (str, bytes)):
        content = json.dumps(content)
    return parse_labels(pa.py_buffer(content.encode() if isinstance(content, str) else content), name)


def said(parsed) -> dict[tuple, bool]:
    rows = parsed.claims.to_pylist()
    assert {row["text_sha256"] for row in rows} <= {SHA}
    return {(row["note_id"], row["annotator"], row["field"]): row["value"] for row in rows}


def choices(control: str, *words: str) -> dict:
    return {
        "id": "x1", "from_name": control, "to_name": "text", "type": "choices", "origin": "manual",
        "value": {"choices": list(words)},
    }  # fmt: skip


def task(*annotations: dict, **data) -> dict:
    return {
        "id": 91, "inner_id": 1, "total_annotations": len(annotations), "cancelled_annotations": 0, "meta": {},
        "data": {"text": TEXT, "note_id": 7, **data}, "predictions": [{"result": [choices("cml_diagnosed", "false")]}],
        "annotations": list(annotations),
    }  # fmt: skip


def by(who: object, *results: dict, cancelled: bool = False) -> dict:
    return {
        "id": 12, "completed_by": who, "result": list(results), "was_cancelled": cancelled, "ground_truth": False,
        "created_at": "2026-03-09T21:52:49.513742Z", "updated_at": "2026-03-09T22:16:08.746926Z", "lead_time": 12.5,
    }  # fmt: skip


def test_label_studio_with_a_control_a_field() -> None:
    parsed = parse([
        task(
            by({"id": 1, "email": "a@x.org"}, choices("cml_diagnosed", "true"), choices("imatinib_mentioned", "No")),
            by(2, choices("cml_diagnosed", "false")),
            by(3, choices("cml_diagnosed", "true"), cancelled=True),
            by(4, choices("cml_diagnosed", "unsure")),
        )
    ])  # fmt: skip
    assert parsed.format == "label_studio"
    assert said(parsed) == {
        (7, "a@x.org", "cml_diagnosed"): True,
        (7, "a@x.org", "imatinib_mentioned"): False,
        (7, "2", "cml_diagnosed"): False,
    }
    assert parsed.problems == {"skipped": 1}
    assert set(parsed.claims["answered_at"].to_pylist()) == {datetime(2026, 3, 9, 22, 16, 8, 746926, tzinfo=UTC)}


def test_label_studio_with_one_control_of_fields_and_a_taxonomy() -> None:
    taxonomy = {
        "from_name": "drugs",
        "to_name": "text",
        "type": "taxonomy",
        "value": {"taxonomy": [["drugs", "imatinib_mentioned"]]},
    }
    parsed = parse([
        task(by(1, choices("labels", "cml_diagnosed", "bmt_history"), taxonomy), fields=["cml_diagnosed", "bmt_history", "imatinib_mentioned", "aml_diagnosed"]),
        {**task(by(1)), "data": {"text": TEXT, "note_id": "8"}},
    ])  # fmt: skip
    assert said(parsed) == {
        (7, "1", "cml_diagnosed"): True, (7, "1", "bmt_history"): True, (7, "1", "imatinib_mentioned"): True,
        (7, "1", "aml_diagnosed"): False,
        # submitted without a choice, and no list of what was offered: false for what was chosen elsewhere, nothing more
        (8, "1", "cml_diagnosed"): False, (8, "1", "bmt_history"): False, (8, "1", "imatinib_mentioned"): False,
    }  # fmt: skip


def row_of_prodigy(answer: str, *accepted: str, **more) -> dict:
    return {
        "text": TEXT, "meta": {"note_id": 7, "text_sha256": SHA}, "_input_hash": 1, "_task_hash": -2, "_view_id": "choice",
        "options": [{"id": "cml_diagnosed", "text": "CML"}, {"id": "bmt_history", "text": "BMT"}],
        "accept": list(accepted), "answer": answer, "_timestamp": 1636451321, "_annotator_id": "review-anna",
        "_session_id": "review-anna", **more,
    }  # fmt: skip


def test_prodigy_choices_and_what_is_no_answer() -> None:
    parsed = parse(
        [
            row_of_prodigy("accept", "bmt_history"),
            row_of_prodigy("accept", _annotator_id="review-ben"),
            row_of_prodigy("reject", "bmt_history", _annotator_id="review-carl"),
            row_of_prodigy("ignore", _annotator_id="review-dora"),
        ],
        "export.jsonl",
    )
    assert parsed.format == "prodigy"
    assert said(parsed) == {
        (7, "review-anna", "cml_diagnosed"): False, (7, "review-anna", "bmt_history"): True,
        (7, "review-ben", "cml_diagnosed"): False, (7, "review-ben", "bmt_history"): False,
    }  # fmt: skip
    assert parsed.problems == {"skipped": 2}
    assert parsed.claims["answered_at"][0].as_py() == datetime(2021, 11, 9, 9, 48, 41, tzinfo=UTC)


def test_prodigy_binary_tasks_say_true_and_false() -> None:
    rows = [
        {"text": TEXT, "label": name, "answer": answer, "meta": {"note_id": 7}, "_annotator_id": "a", "_task_hash": 1}
        for name, answer in (("cml_diagnosed", "accept"), ("bmt_history", "reject"), ("aml_diagnosed", "ignore"))
    ]
    parsed = parse(rows, "export.jsonl")
    assert said(parsed) == {(7, "a", "cml_diagnosed"): True, (7, "a", "bmt_history"): False}


def argilla(**parts) -> dict:
    return {
        "id": "r1",
        "fields": {"text": TEXT},
        "metadata": {"note_id": 7, "text_sha256": SHA},
        "vectors": {},
        "status": "completed",
        **parts,
    }


def test_argilla_nested_ignores_suggestions() -> None:
    parsed = parse([
        argilla(
            suggestions={"cml_diagnosed": {"value": "true", "agent": "model"}, "bmt_history": {"value": "true", "agent": "model"}},
            responses={"cml_diagnosed": [{"value": "false", "user_id": "u1"}, {"value": "true", "user_id": "u2"}], "why": [{"value": "free words", "user_id": "u1"}]},
        )
    ])  # fmt: skip
    assert parsed.format == "argilla"
    assert said(parsed) == {(7, "u1", "cml_diagnosed"): False, (7, "u2", "cml_diagnosed"): True}
    assert parsed.problems == {"bad_value": 1}


def test_argilla_flat_leaves_drafts_out() -> None:
    flat = {
        "id": "r1", "text": TEXT, "note_id": 7, "text_sha256": SHA, "status": "completed", "labels.suggestion": ["aml_diagnosed"],
        "labels.responses": [["cml_diagnosed"], ["bmt_history"], []], "labels.responses.users": ["u1", "u2", "u3"],
        "labels.responses.status": ["submitted", "draft", "discarded"], "fields": "cml_diagnosed,aml_diagnosed",
    }  # fmt: skip
    parsed = parse([flat])
    assert said(parsed) == {(7, "u1", "cml_diagnosed"): True, (7, "u1", "aml_diagnosed"): False}
    assert parsed.problems == {"skipped": 2}


def test_argilla_of_version_1() -> None:
    responses = [
        {"user_id": "u1", "status": "submitted", "values": {"cml_diagnosed": {"value": "yes"}}},
        {"user_id": "u2", "status": "discarded", "values": {"cml_diagnosed": {"value": "no"}}},
    ]
    assert said(parse([argilla(responses=responses)])) == {(7, "u1", "cml_diagnosed"): True}


def test_doccano_names_the_annotator_by_the_file_and_an_empty_list_is_no_answer() -> None:
    keys = {"note_id": 7, "text_sha256": SHA, "fields": ["cml_diagnosed", "bmt_history"], "Comments": []}
    rows = [
        {"id": 1, "text": TEXT, "label": ["cml_diagnosed"], **keys},
        {"id": 2, "text": TEXT, "label": [], **keys, "note_id": 8},
        {"id": 3, "text": TEXT, "label": ["none_of_these"], **keys, "note_id": 9},
        {"id": 4, "text": TEXT, "label": ["bmt_history"], **keys, "note_id": 10, "username": "ben"},
    ]
    parsed = parse(rows, "anna.jsonl")
    assert parsed.format == "doccano"
    assert said(parsed) == {
        (7, "anna", "cml_diagnosed"): True, (7, "anna", "bmt_history"): False,
        (9, "anna", "cml_diagnosed"): False, (9, "anna", "bmt_history"): False,
        (10, "ben", "cml_diagnosed"): False, (10, "ben", "bmt_history"): True,
    }  # fmt: skip


def test_doccano_spans_are_refused() -> None:
    with pytest.raises(ValueError):
        parse([{"id": 1, "text": TEXT, "label": [[0, 4, "X"]], "note_id": 7}], "anna.jsonl")


LONG = [
    {"note_id": 7, "text_sha256": SHA.upper(), "annotator": " anna ", "field": "cml_diagnosed", "value": True, "answered_at": "2026-01-02T03:04:05+02:00"},
    {"note_id": "8", "text_sha256": SHA, "annotator": "anna", "field": "cml_diagnosed", "value": "no"},
    {"note_id": 9, "text_sha256": SHA, "annotator": "anna", "field": "cml_diagnosed", "value": None},
]  # fmt: skip
EXPECTED = {(7, "anna", "cml_diagnosed"): True, (8, "anna", "cml_diagnosed"): False}


@pytest.mark.parametrize(
    "name", ["labels.json", "labels.jsonl", "labels.csv", "semicolon.csv", "labels.parquet", "no_suffix"]
)
def test_our_own_long_format(name: str) -> None:
    if name.endswith(".csv"):
        mark = ";" if name.startswith("semi") else ","
        lines = [mark.join(LONG[0])] + [
            mark.join("" if row.get(key) is None else str(row[key]) for key in LONG[0]) for row in LONG
        ]
        parsed = parse("\ufeff" + "\r\n".join(lines), name)
    elif name.endswith("parquet"):
        sink = pa.BufferOutputStream()
        import pyarrow.parquet as pq

        pq.write_table(
            pa.table({
                "note_id": [7, 8, 9], "text_sha256": [SHA] * 3, "annotator": ["anna"] * 3, "field": ["cml_diagnosed"] * 3,
                "value": [True, False, None], "answered_at": pa.array([datetime(2026, 1, 2, 1, 4, 5), None, None], pa.timestamp("ms")),
            }), sink,
        )  # fmt: skip
        parsed = parse(sink.getvalue().to_pybytes(), name)
    else:
        parsed = parse(LONG, name)
    assert said(parsed) == EXPECTED
    assert parsed.claims["answered_at"].to_pylist() == [datetime(2026, 1, 2, 1, 4, 5, tzinfo=UTC), None]
    assert parsed.problems == {}


def test_a_digest_that_is_not_given_is_computed_from_the_text() -> None:
    rows = [{"note_id": 7, "text": TEXT, "annotator": "a", "field": "f", "value": "true"}]
    assert said(parse(rows)) == {(7, "a", "f"): True}
    without = [{"note_id": 7, "annotator": "a", "field": "f", "value": "true"}]
    with pytest.raises(AnnotationsError, match="missing columns: text_sha256"):
        parse(without)


def test_rows_that_say_nothing_usable_are_counted() -> None:
    rows = [LONG[0] | {"value": "perhaps"}, LONG[0] | {"annotator": ""}, LONG[0]]
    parsed = parse(rows)
    assert parsed.problems == {"bad_value": 1, "no_annotator": 1}
    assert len(parsed.claims) == 1


SEED = {f"Note {i}": {"cml_diagnosed": True, "bmt_history": False} for i in range(1, 4)}


@pytest.mark.parametrize(
    "content",
    [
        SEED,
        [{"note": name, "cml_diagnosed": True} for name in SEED],
        [{"note_id": name, "text_sha256": SHA, "annotator": "a", "field": "f", "value": True} for name in SEED],
        [{"data": {"text": TEXT}, "annotations": [by(1, choices("cml_diagnosed", "true"))]}],
        "note,cml_diagnosed\nNote 1,true\nNote 2,false\n",
    ],
)
def test_the_seeds_positions_are_refused_with_an_explanation(content) -> None:
    with pytest.raises(AnnotationsError) as caught:
        parse(content)
    assert caught.value.reason == "positional"
    for part in ("200 rows", "note_id", "text_sha256"):
        assert part in str(caught.value)
    assert TEXT not in str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        '[{"note_id": 1',
        '{"note_id": 1}\n{"note_id"',
        '[{"a": 1, "a": 2}]',
        "[NaN]",
        "[[1, 2]]",
        "[" * 100_000,
        b"PAR1 no",
        "just words",
        b"\xff\xfe\xfa",
    ],
)
def test_a_broken_file_is_refused_without_its_content(content) -> None:
    with pytest.raises((CorruptFile, AnnotationsError)) as caught:
        parse(content, "broken.json")
    assert "just words" not in str(caught.value)


def test_keys_are_looked_for_in_data_and_meta_and_missing_ones_are_counted() -> None:
    good, bad = task(by(1, choices("cml_diagnosed", "true"))), task(by(1, choices("cml_diagnosed", "true")))
    del good["data"]["note_id"]
    good["meta"] = {"note_id": 11}
    bad["data"]["note_id"] = "eleven"
    parsed = parse([good, bad, {**bad, "data": {"note_id": 3}}])
    assert said(parsed) == {(11, "1", "cml_diagnosed"): True}
    assert parsed.problems == {"bad_note_id": 1, "no_text_digest": 1}
