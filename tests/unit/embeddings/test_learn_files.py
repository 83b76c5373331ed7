"""The seed's own files become OMOP tables, of which chronologies are told as of any others."""

from __future__ import annotations

import csv
import datetime as dt
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from clinical_assets.cli.main import app
from clinical_assets.embeddings.code_text import code_events, code_text
from clinical_assets.embeddings.learn_files import CONCEPTS, LearnFilesError, import_learn_files
from clinical_assets.embeddings.rxnorm import CONSO_COLUMNS, SAT_COLUMNS
from clinical_assets.embeddings.terminology import read_terminology
from tests.unit.embeddings.test_code_text import conso, rrf

FILES = {
    "final_data_yrCut0.txt": "patient_id\tsex\tyob\tiDate\tdate_sle_new\tdate_rd_new\tn_labs\nP2\tM\t1970.0\t2015-06-01\t\t\t3\n"
    "P1\tF\t1960\t20150601\t2018-02-03\t2014-01-01\t9\nP3\tF\t1980\tsoon\t\t\t\nP4\tF\t\t20150601\t\t\t\n",
    "diagnosis.csv": "patient_id,code_system,code,date\nP1,ICD-10-CM,M32.9,20150531\nP1,ICD-9-CM,710.0,20140101\n"
    "P1,ICD-10-CM,M32.9,20150601\nP2,KLINGON,1,20140101\nP2,ICD-10-CM,Z99,2014-13-45\nP9,ICD-10-CM,Z99,20140101\n",
    "procedure.csv": "patient_id,code_system,code,date\nP2,CPT,99213,20140101\nP2,CPT,,20140101\n",
    "medication_drug.csv": "patient_id,code_system,code,start_date\nP2,RxNorm,282388,20140101\nP1,NDC,00002-8215-01,20140102\n",
    "standardized_terminology.csv": "code_system,code,code_description,unit\nICD-10-CM,M32.9,Lupus,\nICD-9-CM,710.0,Lupus (nine),\n"
    "CPT,99213,Office visit,\n",
    "RXNCONSO.RRF": rrf([conso("282388", "imatinib"), conso("11", "insulin")], CONSO_COLUMNS),
    "RXNSAT.RRF": rrf([{"RXCUI": "11", "ATN": "NDC", "ATV": "00002821501"}], SAT_COLUMNS),
}


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "learn"
    folder.mkdir()
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_files_become_tables_and_chronologies(source: Path, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("CLINICAL_DATA", str(tmp_path / "data"))
    done = CliRunner().invoke(app, ["import-learn", str(source)])
    assert done.exit_code == 0, done.output
    landing = tmp_path / "data" / "landing"
    with duckdb.connect() as connection:
        connection.execute("create schema omop")
        for path in (landing / "omop").glob("*.parquet"):
            connection.execute(f"create view omop.{path.stem} as select * from read_parquet('{path}')")
        for table, column in (
            ("condition_occurrence", "condition"), ("procedure_occurrence", "procedure"), ("drug_exposure", "drug"),
        ):  # fmt: skip
            connection.execute(
                f"create table {table} as select *, null::bigint as {column}_source_concept_id from omop.{table}"
            )
            connection.execute(f"create or replace view omop.{table} as from main.{table}")
        persons = connection.execute("from omop.person order by 1").fetchall()
        assert persons == [(1, 8532, 1960, "P1"), (2, 8507, 1970, "P2")]
        dated = connection.execute("from omop.observation order by observation_concept_id, person_id").fetchall()
        index, outcome, excluded = CONCEPTS
        day = dt.date(2015, 6, 1)
        assert [row[1:] for row in dated] == [
            (1, index, day), (2, index, day), (1, outcome, dt.date(2018, 2, 3)), (1, excluded, dt.date(2014, 1, 1)),
        ]  # fmt: skip
        assert len({row[0] for row in dated}) == 4
        cohort = connection.sql(
            "select person_id, observation_date as index_date from omop.observation "
            f"where observation_concept_id = {index}"
        ).to_arrow_table()
        names = read_terminology(landing / "terminology").names
        rows = code_text(connection, code_events(connection, cohort, names)).to_pylist()
    told = {(row["person_id"], row["domain"]): row["text"] for row in rows}
    assert told == {
        (
            1,
            "condition",
        ): "[2014-01-01] - Lupus (nine) | [2015-05-31] - Lupus",
        (1, "drug"): "[2014-01-02] - insulin",
        (2, "drug"): "[2014-01-01] - imatinib",
        (2, "procedure"): "[2014-01-01] - Office visit",
    }
    with (landing / "import_rejects.csv").open() as handle:
        rejects = {(row["file"], row["reason"].split(" ")[0]): int(row["n"]) for row in csv.DictReader(handle)}
    assert rejects == {
        ("final_data_yrCut0.txt", "no_index_date"): 1,
        ("final_data_yrCut0.txt", "no_year_of_birth"): 1,
        ("diagnosis.csv", "unknown_code_system"): 1,
        ("diagnosis.csv", "no_date"): 1,
        ("diagnosis.csv", "person_not_in_the_cohort"): 1,
        ("procedure.csv", "no_code"): 1,
    }
    assert "without a date, not imported: n_labs" in done.output


def test_what_cannot_be_imported_is_said(source: Path, tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    table = source / "final_data_yrCut0.txt"
    table.write_text(FILES[table.name] + "P1\tF\t1960\t20150601\t\t\t\n", encoding="utf-8")
    with pytest.raises(LearnFilesError, match="1 patient_id stand there twice"):
        list(import_learn_files(source, landing))
    table.write_text("patient_id\tsex\nP1\tF\n", encoding="utf-8")
    with pytest.raises(LearnFilesError, match="columns iDate, yob are missing; found patient_id, sex"):
        list(import_learn_files(source, landing))
    (source / "procedure.csv").unlink()
    with pytest.raises(FileNotFoundError, match=r"procedure\.csv is missing"):
        list(import_learn_files(source, landing))
    with pytest.raises(LearnFilesError, match="expected one tab-separated table of persons"):
        list(import_learn_files(tmp_path / "nowhere", landing))
    assert not landing.exists()
    landing.mkdir()
    (landing / "other.csv").write_text("x", encoding="utf-8")
    with pytest.raises(LearnFilesError, match="holds other data"):
        list(import_learn_files(source, landing))
