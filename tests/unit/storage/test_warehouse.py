"""The warehouse is replaced whole: readers never wait, never fail, never see half a build."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest

from clinical_assets.storage.locks import Locked, hold_lock
from clinical_assets.storage.warehouse import Warehouse, execute_apart


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    return Warehouse(tmp_path / "warehouse" / "clinical.duckdb", tmp_path / "work")


def publish(warehouse: Warehouse, value: int, run_id: str = "r") -> None:
    with warehouse.rewrite(run_id) as private, duckdb.connect(str(private)) as connection:
        # Two tables that must always agree: a reader that sees them differ has seen a torn publish.
        connection.execute(f"create or replace table a as select {value} as v")
        connection.execute(f"create or replace table b as select {value} as v")


def read(path: Path) -> tuple[int, int]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return connection.execute("select a.v, b.v from a, b").fetchone()


def test_a_build_that_ends_well_is_published_and_its_private_copy_is_gone(warehouse: Warehouse) -> None:
    publish(warehouse, 1)
    publish(warehouse, 2)
    assert read(warehouse.path) == (2, 2)
    assert list(warehouse.work.iterdir()) == []
    assert not warehouse.path.with_name("clinical.duckdb.wal").exists()


def test_a_build_that_fails_leaves_the_old_file(warehouse: Warehouse) -> None:
    publish(warehouse, 1)
    with pytest.raises(RuntimeError, match="dbt failed"), warehouse.rewrite("r2") as private:
        with duckdb.connect(str(private)) as connection:
            connection.execute("drop table a")
        raise RuntimeError("dbt failed")
    assert read(warehouse.path) == (1, 1)
    assert list(warehouse.work.iterdir()) == []


def test_the_private_copy_has_the_same_stem_as_the_published_file(warehouse: Warehouse) -> None:
    with warehouse.rewrite("r") as private:
        assert private.name == "clinical.duckdb"
        duckdb.connect(str(private)).close()


def test_an_open_reader_keeps_its_snapshot_and_a_new_one_sees_the_new_file(warehouse: Warehouse) -> None:
    publish(warehouse, 1)
    code = (
        "import duckdb, sys; c = duckdb.connect(sys.argv[1], read_only=True); print(c.execute('select v from a').fetchone()[0], flush=True);"
        "sys.stdin.readline(); print(c.execute('select v from a').fetchone()[0], flush=True)"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code, str(warehouse.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert reader.stdout.readline().strip() == "1"
    publish(warehouse, 2)
    out, _ = reader.communicate("go\n", timeout=30)
    assert out.strip() == "1"
    assert read(warehouse.path) == (2, 2)


def _keep_reading(path: str, stop, queue) -> None:
    opens = errors = torn = 0
    while not stop.is_set() or opens < 100:
        try:
            a, b = read(Path(path))
            torn += a != b
        except Exception:
            errors += 1
        opens += 1
    queue.put((opens, errors, torn))


def test_two_hundred_reads_during_twenty_publishes_see_no_error_and_no_torn_file(warehouse: Warehouse) -> None:
    publish(warehouse, 0)
    context = multiprocessing.get_context("spawn")
    stop, queue = context.Event(), context.Queue()
    readers = [context.Process(target=_keep_reading, args=(str(warehouse.path), stop, queue)) for _ in range(2)]
    for reader in readers:
        reader.start()
    for value in range(1, 21):
        publish(warehouse, value)
    stop.set()
    results = [queue.get(timeout=120) for _ in readers]
    for reader in readers:
        reader.join()
    assert sum(opens for opens, _, _ in results) >= 200
    assert [(errors, torn) for _, errors, torn in results] == [(0, 0), (0, 0)]
    assert read(warehouse.path) == (20, 20)


def test_a_second_rebuild_is_refused_with_the_pid_of_the_first(warehouse: Warehouse) -> None:
    code = (
        "import sys, time; from pathlib import Path; from clinical_assets.storage.warehouse import Warehouse\n"
        "with Warehouse(Path(sys.argv[1]), Path(sys.argv[2])).rewrite('first') as p:\n    print('held', flush=True); time.sleep(60)"
    )
    holder = subprocess.Popen(
        [sys.executable, "-c", code, str(warehouse.path), str(warehouse.work)], stdout=subprocess.PIPE, text=True
    )
    try:
        assert holder.stdout.readline().strip() == "held"
        with (
            pytest.raises(Locked, match=f"is being rebuilt by process {holder.pid} "),
            warehouse.rewrite("second", wait_seconds=0.1),
        ):
            pass
    finally:
        holder.kill()
        holder.wait()
    publish(warehouse, 5, run_id="third")  # a killed holder leaves no stale lock and no private copy
    assert read(warehouse.path) == (5, 5)
    assert list(warehouse.work.iterdir()) == []


def test_a_lock_is_free_again_after_its_block(tmp_path: Path) -> None:
    for _ in range(2):
        with hold_lock(tmp_path / "l.lock", "it is used"):
            pass


def test_statements_run_apart_report_their_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="nonsense"):
        execute_apart(tmp_path / "x.duckdb", ["nonsense"])
