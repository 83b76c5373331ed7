"""The lake replaces a partition whole or not at all, and refuses what does not fit the contract."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.storage.lake import ContractError, Lake, content_digest

SCHEMA = pa.schema(
    [pa.field("id", pa.int64(), nullable=False), pa.field("word", pa.string()), pa.field("run_id", pa.string())]
)


def rows(*ids: int, run: str = "r1") -> pa.Table:
    return pa.table({"id": list(ids), "word": [f"w{i}" for i in ids], "run_id": [run] * len(ids)}, schema=SCHEMA)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def test_what_is_written_is_read_back_and_nothing_else_lies_in_the_folder(lake: Lake) -> None:
    written = lake.write("a/t", rows(1, 2), SCHEMA, batch="b1", metadata={"source_file_sha256": "abc"})
    assert lake.read("a/t", "b1").to_pydict() == rows(1, 2).to_pydict()
    assert (written.n_rows, lake.batches("a/t"), lake.n_rows("a/t", "b1")) == (2, ["b1"], 2)
    assert lake.metadata("a/t", "b1")["source_file_sha256"] == "abc"
    assert os.listdir(Path(written.path).parent) == ["data.parquet"]


def test_a_declared_table_can_be_scanned_before_anything_was_written(lake: Lake) -> None:
    lake.declare("a/t", SCHEMA)
    assert lake.read_all("a/t").num_rows == 0
    assert [Path(path).name for path in lake.files("a/t")] == ["empty.parquet"]
    lake.write("a/t", rows(1), SCHEMA, batch="b1")
    assert lake.read_all("a/t")["id"].to_pylist() == [1]


def test_a_declared_table_follows_its_contract_when_that_grows(lake: Lake) -> None:
    lake.declare("a/t", SCHEMA)
    lake.declare("a/t", SCHEMA.append(pa.field("new", pa.int8())))
    assert "new" in lake.read_all("a/t").column_names


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (rows(1).drop_columns(["word"]), "missing ['word']"),
        (rows(1).append_column("extra", pa.array([1])), "unexpected ['extra']"),
        (pa.table({"id": ["SECRETVALUE"], "word": ["x"], "run_id": ["r"]}), "column id is string, expected int64"),
        (pa.table({"id": pa.array([None], pa.int64()), "word": ["x"], "run_id": ["r"]}), "column id has 1 nulls"),
    ],
)
def test_rows_that_break_the_contract_leave_the_old_file_and_no_temporary_one(
    lake: Lake, bad: pa.Table, says: str
) -> None:
    written = lake.write("a/t", rows(7), SCHEMA, batch="b1")
    with pytest.raises(ContractError) as caught:
        lake.write("a/t", bad, SCHEMA, batch="b1")
    assert says in str(caught.value)
    assert "SECRETVALUE" not in str(caught.value)
    assert lake.read("a/t", "b1")["id"].to_pylist() == [7]
    assert os.listdir(Path(written.path).parent) == ["data.parquet"]


def test_columns_may_come_in_any_order_and_are_never_swapped(lake: Lake) -> None:
    lake.write("a/t", rows(1).select(["run_id", "word", "id"]), SCHEMA, batch="b1")
    assert lake.read("a/t", "b1").to_pydict() == rows(1).to_pydict()


def test_a_failing_stream_of_chunks_leaves_the_old_file(lake: Lake) -> None:
    lake.write("a/t", rows(7), SCHEMA, batch="b1")

    def chunks():
        yield rows(1)
        raise RuntimeError("the labeller died")

    with pytest.raises(RuntimeError, match="labeller died"):
        lake.write("a/t", chunks(), SCHEMA, batch="b1")
    assert lake.read("a/t", "b1")["id"].to_pylist() == [7]


def test_a_missing_partition_says_what_to_materialize(lake: Lake) -> None:
    with pytest.raises(FileNotFoundError, match=r"batch 'nope' of a/t is not in the lake.*materialize a/t first"):
        lake.read("a/t", "nope")


@pytest.mark.parametrize("key", ["../x", "a/b", "", "x" * 81, "a b", ".hidden", "a\n", "é"])
def test_a_batch_key_cannot_leave_its_folder(lake: Lake, key: str) -> None:
    with pytest.raises(ValueError, match="batch key"):
        lake.path("a/t", key)


@pytest.mark.parametrize("table", ["t", "../t", "A/T", "a/t/u", "a/..", "a/t;drop"])
def test_a_table_name_is_schema_and_table(lake: Lake, table: str) -> None:
    with pytest.raises(ValueError, match="lake table"):
        lake.folder(table)


def test_leftovers_of_killed_writes_are_never_read(lake: Lake) -> None:
    written = lake.write("a/t", rows(1), SCHEMA, batch="b1")
    pq.write_table(rows(2, 3), Path(written.path).parent / ".data.dead.tmp")
    assert lake.read_all("a/t")["id"].to_pylist() == [1]
    assert lake.batches("a/t") == ["b1"]


def test_the_digest_ignores_when_and_by_which_run_rows_were_made(lake: Lake) -> None:
    first = lake.write("a/t", rows(1, 2, run="r1"), SCHEMA, batch="b1")
    again = lake.write("a/t", rows(1, 2, run="r2"), SCHEMA, batch="b1")
    other = lake.write("a/t", rows(1, 3, run="r1"), SCHEMA, batch="b1")
    assert first.digest == again.digest != other.digest


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-(2**62), 2**62), st.one_of(st.none(), st.text(max_size=5))), max_size=30), st.data()
)
def test_the_digest_depends_on_content_and_not_on_chunks_or_slices(values, data) -> None:
    table = pa.table({"id": [i for i, _ in values], "word": pa.array([w for _, w in values], pa.string())})
    cut = data.draw(st.integers(0, len(values)))
    chunked = pa.concat_tables([table.slice(0, cut), table.slice(cut)])
    assert content_digest(chunked) == content_digest(table)
    if values:
        assert content_digest(table.slice(1)) != content_digest(table)


def test_an_object_store_url_is_the_same_code(tmp_path: Path) -> None:
    lake = Lake(f"file://{tmp_path}/store")
    lake.write("a/t", rows(1), SCHEMA, batch="b1")
    assert lake.read("a/t", "b1")["id"].to_pylist() == [1]
