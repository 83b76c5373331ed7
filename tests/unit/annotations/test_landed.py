"""The folder of human labels: what is read, what is left alone, and that one bad file stops no other."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
from pathlib import Path

import pytest

from clinical_assets.annotations.landed import annotation_files, read_landed
from clinical_assets.notes.guards import ReadLimits

LIMITS = ReadLimits(max_file_bytes=10_000_000, max_expanded_bytes=20_000_000, max_ratio=100.0)
SHA = hashlib.sha256(b"a").hexdigest()
SECRET = "Mr Zzyzx has CML."


def long(note_id: int, field: str = "f", value: object = True) -> dict:
    return {"note_id": note_id, "text_sha256": SHA, "annotator": "a", "field": field, "value": value}


def test_good_files_go_on_where_others_are_refused(tmp_path: Path) -> None:
    (tmp_path / "good.json").write_text(json.dumps([long(1), long(2, "unheard_of")]))
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "packed.csv.gz").write_bytes(
        gzip.compress(f"note_id,text_sha256,annotator,field,value\n3,{SHA},a,f,0\n".encode())
    )
    (tmp_path / "positions.json").write_text(json.dumps({"Note 1": {"f": True}, "Note 2": {"f": False}}))
    (tmp_path / "cut.jsonl").write_text('{"note_id": 1, "text": "' + SECRET)
    (tmp_path / "words.txt").write_text(SECRET)
    (tmp_path / "odd.json").write_text(
        json.dumps([{"data": {"note_id": 1, "text": SECRET}, "annotations": [{"result": SECRET}]}])
    )
    (tmp_path / "empty.json").touch()
    (tmp_path / "zip.json").write_bytes(b"PK\x03\x04 and more")
    (tmp_path / "bomb.csv.gz").write_bytes(gzip.compress(b"note_id,field\n" + b"0" * 15_000_000))
    outside = tmp_path.parent / "outside.json"
    outside.write_text(json.dumps([long(9)]))
    os.symlink(outside, tmp_path / "link.json")
    landed = read_landed(tmp_path, ["f"], LIMITS)
    rows = {
        (row["note_id"], row["field"], row["value"], row["source_file"], row["source_format"])
        for row in landed.claims.to_pylist()
    }
    assert rows == {(1, "f", True, "good.json", "json"), (3, "f", False, "more/packed.csv.gz", "csv")}
    assert {(one.source_file, one.reason) for one in landed.rejects} == {
        ("good.json", "unknown_field"), ("positions.json", "positional"), ("cut.jsonl", "corrupt_file"), ("words.txt", "corrupt_file"),
        ("odd.json", "corrupt_file"), ("empty.json", "corrupt_file"), ("zip.json", "unsafe_archive"), ("bomb.csv.gz", "unsafe_archive"),
        ("link.json", "unsafe_path"),
    }  # fmt: skip
    assert landed.n_files == 10, [one.source_file for one in landed.rejects]
    table = landed.rejects_table()
    assert all(table["detail"].to_pylist())
    assert "Zzyzx" not in str(table.to_pylist())
    assert {row["source_sha256"] for row in landed.claims.to_pylist() if row["note_id"] == 1} == {
        hashlib.sha256((tmp_path / "good.json").read_bytes()).hexdigest()
    }


def test_gold_of_other_subjects_and_unfinished_files_are_left_alone(tmp_path: Path) -> None:
    for name in (
        "entities.parquet",
        "reference_summaries.parquet",
        "labels.json.tmp",
        ".hidden.json",
        "_SUCCESS",
        "README.md",
        "z.json",
        "a.csv",
    ):
        (tmp_path / name).write_text("x")
    assert [path.name for path in annotation_files(tmp_path)] == ["a.csv", "z.json"]


@pytest.mark.parametrize("exists", [True, False])
def test_nothing_landed_is_nothing(tmp_path: Path, exists: bool) -> None:
    landed = read_landed(tmp_path if exists else tmp_path / "none", ["f"], LIMITS)
    assert (len(landed.claims), landed.rejects, landed.n_files) == (0, [], 0)
