"""Landed OMOP tables: whatever shape they came in, staging sees every column, or a person is told what is missing."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from clinical_assets.cohort.omop_landing import (
    OmopLandingError,
    cdm_tables,
    create_landing_views,
    snapshot_digest,
    snapshot_files,
)
from clinical_assets.cohort.persons import read_persons
from clinical_assets.cohort.snapshots import ABSENT, scan_snapshots
from resources.dbt import ensure_manifest

REQUIRED = ("person", "observation_period", "condition_occurrence", "drug_exposure")


@pytest.fixture(scope="module")
def tables():
    return cdm_tables(json.loads(ensure_manifest().read_text(encoding="utf-8")))


def land_required(folder: Path, tables, *, without: dict[str, str] | None = None) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for table in tables:
        if table.name in REQUIRED:
            names = [c.name for c in table.columns if c.required and c.name != (without or {}).get(table.name)]
            pq.write_table(
                pa.table({name: pa.array([], pa.int64()) for name in names}), folder / f"{table.name}.parquet"
            )


def test_an_empty_landing_folder_gives_views_without_rows(tmp_path: Path, tables) -> None:
    with duckdb.connect() as connection:
        landed = create_landing_views(connection, tmp_path, tables)
        assert set(landed.values()) == {False}
        for table in tables:
            relation = connection.sql(f"from landing.{table.name}")
            assert relation.columns == [column.name for column in table.columns]
            assert relation.fetchall() == []


def test_a_missing_required_table_is_named_before_any_work(tmp_path: Path, tables) -> None:
    land_required(tmp_path, tables)
    (tmp_path / "drug_exposure.parquet").unlink()
    with (
        duckdb.connect() as connection,
        pytest.raises(OmopLandingError, match=r"required OMOP tables are missing: drug_exposure\. Expected"),
    ):
        create_landing_views(connection, tmp_path, tables)


def test_a_missing_required_column_names_table_file_and_what_was_found(tmp_path: Path, tables) -> None:
    land_required(tmp_path, tables, without={"person": "year_of_birth"})
    with duckdb.connect() as connection, pytest.raises(OmopLandingError) as caught:
        create_landing_views(connection, tmp_path, tables)
    assert "person.parquet" in str(caught.value)
    assert "lacks required columns year_of_birth" in str(caught.value)
    assert "gender_concept_id" in str(caught.value)


def test_csv_in_capitals_gz_and_in_parts_is_the_same_table(tmp_path: Path, tables) -> None:
    land_required(tmp_path, tables)
    (tmp_path / "death").mkdir()
    (tmp_path / "death" / "1.csv").write_text("PERSON_ID,DEATH_DATE\n1,2020-01-02\n", encoding="utf-8")
    (tmp_path / "death" / "2.csv").write_text("PERSON_ID,DEATH_DATE,CAUSE_CONCEPT_ID\n2,20200103,5\n", encoding="utf-8")
    (tmp_path / "care_site.csv.gz").write_bytes(gzip.compress(b"care_site_id,care_site_name\n7,North\n"))
    with duckdb.connect() as connection:
        create_landing_views(connection, tmp_path, tables)
        died = connection.sql("select person_id, death_date, cause_concept_id from landing.death order by 1").fetchall()
        assert died == [("1", "2020-01-02", None), ("2", "20200103", "5")]
        assert connection.sql("select care_site_id, care_site_name, location_id from landing.care_site").fetchall() == [
            ("7", "North", None)
        ]


def test_a_table_that_landed_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "person.csv").write_text("person_id\n")
    pq.write_table(pa.table({"person_id": [1]}), tmp_path / "person.parquet")
    with pytest.raises(OmopLandingError, match=r"landed as person.parquet, person.csv; keep one"):
        snapshot_files(tmp_path, "person")


def test_a_truncated_parquet_file_is_named_and_nothing_of_it_is_quoted(tmp_path: Path, tables) -> None:
    land_required(tmp_path, tables)
    whole = (tmp_path / "person.parquet").read_bytes()
    (tmp_path / "person.parquet").write_bytes(whole[: len(whole) // 2])
    with (
        duckdb.connect() as connection,
        pytest.raises(OmopLandingError, match=r"person.parquet: cannot be read as parquet"),
    ):
        create_landing_views(connection, tmp_path, tables)


def test_persons_get_the_earliest_day_they_can_have_been_born(tmp_path: Path) -> None:
    assert read_persons(tmp_path) is None
    (tmp_path / "person.csv").write_text(
        "person_id,year_of_birth,month_of_birth,day_of_birth,birth_datetime\n1,1950,,,\n2,1950,3,,\n3,1950,3,9,\n4,1950,,,1950-05-06 07:00:00\nx,1,,,\n"
    )
    (tmp_path / "death.csv").write_text("person_id,death_date\n2,2001-01-01\n2,2001-02-01\n")
    rows = {
        row["person_id"]: (str(row["birth_date"]), row["death_date"] and str(row["death_date"]))
        for row in read_persons(tmp_path).to_pylist()
    }
    assert rows == {
        1: ("1950-01-01", None),
        2: ("1950-03-01", "2001-02-01"),
        3: ("1950-03-09", None),
        4: ("1950-05-06", None),
    }


class TestScanSnapshots:
    """The observing sensor's decision: what is new, what is still being written, what is gone."""

    def look(self, folder: Path, known, now: float = 1e12):
        return scan_snapshots({"person": folder, "death": folder}, known, now=now, settle_seconds=5)

    def test_a_new_snapshot_is_reported_once(self, tmp_path: Path) -> None:
        (tmp_path / "person.csv").write_text("person_id\n1\n")
        first = self.look(tmp_path, {})
        assert first.changed == {"person": snapshot_digest([tmp_path / "person.csv"])}
        assert self.look(tmp_path, first.known).changed == {}

    def test_touching_a_file_without_changing_it_is_not_news(self, tmp_path: Path) -> None:
        (tmp_path / "person.csv").write_text("person_id\n1\n")
        first = self.look(tmp_path, {})
        (tmp_path / "person.csv").touch()
        assert self.look(tmp_path, first.known).changed == {}

    def test_a_file_still_being_written_waits_until_it_looks_the_same_twice(self, tmp_path: Path) -> None:
        (tmp_path / "person.csv").write_text("person_id\n1\n")
        written = (tmp_path / "person.csv").stat().st_mtime
        first = self.look(tmp_path, {}, now=written + 1)
        assert first.changed == {}
        assert set(self.look(tmp_path, first.known, now=written + 2).changed) == {"person"}

    def test_a_table_that_vanishes_is_reported_and_one_that_never_was_is_not(self, tmp_path: Path) -> None:
        (tmp_path / "person.csv").write_text("person_id\n1\n")
        first = self.look(tmp_path, {})
        (tmp_path / "person.csv").unlink()
        assert self.look(tmp_path, first.known).changed == {"person": ABSENT}
        assert "death" not in first.changed

    def test_a_table_landed_twice_is_a_problem_in_words_and_the_rest_goes_on(self, tmp_path: Path) -> None:
        (tmp_path / "person.csv").write_text("person_id\n1\n")
        pq.write_table(pa.table({"person_id": [1]}), tmp_path / "person.parquet")
        (tmp_path / "death.csv").write_text("person_id,death_date\n")
        found = self.look(tmp_path, {})
        assert set(found.changed) == {"death"}
        assert "keep one of them" in found.problems[0]
