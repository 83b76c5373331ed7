"""The lake's model tables: found by prefix, seen together by dbt, and the notes in scope as their digests."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from clinical_assets.cohort.lake_views import create_lake_views
from clinical_assets.cohort.scope import scope_digests
from clinical_assets.labels.scope import notes_in_scope
from clinical_assets.storage.contracts import LABELS, LAKE_TABLES, MODEL_LABELS, NOTES
from clinical_assets.storage.lake import Lake


def labels(labeller: str, *ids: int) -> pa.Table:
    return pa.Table.from_pylist(
        [
            {
                "note_id": k, "note_sha256": f"s{k}", "labeller": labeller, "model_revision": "r", "adapter_sha": "",
                "prompt_sha": "p", "schema_version": "1", "decoding": "d", "person_id": k, "batch": "b", "field": "f",
                "value": True, "probability": 0.5, "status": "labelled", "labelled_at": datetime(2024, 1, 1, tzinfo=UTC),
                "run_id": "x",
            }
            for k in ids
        ],
        schema=LABELS,
    )  # fmt: skip


class Store(Lake):
    """Arrow's store in memory, read and written by the same code as s3://, but for folders, which it wants to be made."""

    def _upload(self, temp: str, path: str) -> None:
        self._fs.create_dir(path.rsplit("/", 1)[0], recursive=True)
        super()._upload(temp, path)


@pytest.fixture(params=["folder", "file://", "object store"])
def lake(request, tmp_path: Path) -> Lake:
    if request.param == "object store":
        made = Store("mock:///lake")
        assert not made.is_local
    else:
        made = Lake(tmp_path / "it's a lake" if request.param == "folder" else f"file://{tmp_path}/lake")
    for table, schema in LAKE_TABLES.items():
        made.declare(table, schema)
    return made


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def seen(connection: duckdb.DuckDBPyConnection, table: str) -> list[tuple[Any, ...]]:
    return connection.execute(f"select labeller, note_id from lake.{table} order by all").fetchall()


def test_without_a_model_the_view_is_empty_and_typed(lake: Lake, connection: duckdb.DuckDBPyConnection) -> None:
    create_lake_views(connection, lake, LAKE_TABLES)
    assert seen(connection, "labels_models") == []
    described = {row[0]: row[1] for row in connection.execute("describe lake.labels_models").fetchall()}
    assert list(described) == LABELS.names
    assert (described["note_id"], described["value"], described["probability"]) == ("BIGINT", "BOOLEAN", "FLOAT")


def test_all_batches_of_all_models_stand_in_one_view_and_nothing_else(
    lake: Lake, connection: duckdb.DuckDBPyConnection
) -> None:
    lake.write("labels/llm_one", labels("llm_one", 1, 2), LABELS, batch="b1")
    lake.write("labels/llm_one", labels("llm_one", 3), LABELS, batch="b2")
    lake.write("labels/llm_two", labels("llm_two", 1), LABELS, batch="b1")
    lake.write("labels/regex", labels("regex", 1), LABELS, batch="b1")
    lake.write("labels_put_by/llm_one", labels("llm_one", 9), LABELS, batch="b3")
    lake.write("labels/llm_gone", labels("llm_gone", 1), LABELS, batch="b1")
    lake.remove("labels/llm_gone", "b1")
    create_lake_views(connection, lake, LAKE_TABLES)
    assert seen(connection, "labels_models") == [("llm_one", 1), ("llm_one", 2), ("llm_one", 3), ("llm_two", 1)]
    assert seen(connection, "labels_regex") == [("regex", 1)]
    assert seen(connection, "labels_regex_seed") == []


def test_no_view_shows_the_text_of_a_note(lake: Lake, connection: duckdb.DuckDBPyConnection) -> None:
    note = {
        "note_id": 1, "person_id": 1, "note_date": date(2020, 1, 1), "text": "Zyxcanaryqwv", "text_sha256": "stored", "n_chars": 12,
        "status": "usable", "batch": "b1", "source_file_sha256": "f", "ingested_at": datetime.now(UTC),
    }  # fmt: skip
    landed = note | {"note_id": 2, "raw_text": "Zyxcanaryqwv\r"}
    lake.write("notes/notes", pa.Table.from_pylist([note, landed], schema=NOTES), NOTES, batch="b1")
    create_lake_views(connection, lake, LAKE_TABLES)
    rows = connection.execute("from lake.notes order by note_id").to_arrow_table().to_pylist()
    assert not {"text", "raw_text", "offset_map"} & set(rows[0])
    assert "Zyxcanaryqwv" not in str(rows)
    assert [row["landed_sha256"] for row in rows] == ["stored", hashlib.sha256(b"Zyxcanaryqwv\r").hexdigest()]


def test_the_views_can_be_made_anew_when_a_model_came(lake: Lake, connection: duckdb.DuckDBPyConnection) -> None:
    create_lake_views(connection, lake, LAKE_TABLES)
    lake.write("labels/llm_one", labels("llm_one", 1), LABELS, batch="b1")
    create_lake_views(connection, lake, LAKE_TABLES)
    assert seen(connection, "labels_models") == [("llm_one", 1)]


# --- Lake.tables and Lake.remove --------------------------------------------------------------------------------------


def test_tables_are_found_by_schema_and_prefix(lake: Lake) -> None:
    for name in ("labels/llm_b", "labels/llm_a", "labels_put_by/llm_c", "labels/other"):
        lake.write(name, labels("x", 1), LABELS, batch="b1")
    assert lake.tables("labels", "llm_") == ["labels/llm_a", "labels/llm_b"]
    assert lake.tables("labels_put_by", "llm_") == ["labels_put_by/llm_c"]
    assert MODEL_LABELS in lake.tables("labels", "")
    assert lake.tables("nowhere", "llm_") == []


def test_remove_takes_one_partition_and_leaves_the_others(lake: Lake) -> None:
    for batch in ("b1", "b2", "b10"):
        lake.write("labels/llm_a", labels("x", 1), LABELS, batch=batch)
    lake.remove("labels/llm_a", "b1")
    lake.remove("labels/llm_a", "b1")
    lake.remove("labels/llm_never", "b1")
    assert lake.batches("labels/llm_a") == ["b10", "b2"]
    assert not lake.has("labels/llm_a", "b1")
    with pytest.raises(ValueError, match="batch key"):
        lake.remove("labels/llm_a", "..")
    lake.write("labels/llm_a", labels("x", 7), LABELS, batch="b1")
    assert lake.read("labels/llm_a", "b1")["note_id"].to_pylist() == [7]


# --- notes in scope ---------------------------------------------------------------------------------------------------


class Warehouse:
    """Opens one connection, as the published warehouse's reader does."""

    def __init__(self, *scope: tuple[int, str, str], batches: tuple[str, ...] = ("b1", "b2")) -> None:
        self.connection = duckdb.connect()
        self.connection.execute(
            "create schema ops; create schema notes; create table ops.batches (batch varchar);"
            "create table notes.labelling_scope (note_id bigint, batch varchar, text_sha256 varchar)"
        )
        for batch in batches:
            self.connection.execute("insert into ops.batches values (?)", [batch])
        for row in scope:
            self.connection.execute("insert into notes.labelling_scope values (?, ?, ?)", list(row))

    @contextlib.contextmanager
    def get_connection(self) -> Iterator[Any]:
        yield self.connection


def test_the_notes_in_scope_are_those_of_the_batch() -> None:
    warehouse = Warehouse((1, "b1", "x"), (2, "b1", "y"), (3, "b2", "z"))
    assert notes_in_scope(warehouse, "b1") == {1, 2}
    assert notes_in_scope(warehouse, "b'9") == set()


def test_a_digest_changes_with_the_notes_and_their_texts_of_that_batch_alone() -> None:
    first = scope_digests(Warehouse((1, "b1", "x"), (2, "b1", "y"), (3, "b2", "z")).connection)
    assert {batch: n for batch, (_, n) in first.items()} == {"b1": 2, "b2": 1}
    other_order = scope_digests(Warehouse((3, "b2", "z"), (2, "b1", "y"), (1, "b1", "x")).connection)
    assert other_order == first
    for changed in ((1, "b1", "CHANGED"), (9, "b1", "x")):
        again = scope_digests(Warehouse(changed, (2, "b1", "y"), (3, "b2", "z")).connection)
        assert again["b1"] != first["b1"]
        assert again["b2"] == first["b2"]


def test_a_batch_without_a_note_in_scope_has_the_digest_of_nothing() -> None:
    found = scope_digests(Warehouse((1, "b1", "x"), (5, "unknown", "x")).connection)
    assert found["b2"] == (hashlib.sha256(b"").hexdigest(), 0)
    assert set(found) == {"b1", "b2"}
