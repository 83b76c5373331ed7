"""Everything that can be wrong with a landed batch: it is stored, set aside with a reason, or refused in words. Nothing is lost."""

from __future__ import annotations

import contextlib
import datetime as dt
import gzip
import hashlib
import json
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clinical_assets.notes.digests import content_digest
from clinical_assets.notes.errors import UnreadableBatch
from clinical_assets.notes.intake import Intake, intake_batch
from clinical_assets.notes.landing import batch_key
from clinical_assets.notes.locate import locate_batch
from clinical_assets.storage.contracts import NOTES, REJECTS, SECTIONS
from clinical_assets.study.model import IntakeLimits, NoteMapping

CANARY = "Zyxcanaryqwv"
NOW = datetime(2024, 6, 1, 12, tzinfo=UTC)
PERSONS = pa.table(
    {
        "person_id": pa.array([1, 2], pa.int64()),
        "birth_date": pa.array([dt.date(1950, 1, 1), dt.date(1960, 1, 1)]),
        "death_date": pa.array([None, dt.date(2020, 1, 1)]),
    }
)
TEXT = f"{CANARY} comes for follow-up of hypertension and feels well today. Plan: continue lisinopril."


def row(
    note_id: object = 1, person_id: object = 1, note_date: object = "2019-05-01", text: object = TEXT, **more: object
) -> dict:
    return {"note_id": note_id, "person_id": person_id, "note_date": note_date, "note_text": text, **more}


def take_in(
    root: Path, *, batch: str = "b", persons: pa.Table | None = PERSONS, guarded: bool = False, **limits: object
) -> Intake:
    path = locate_batch(root, batch)
    done = intake_batch(
        path, root=root, batch=batch, digest=content_digest(path, root=root), mapping=NoteMapping(), limits=IntakeLimits(**limits),
        persons=persons, ingested_at=NOW, guarded=guarded,
    )  # fmt: skip
    assert done.report.n_landed == done.notes.num_rows + done.rejects.num_rows
    assert done.notes.schema.equals(NOTES)
    assert done.rejects.schema.equals(REJECTS)
    assert done.sections.schema.equals(SECTIONS)
    assert CANARY not in str(done.rejects.to_pylist()) + str(done.report)
    return done


def land(root: Path, *rows: dict, name: str = "b.jsonl") -> Path:
    path = root / name
    path.write_text("".join(json.dumps(r) + "\n" for r in rows), encoding="utf-8")
    return path


def reasons(done: Intake) -> dict[int, str]:
    return {r["row_number"]: r["reason"] for r in done.rejects.to_pylist()}


def refused(root: Path, **more: object) -> UnreadableBatch:
    with pytest.raises(UnreadableBatch) as caught:
        take_in(root, **more)
    assert CANARY not in str(caught.value)
    return caught.value


@pytest.mark.parametrize("content", [b"", b"PAR1", b"PAR1" + CANARY.encode() * 20 + b"PAR1", CANARY.encode() * 9])
@pytest.mark.parametrize("guarded", [False, True])
def test_a_truncated_empty_or_garbage_file_is_refused_whole(tmp_path: Path, content: bytes, guarded: bool) -> None:
    (tmp_path / "b.parquet").write_bytes(content)
    assert refused(tmp_path, guarded=guarded).reason == "corrupt_file"


def test_a_truncated_parquet_file_is_refused_whole(tmp_path: Path) -> None:
    pq.write_table(pa.Table.from_pylist([row()]), tmp_path / "b.parquet")
    whole = (tmp_path / "b.parquet").read_bytes()
    (tmp_path / "b.parquet").write_bytes(whole[:-20])
    assert refused(tmp_path).reason == "corrupt_file"


def test_a_flipped_bit_is_found_by_the_producers_manifest(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    part = land(tmp_path / "b", row(), name="part-0.jsonl")
    manifest = {"files": {part.name: hashlib.sha256(part.read_bytes()).hexdigest()}}
    (tmp_path / "b" / "_SUCCESS").write_text(json.dumps(manifest))
    assert take_in(tmp_path).notes.num_rows == 1
    part.write_bytes(part.read_bytes().replace(b"well", b"Well"))
    assert refused(tmp_path).reason == "manifest_mismatch"


def test_a_file_that_changes_during_the_run_is_refused(tmp_path: Path) -> None:
    path = land(tmp_path, row())
    with pytest.raises(UnreadableBatch) as caught:
        intake_batch(
            path,
            root=tmp_path,
            batch="b",
            digest="0" * 64,
            mapping=NoteMapping(),
            limits=IntakeLimits(),
            persons=None,
            ingested_at=NOW,
            guarded=False,
        )
    assert caught.value.reason == "changed_during_run"


def test_a_file_that_is_gone_is_refused_and_may_come_back(tmp_path: Path) -> None:
    assert refused(tmp_path).reason == "missing_file"
    land(tmp_path, row())
    assert take_in(tmp_path).notes.num_rows == 1


def test_a_missing_column_names_what_is_expected_what_was_found_and_how_to_mend_it(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("note_id,person_id,note_date,body\n1,1,2020-01-01,x\n")
    error = refused(tmp_path)
    assert error.reason == "missing_column"
    for words in ("text", "note_text", "body", "mapping"):
        assert words in str(error)


def test_a_file_without_a_header_does_not_put_its_first_note_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text(f"1,1,2020-01-01,{CANARY}\n")
    assert refused(tmp_path).reason == "missing_column"


def test_an_extra_column_is_ignored_and_counted(tmp_path: Path) -> None:
    land(tmp_path, row(surprise="x", other=1))
    assert take_in(tmp_path).report.n_extra_columns == 2


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (row(note_id="abc"), "bad_note_id"), (row(note_id=1e20), "bad_note_id"), (row(note_id=-1), "bad_note_id"), (row(note_id=1.5), "bad_note_id"),
        (row(note_id=None), "missing_note_id"), (row(person_id="x"), "bad_person_id"), (row(person_id=None), "missing_person_id"),
        (row(note_date="soon"), "bad_date"), (row(note_date=None), "bad_date"), (row(note_date="2019-02-30"), "bad_date"),
        (row(note_date="2024-06-03"), "future_date"), (row(note_date="1949-12-31"), "before_birth"), (row(note_date="1850-01-01"), "implausible_date"),
        (row(person_id=2, note_date="2020-02-01"), "after_death"), (row(person_id=99), "orphan_person"), (row(text="x" * 2001), "too_large"),
    ],
)  # fmt: skip
def test_a_row_that_cannot_be_stored_is_set_aside_with_its_reason_and_the_rest_goes_on(
    tmp_path: Path, bad: dict, reason: str
) -> None:
    land(tmp_path, row(note_id=7), bad, row(note_id=8))
    done = take_in(tmp_path, max_note_chars=2000)
    assert reasons(done) == {2: reason}
    assert done.notes["note_id"].to_pylist() == [7, 8]
    assert done.report.by_reason == {reason: 1}


@pytest.mark.parametrize(
    "good",
    [
        row(note_id="12"),
        row(note_id=12.0),
        row(note_id=" 12 "),
        row(note_date="2024-06-02"),
        row(person_id=2, note_date="2020-01-31"),
    ],
)
def test_a_row_at_the_edge_of_what_is_allowed_is_stored(tmp_path: Path, good: dict) -> None:
    land(tmp_path, good)
    assert reasons(take_in(tmp_path)) == {}


@pytest.mark.parametrize("text", [None, "", "   \n\t "])
def test_a_note_without_text_is_stored_as_blank(tmp_path: Path, text: object) -> None:
    land(tmp_path, row(text=text))
    assert take_in(tmp_path).notes["status"].to_pylist() == ["blank"]


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("See scanned image for notes.", "scanned_pointer"), ("ok", "stub"), ("Erroneous encounter - disregard.", "stub"), (TEXT, "usable"),
        ("Der Patient wurde heute in der Ambulanz gesehen und klagt nicht über Schmerzen. Die Werte sind stabil und er ist mit der Therapie zufrieden.", "not_english"),
    ],
)  # fmt: skip
def test_the_status_says_whether_a_note_can_be_read(tmp_path: Path, text: str, status: str) -> None:
    land(tmp_path, row(text=text))
    assert take_in(tmp_path).notes["status"].to_pylist() == [status]


def test_of_rows_with_one_note_id_the_newest_by_date_then_by_position_is_stored(tmp_path: Path) -> None:
    land(
        tmp_path,
        row(text="first " + TEXT, note_date="2019-05-03"),
        row(text="second " + TEXT, note_date="2019-05-04"),
        row(text="third " + TEXT, note_date="2019-05-02"),
    )
    done = take_in(tmp_path)
    assert done.notes["text"].to_pylist() == ["second " + TEXT]
    assert reasons(done) == {1: "superseded_duplicate", 3: "superseded_duplicate"}


def test_a_repeated_row_is_set_aside_as_such(tmp_path: Path) -> None:
    land(tmp_path, row(), row(), row(note_id=2))
    assert reasons(take_in(tmp_path)) == {1: "duplicate_row"}


def test_one_text_under_several_ids_is_stored_for_each_and_counted(tmp_path: Path) -> None:
    land(tmp_path, row(1), row(2), row(3, text="Another " + TEXT))
    done = take_in(tmp_path)
    assert (done.notes.num_rows, done.report.n_duplicate_texts) == (3, 2)


def test_without_a_person_table_nobody_is_an_orphan(tmp_path: Path) -> None:
    land(tmp_path, row(person_id=99))
    assert reasons(take_in(tmp_path, persons=None)) == {}


def test_bytes_that_are_no_text_set_aside_their_row_only(tmp_path: Path) -> None:
    good = f"1,1,2019-05-01,{TEXT}\n".encode()
    (tmp_path / "b.csv").write_bytes(
        b"note_id,person_id,note_date,note_text\n" + good + b"2,1,2019-05-01,caf\xff\xfe\x81 " + CANARY.encode() + b"\n"
    )
    done = take_in(tmp_path)
    assert done.report.n_landed == 2
    assert done.notes["note_id"].to_pylist()[0] == 1


def test_a_latin_1_file_is_read_when_the_study_says_so(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_bytes(
        "note_id,person_id,note_date,note_text\n1,1,2019-05-01,The caf\xe9 visit was uneventful and well tolerated\n".encode(
            "latin-1"
        )
    )
    done = take_in(tmp_path, default_encoding="latin-1")
    assert "café" in done.notes["text"].to_pylist()[0]


def test_control_and_direction_characters_go_and_the_landed_text_is_kept_with_a_map(tmp_path: Path) -> None:
    raw = "\ufeffHPI:\r\nno\x00 fever\u200b and \u202ewell\u202c today, feeling fine"
    land(tmp_path, row(text=raw))
    note = take_in(tmp_path).notes.to_pylist()[0]
    assert note["text"] == "HPI:\nno fever and well today, feeling fine"
    assert note["raw_text"] == raw
    assert note["conversions"]
    assert note["n_chars"] == len(note["text"])
    assert note["text_sha256"] == hashlib.sha256(note["text"].encode()).hexdigest()


@pytest.mark.parametrize(
    "raw",
    [
        "<html><body><p>No fever</p><p>Plan: rest &amp; fluids</p></body></html>",
        r"{\rtf1\ansi No fever\par Plan: rest & fluids}",
    ],
)
def test_markup_becomes_plain_text(tmp_path: Path, raw: str) -> None:
    land(tmp_path, row(text=raw))
    text = take_in(tmp_path).notes["text"].to_pylist()[0]
    assert "No fever" in text
    assert "Plan: rest & fluids" in text
    assert "<" not in text
    assert "\\" not in text


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path: Path) -> None:
    with gzip.open(tmp_path / "b.csv.gz", "wb") as handle:
        handle.write(b"note_id,person_id,note_date,note_text\n" + b"0" * 50_000_000)
    assert refused(tmp_path).reason == "unsafe_archive"


@pytest.mark.parametrize(
    "name",
    [
        "../x.csv",
        "/etc/passwd",
        "..\\x.csv",
        "%2e%2e/x.csv",
        "a b.csv",
        "'; DROP TABLE x.csv",
        "a\nb.csv",
        "x" * 81 + ".csv",
    ],
)
def test_a_name_that_could_lead_elsewhere_is_no_batch_key(name: str) -> None:
    assert batch_key(name) is None


def test_a_link_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    outside = tmp_path / "outside.csv"
    outside.write_text("note_id,person_id,note_date,note_text\n")
    root = tmp_path / "landing"
    root.mkdir()
    (root / "b.csv").symlink_to(outside)
    assert refused(root).reason == "unsafe_path"


@pytest.mark.parametrize(
    "line",
    [
        '{"note_id": 1,',
        "[]",
        '{"note_id": 1, "note_id": 2, "person_id": 1}',
        '{"note_id": NaN}',
        "[" * 5000,
        "nonsense",
    ],
)
def test_a_json_line_that_is_no_row_is_set_aside(tmp_path: Path, line: str) -> None:
    (tmp_path / "b.jsonl").write_text(json.dumps(row()) + "\n" + line + "\n" + json.dumps(row(2)) + "\n")
    done = take_in(tmp_path)
    assert done.notes["note_id"].to_pylist() == [1, 2]
    assert list(reasons(done)) == [2]


@pytest.mark.parametrize("guarded", [False, True])
@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl", "csv.gz", "jsonl.gz", "parquet.gz"])
def test_every_format_gives_the_same_notes(tmp_path: Path, kind: str, guarded: bool) -> None:
    rows = [row(1, text='He said "fine", then\nleft the clinic feeling well'), row(2)]
    table, plain = pa.Table.from_pylist(rows), tmp_path / f"b.{kind.removesuffix('.gz')}"
    if "parquet" in kind:
        pq.write_table(table, plain)
    elif "csv" in kind:
        table.to_pandas().to_csv(plain, index=False)
    else:
        land(tmp_path, *rows)
    if kind.endswith(".gz"):
        (tmp_path / f"b.{kind}").write_bytes(gzip.compress(plain.read_bytes()))
        plain.unlink()
    done = take_in(tmp_path, guarded=guarded)
    assert done.notes["text"].to_pylist() == [r["note_text"] for r in rows]
    assert done.notes["note_date"].to_pylist() == [dt.date(2019, 5, 1)] * 2


def test_the_parts_of_a_folder_are_one_batch_with_running_row_numbers(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    land(tmp_path / "b", row(1), name="1.jsonl")
    land(tmp_path / "b", row(2), row("x"), name="2.jsonl")
    (tmp_path / "b" / "_SUCCESS").touch()
    done = take_in(tmp_path)
    assert done.notes["note_id"].to_pylist() == [1, 2]
    assert done.rejects.select(["row_number", "source_file"]).to_pylist() == [
        {"row_number": 3, "source_file": "2.jsonl"}
    ]


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    content=st.binary(max_size=300),
    kind=st.sampled_from(["parquet", "csv", "jsonl", "csv.gz", "jsonl.gz"]),
    header=st.booleans(),
)
def test_any_bytes_are_stored_set_aside_or_refused_and_never_lost(
    tmp_path: Path, content: bytes, kind: str, header: bool
) -> None:
    for old in tmp_path.iterdir():
        old.unlink()
    data = (b"note_id,person_id,note_date,note_text\n" if header and "csv" in kind else b"") + content
    (tmp_path / f"b.{kind}").write_bytes(gzip.compress(data) if kind.endswith(".gz") else data)
    with contextlib.suppress(UnreadableBatch):
        take_in(tmp_path)


def test_large_ids_from_a_float_column_are_read_while_they_are_exact(tmp_path: Path) -> None:
    table = pa.table(
        {
            "note_id": [1.5e15, 2.0**53, 1e20],
            "person_id": [1, 1, 1],
            "note_date": ["2019-05-01"] * 3,
            "note_text": [TEXT] * 3,
        }
    )
    pq.write_table(table, tmp_path / "b.parquet")
    done = take_in(tmp_path)
    assert done.notes["note_id"].to_pylist() == [1_500_000_000_000_000, 2**53]
    assert reasons(done) == {3: "bad_note_id"}


def test_an_ending_in_capitals_is_found_again(tmp_path: Path) -> None:
    land(tmp_path, row(), name="b.JSONL")
    assert take_in(tmp_path).notes.num_rows == 1


def test_a_path_outside_the_landing_folder_is_not_read(tmp_path: Path) -> None:
    root = tmp_path / "landing"
    root.mkdir()
    outside = land(tmp_path, row())
    with pytest.raises(UnreadableBatch):
        intake_batch(
            outside,
            root=root,
            batch="b",
            digest=content_digest(outside),
            mapping=NoteMapping(),
            limits=IntakeLimits(),
            persons=None,
            ingested_at=NOW,
            guarded=False,
        )
