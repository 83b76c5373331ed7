"""Export, answer as the tool would, import: per tool the answers come back to the note and text that were sent."""

from __future__ import annotations

import csv
import io
import json
import stat
from datetime import UTC, datetime
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.annotations.claims import sha256_of
from clinical_assets.annotations.formats import parse_labels
from clinical_assets.annotations.review import export_review
from clinical_assets.annotations.tasks import FORMATS, ReviewTask, render, setup_of
from clinical_assets.storage.contracts import NOTES
from clinical_assets.storage.lake import Lake
from clinical_assets.study.load import load_study

DEFINITIONS = {name: f"true if the note says {name}" for name in ("a", "b", "c")}


def answer(format: str, content: bytes, truth: dict[tuple[int, str], bool]) -> tuple[str, bytes]:
    """What the tool's export would be after one annotator, anna, answered every task."""
    text = content.decode()
    if format == "csv":
        rows = list(csv.DictReader(io.StringIO(text)))
        out = io.StringIO()
        writer = csv.DictWriter(out, rows[0])
        writer.writeheader()
        writer.writerows(
            row | {"annotator": "anna", "value": "yes" if truth[int(row["note_id"]), row["field"]] else "no"}
            for row in rows
        )
        return "filled.csv", out.getvalue().encode()
    tasks = (
        json.loads(text) if FORMATS[format][1] == "json" else [json.loads(line) for line in text.split("\n") if line]
    )
    if format == "label_studio":
        for i, task in enumerate(tasks):
            said = [
                {
                    "from_name": name,
                    "to_name": "text",
                    "type": "choices",
                    "value": {"choices": [str(truth[task["data"]["note_id"], name]).lower()]},
                }
                for name in task["data"]["fields"]
            ]
            task |= {
                "id": i,
                "annotations": [{"completed_by": {"email": "anna"}, "result": said, "was_cancelled": False}],
                "predictions": [],
            }
        return "project-1.json", json.dumps(tasks).encode()
    if format == "prodigy":
        for task in tasks:
            picked = [one["id"] for one in task["options"] if truth[task["meta"]["note_id"], one["id"]]]
            task |= {"accept": picked, "answer": "accept", "_annotator_id": "anna", "_task_hash": 1}
    elif format == "argilla":
        for task in tasks:
            fields = task["metadata"]["fields"]
            task["responses"] = {
                n: [{"value": str(truth[task["metadata"]["note_id"], n]).lower(), "user_id": "anna"}] for n in fields
            }
        return "records.json", json.dumps(tasks).encode()
    elif format == "doccano":
        for i, task in enumerate(tasks):
            task |= {"id": i, "label": [n for n in task["fields"] if truth[task["note_id"], n]] or ["none_of_these"]}
    return "anna.jsonl", "".join(json.dumps(task, ensure_ascii=False) + "\n" for task in tasks).encode()


texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=80)
asked = st.dictionaries(
    st.integers(1, 10**12),
    st.tuples(texts, st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("format", list(FORMATS))
@settings(deadline=None, max_examples=40)
@given(notes=asked, data=st.data())
def test_answers_come_back_to_where_they_were_asked(format: str, notes, data) -> None:
    tasks = [ReviewTask(n, sha256_of(text), text, tuple(fields)) for n, (text, fields) in notes.items()]
    truth = {(task.note_id, name): data.draw(st.booleans()) for task in tasks for name in task.fields}
    name, back = answer(format, render(tasks, format, DEFINITIONS), truth)
    parsed = parse_labels(pa.py_buffer(back), name)
    digests = {task.note_id: task.text_sha256 for task in tasks}
    rows = parsed.claims.to_pylist()
    assert {(row["note_id"], row["field"]): row["value"] for row in rows} == truth
    assert {(row["annotator"], row["text_sha256"] == digests[row["note_id"]]) for row in rows} == {("anna", True)}
    assert parsed.problems == {}


@pytest.mark.parametrize("format", list(FORMATS))
def test_what_nobody_answered_comes_back_as_nothing(format: str) -> None:
    content = render([ReviewTask(1, sha256_of("x y"), "x y", ("a", "b"))], format, DEFINITIONS)
    if format == "label_studio":
        content = json.dumps([task | {"annotations": []} for task in json.loads(content)]).encode()
    if format == "prodigy":
        content = json.dumps(json.loads(content) | {"answer": "ignore", "accept": []}).encode()
    if format == "argilla":
        content = json.dumps([task | {"responses": {}} for task in json.loads(content)]).encode()
    assert len(parse_labels(pa.py_buffer(content), f"anna.{FORMATS[format][1]}").claims) == 0


@pytest.fixture
def queue(tmp_path: Path):
    lake = Lake(tmp_path / "lake")
    common = dict.fromkeys(NOTES.names) | {
        "person_id": 1, "note_date": datetime(2020, 1, 1).date(), "n_chars": 1, "status": "usable", "source_file_sha256": "x",
        "ingested_at": datetime(2026, 1, 1, tzinfo=UTC),
    }  # fmt: skip
    notes = {1: "text of one", 2: "=cmd()", 3: "text of three"}
    for n, text in notes.items():
        row = common | {"note_id": n, "text": text, "text_sha256": sha256_of(text), "batch": f"b{n}"}
        lake.write("notes/notes", pa.Table.from_pylist([row], schema=NOTES), NOTES, batch=f"b{n}")
    with duckdb.connect() as connection:
        connection.execute("create schema labels; create schema notes")
        connection.execute(
            "create table labels.review_queue as from (values (1, 2, 'bmt_history'), (2, 3, 'aml_diagnosed'), (3, 2, 'cml_diagnosed'), (4, 1, 'cml_diagnosed')) as t(rank, note_id, field)"
        )
        index = ", ".join(
            f"({n}, '{sha256_of(text) if n != 3 else 'changed since'}', 'b{n}')" for n, text in notes.items()
        )
        connection.execute(f"create table notes.note_index as from (values {index}) as t(note_id, text_sha256, batch)")
        yield connection, lake, tmp_path / "exports"


def test_the_top_of_the_queue_is_written_for_its_owner_only(queue) -> None:
    connection, lake, folder = queue
    study = load_study()
    done = export_review(connection, lake, study, folder, format="label_studio", n=3)
    tasks = json.loads(done.path.read_text())
    assert [(task["data"]["note_id"], task["data"]["fields"]) for task in tasks] == [
        (2, ["bmt_history", "cml_diagnosed"]),
        (1, ["cml_diagnosed"]),
    ]
    assert (done.n_notes, done.n_answers) == (2, 3)
    for path in (done.path, done.setup):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(done.path.parent.stat().st_mode) == 0o700
    assert {path.name for path in done.path.parent.iterdir()} == {done.path.name, "labelling_config.xml"}
    again = export_review(connection, lake, study, folder, format="label_studio", n=3)
    assert again.path == done.path
    assert export_review(connection, lake, study, folder, format="prodigy", n=1).n_notes == 1


def test_a_spreadsheet_takes_no_text_for_a_formula(queue) -> None:
    connection, lake, folder = queue
    done = export_review(connection, lake, load_study(), folder, format="csv", n=1)
    rows = list(csv.DictReader(io.StringIO(done.path.read_text())))
    assert rows[0]["text"] == "'=cmd()"
    assert rows[0]["text_sha256"] == sha256_of("=cmd()")


@pytest.mark.parametrize(("format", "n"), [("excel", 5), ("csv", 0)])
def test_a_wrong_order_is_refused_before_anything_is_written(queue, format: str, n: int) -> None:
    connection, lake, folder = queue
    with pytest.raises(ValueError, match="expected"):
        export_review(connection, lake, load_study(), folder, format=format, n=n)
    assert not folder.exists()


def test_what_tools_are_set_up_with_is_well_formed() -> None:
    from xml.etree import ElementTree

    strange = {"a": 'say "<yes>" & no'}
    config = ElementTree.fromstring(setup_of("label_studio", strange)[1])
    assert [one.get("name") for one in config.iter("Choices")] == ["a"]
    assert json.loads(setup_of("argilla", strange)[1])["questions"][0]["labels"] == ["true", "false"]
    assert [one["text"] for one in json.loads(setup_of("doccano", strange)[1])] == ["a", "none_of_these"]
    assert setup_of("prodigy", strange) is None
