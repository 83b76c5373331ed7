"""Landing: formats, manifests, planted bad rows, same bytes twice, whole files or none."""

from __future__ import annotations

import csv
import datetime as dt
import gzip
import hashlib
import io
import json
import os
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinical_assets.synthetic import Hospital, HospitalConfig, build_hospital, truth_table, write_landing
from clinical_assets.synthetic.batches import BAD_ROWS_BATCH, BATCHES


@pytest.fixture(scope="module")
def landing(small: Hospital, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("landing")
    write_landing(small, folder)
    return folder


def _digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_tables_come_back_as_built(small: Hospital, landing: Path) -> None:
    for name, table in small.omop.items():
        assert pq.read_table(landing / "omop" / f"{name}.parquet").equals(table), name
    for name, table in small.annotations.items():
        assert pq.read_table(landing / "annotations" / f"{name}.parquet").equals(table), name
    assert "SYNTHETIC" in (landing / "SYNTHETIC.txt").read_text()


def test_batches_come_back_in_every_format(small: Hospital, landing: Path) -> None:
    assert {batch.form for batch in BATCHES} == {"parquet", "csv", "jsonl.gz", "folder"}
    for batch in BATCHES:
        table = small.note_batches[batch.name]
        path = landing / "notes" / (batch.name if batch.form == "folder" else f"{batch.name}.{batch.form}")
        if batch.form == "parquet":
            assert pq.read_table(path).equals(table)
        elif batch.form == "jsonl.gz":
            rows = [json.loads(line) for line in gzip.decompress(path.read_bytes()).decode().splitlines()]
            assert [row["note_text"] for row in rows] == table["note_text"].to_pylist()
        elif batch.form == "folder":
            manifest = json.loads((path / "_SUCCESS").read_text())["files"]
            assert sorted(manifest) == sorted(part.name for part in path.glob("*.parquet"))
            for name, digest in manifest.items():
                assert hashlib.sha256((path / name).read_bytes()).hexdigest() == digest
            assert pa.concat_tables([pq.read_table(path / name) for name in sorted(manifest)]).equals(table)


def test_bad_rows_are_where_the_truth_says(small: Hospital, landing: Path) -> None:
    truth = truth_table(small, "bad_rows").to_pylist()
    assert len(truth) == 10
    assert {row["batch"] for row in truth} == {BAD_ROWS_BATCH}
    content = (landing / "notes" / f"{BAD_ROWS_BATCH}.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        content.decode("utf-8")
    rows = list(csv.DictReader(io.StringIO(content.decode("utf-8", "surrogateescape"), newline="")))
    good = small.note_batches[BAD_ROWS_BATCH]
    assert len(rows) == good.num_rows + len(truth)
    persons = set(small.omop["person"]["person_id"].to_pylist())
    planted = {row["row_number"]: row for row in truth}
    for number, expected in planted.items():
        row = rows[number - 1]
        assert row["note_id"] == expected["note_id"]
        if expected["reason"] == "orphan_person":
            assert int(row["person_id"]) not in persons
        elif expected["reason"] == "bad_date":
            with pytest.raises(ValueError, match=r"month|Invalid isoformat"):
                dt.date.fromisoformat(row["note_date"])
        elif expected["reason"] == "future_date":
            assert dt.date.fromisoformat(row["note_date"]) > small.config.extraction_date
        elif expected["reason"] == "bad_note_id":
            assert not row["note_id"].isdigit()
        elif expected["reason"] == "duplicate_note_id":
            assert int(row["note_id"]) in good["note_id"].to_pylist()
        else:
            assert expected["reason"] == "invalid_utf8"
    left = [row for number, row in enumerate(rows, start=1) if number not in planted]
    assert [row["note_text"] for row in left] == good["note_text"].to_pylist()
    assert [int(row["note_id"]) for row in left] == good["note_id"].to_pylist()
    assert len(Counter(row["reason"] for row in truth)) == 6


def test_bad_rows_can_be_left_out() -> None:
    hospital = build_hospital(HospitalConfig(n_persons=100, bad_rows=False))
    assert hospital.bad_rows == ()


def test_writing_again_gives_the_same_bytes(small: Hospital, landing: Path, tmp_path: Path) -> None:
    before = _digests(landing)
    write_landing(small, landing)
    assert _digests(landing) == before
    write_landing(build_hospital(HospitalConfig(n_persons=300)), tmp_path)
    assert _digests(tmp_path) == before


def test_a_crash_leaves_the_old_file_and_no_rubbish(
    small: Hospital, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_landing(small, tmp_path)
    before = _digests(tmp_path)

    def broken(*_: object) -> None:
        raise OSError("disk gone")

    monkeypatch.setattr(os, "replace", broken)
    with pytest.raises(OSError, match="disk gone"):
        write_landing(build_hospital(HospitalConfig(seed=3, n_persons=50)), tmp_path)
    assert _digests(tmp_path) == before
