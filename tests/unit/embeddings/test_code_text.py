"""Chronologies: what is told, what is not, and how codes get their names."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clinical_assets.embeddings.code_systems import ALIASES, ndc_sql
from clinical_assets.embeddings.code_text import SEPARATOR, CohortError, code_events, code_text
from clinical_assets.embeddings.rxnorm import CONSO_COLUMNS, SAT_COLUMNS
from clinical_assets.embeddings.terminology import TerminologyError, read_terminology
from clinical_assets.storage.embedding_contracts import TERMINOLOGY

DAY = dt.date(2020, 1, 1)
NAMES = {1: "Asthma", 2: "Nausea | vomiting", 3: "nan", 4: "Office visit"}


def connect() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create schema omop")
    for table, prefix, date in (
        ("condition_occurrence", "condition", "condition_start_date"),
        ("procedure_occurrence", "procedure", "procedure_date"),
        ("drug_exposure", "drug", "drug_exposure_start_date"),
    ):
        connection.execute(
            f"create table omop.{table} (person_id bigint, {prefix}_concept_id bigint, {date} date, {prefix}_source_value varchar, "
            f"{prefix}_source_concept_id bigint)"
        )
    connection.execute(
        "create table omop.concept (concept_id bigint, concept_name varchar, vocabulary_id varchar, concept_code varchar)"
    )
    rows = [(i, name, "SNOMED", str(i)) for i, name in NAMES.items()]
    connection.executemany("insert into omop.concept values (?, ?, ?, ?)", [*rows, (1, "Asthma", "SNOMED", "1")])
    return connection


def cohort(*rows: tuple[int, dt.date | None]) -> pa.Table:
    return pa.table(
        {
            "person_id": pa.array([r[0] for r in rows], pa.int64()),
            "index_date": pa.array([r[1] for r in rows], pa.date32()),
        }
    )


def terms(*rows: tuple[str, str, str]) -> pa.Table:
    listed = [{"code_system": s, "code": c, "name": n, "source": "x"} for s, c, n in rows]
    return pa.Table.from_pylist(listed, schema=TERMINOLOGY)


def told(connection: duckdb.DuckDBPyConnection, persons: pa.Table, names: pa.Table | None = None) -> list[dict]:
    return code_text(connection, code_events(connection, persons, terms() if names is None else names)).to_pylist()


@settings(max_examples=12, deadline=None)
@given(
    facts=st.lists(st.tuples(st.integers(1, 3), st.integers(0, 5), st.integers(-4, 4)), max_size=20),
    shift=st.integers(-2, 2),
)
def test_nothing_on_or_after_the_index_date(facts: list[tuple[int, int, int]], shift: int) -> None:
    connection = connect()
    listed = [(person, concept, DAY + dt.timedelta(days)) for person, concept, days in facts]
    for person, concept, date in listed:
        connection.execute(
            "insert into omop.condition_occurrence values (?, ?, ?, null, null)", [person, concept, date]
        )
    index = {1: DAY, 2: DAY + dt.timedelta(shift)}  # person 3 is not in the cohort
    rows = {row["person_id"]: row for row in told(connection, cohort(*index.items()))}
    for person, date in index.items():
        before = [(when, concept) for who, concept, when in listed if who == person and when < date]
        row = rows.pop(person, None)
        if row is None:
            assert before == []
            continue
        assert row["n_records"] == len(before)
        named = {(when, NAMES[concept].replace(" |", "")) for when, concept in before if concept in {1, 2, 4}}
        assert row["n_unmapped"] == sum(concept not in {1, 2, 4} for _, concept in before)
        lines = [f"[{when}] - {name}" for when, name in sorted(named)]
        assert row["text"] == (SEPARATOR.join(lines) or None)
        assert row["n_lines"] == len(lines)
        assert row["last_date"] < date
    assert rows == {}


@pytest.mark.parametrize(
    ("table", "source", "date", "name"),
    [
        ("condition_occurrence", "M32.9", "2019-01-01", "lupus, ten"),
        ("condition_occurrence", " m329", "2019-01-01", "lupus, ten"),
        ("condition_occurrence", "V10.1", "2010-01-01", "history, nine"),  # both have it: the one in use on the day
        ("condition_occurrence", "V10.1", "2019-01-01", "accident, ten"),
        ("condition_occurrence", "ICD-9-CM:V10.1", "2019-01-01", "history, nine"),
        ("condition_occurrence", "99213", "2019-01-01", None),  # a procedure's code
        ("procedure_occurrence", "99213", "2019-01-01", "Office visit, CPT"),
        ("procedure_occurrence", "J1745", "2019-01-01", "Infliximab injection"),
        ("drug_exposure", "0002-8215-01", "2019-01-01", "insulin"),
        ("drug_exposure", "00002821501", "2019-01-01", "insulin"),
        ("drug_exposure", "0002821501", "2019-01-01", None),  # ten digits do not say where the zero is missing
        ("drug_exposure", "282388.0", "2019-01-01", "imatinib"),
        ("drug_exposure", "RxNorm:282388", "2019-01-01", "imatinib"),
        ("drug_exposure", "NDC:282388", "2019-01-01", None),
    ],
)
def test_source_codes_get_names(table: str, source: str, date: str, name: str | None) -> None:
    connection = connect()
    connection.execute(f"insert into omop.{table} values (7, 0, ?, ?, 0)", [date, source])
    names = terms(
        ("ICD10CM", "M329", "lupus, ten"), ("ICD9CM", "V101", "history, nine"), ("ICD10CM", "V101", "accident, ten"),
        ("CPT4", "99213", "Office visit, CPT"), ("HCPCS", "J1745", "Infliximab injection"), ("NDC", "00002821501", "insulin"),
        ("RxNorm", "282388", "imatinib"),
    )  # fmt: skip
    (row,) = told(connection, cohort((7, DAY)), names)
    assert row["text"] == (f"[{date}] - {name}" if name else None)
    assert row["n_unmapped"] == (0 if name else 1)


def test_standard_name_then_source_concept_then_code_and_twins_count_once() -> None:
    connection = connect()
    connection.execute(
        "insert into omop.condition_occurrence values (7, 1, '2019-01-01', 'M32.9', 4), (7, 1, '2019-01-01', 'M32.9', 4), "
        "(7, 0, '2019-01-02', 'M32.9', 4), (7, 99, '2019-01-03', 'M32.9', 98), (7, 3, '2019-01-04', null, null)"
    )
    (row,) = told(connection, cohort((7, DAY)), terms(("ICD10CM", "M329", "lupus")))
    assert row["text"] == "[2019-01-01] - Asthma | [2019-01-02] - Office visit | [2019-01-03] - lupus"
    assert (row["n_records"], row["n_lines"], row["n_unmapped"]) == (5, 3, 1)


def test_a_cohort_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(CohortError, match="lacks index_date; found person_id"):
        code_events(connect(), pa.table({"person_id": [1]}), terms())
    with pytest.raises(CohortError, match="rows without index_date"):
        code_events(connect(), cohort((1, None)), terms())
    with pytest.raises(CohortError, match="same index date twice"):
        code_events(connect(), cohort((1, DAY), (1, DAY)), terms())
    assert told(connect(), cohort()) == []


def rrf(rows: list[dict[str, str]], columns: tuple[str, ...]) -> str:
    return "".join("|".join(row.get(name, "") for name in columns) + "|\n" for row in rows)


def conso(cui: str, name: str, aui: str = "1", **other: str) -> dict[str, str]:
    return {
        "RXCUI": cui,
        "LAT": "ENG",
        "RXAUI": aui,
        "SAB": "RXNORM",
        "TTY": "SCD",
        "STR": name,
        "SUPPRESS": "N",
    } | other


def test_terminology_and_rxnorm_are_read_and_what_is_wrong_is_set_aside(tmp_path: Path) -> None:
    (tmp_path / "standardized_terminology.csv").write_text(
        "code_system,code,code_description,unit\n"
        "ICD-10-CM,M32.9,Lupus,\nICD-10-CM,M32.9,Lupus,\nICD-10-CM,M32.9,Another name,\n"
        'CPT,99213,"Office | visit,  20 min",\nICD-9-CM,710.0,nan,\nICD-9-CM,,Lupus,\nMAGIC,1,x,\nNDC,0002821501,insulin,\n',
        encoding="utf-8",
    )
    (tmp_path / "RXNCONSO.RRF").write_text(
        rrf(
            [
                conso("11", "BRAND", SAB="MTHSPL"), conso("11", "insulin 100 UNT/ML", "2"), conso("11", "insuline", LAT="FRE"),
                conso("11", "old", SUPPRESS="O"), conso("12", "imatinib", TTY="IN"), conso("12", "synonym", TTY="SY"),
            ],
            CONSO_COLUMNS,
        ),
        encoding="utf-8",
    )  # fmt: skip
    (tmp_path / "RXNSAT.RRF").write_text(
        rrf(
            [
                {"RXCUI": "11", "ATN": "NDC", "ATV": "00002-8215-01", "SUPPRESS": "N"},
                {"RXCUI": "12", "ATN": "NDC", "ATV": "00002821501", "SUPPRESS": "O"},
                {"RXCUI": "12", "ATN": "OTHER", "ATV": "99999999999"},
                {"RXCUI": "404", "ATN": "NDC", "ATV": "11111111111"},
            ],
            SAT_COLUMNS,
        ),
        encoding="utf-8",
    )
    found = read_terminology(tmp_path)
    assert {(r["code_system"], r["code"]): r["name"] for r in found.names.to_pylist()} == {
        ("ICD10CM", "M329"): "Lupus",
        ("CPT4", "99213"): "Office visit, 20 min",
        ("RxNorm", "11"): "insulin 100 UNT/ML",
        ("RxNorm", "12"): "imatinib",
        ("NDC", "00002821501"): "insulin 100 UNT/ML",
    }
    assert {(r["reason"], r["n"]) for r in found.rejects.to_pylist()} == {
        ("other_name", 1), ("no_name", 1), ("no_code", 1), ("unknown_code_system", 1), ("bad_ndc", 1),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("terms.csv", "code,code_description\n1,x\n", "columns code_system are missing; found code, code_description"),
        ("terms.xlsx", "x", "expected .csv, .tsv or .RRF"),
        ("RXNCONSO.RRF", "1|2|\n", "RXNSAT.RRF is missing"),
    ],
)
def test_files_that_cannot_be_read_are_named(tmp_path: Path, name: str, content: str, message: str) -> None:
    (tmp_path / name).write_text(content, encoding="utf-8")
    with pytest.raises(TerminologyError, match=message):
        read_terminology(tmp_path)


def test_a_broken_release_file_is_named(tmp_path: Path) -> None:
    for name in ("RXNCONSO.RRF", "RXNSAT.RRF"):
        (tmp_path / name).write_text("1|2|\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"RXNCONSO.RRF: expected RxNorm's 18 columns"):
        read_terminology(tmp_path)


@settings(max_examples=30, deadline=None)
@given(labeler=st.integers(0, 99999), product=st.integers(0, 9999), package=st.integers(0, 99))
def test_an_ndc_is_eleven_digits_however_it_was_hyphenated(labeler: int, product: int, package: int) -> None:
    eleven = f"{labeler:05}{product:04}{package:02}"
    spellings = [eleven, f"{labeler:05}-{product:04}-{package:02}"]
    spellings += [f"{labeler:04}-{product:04}-{package:02}"] if labeler < 10_000 else []
    spellings += [f"{labeler:05}-{product:03}-{package:02}"] if product < 1000 else []
    for spelling in spellings:
        assert duckdb.execute(f"select {ndc_sql('code')} from (select ? as code)", [spelling]).fetchone() == (eleven,)


def test_every_alias_is_written_as_it_is_looked_up() -> None:
    assert all(alias == alias.upper() and alias.isalnum() for alias in ALIASES)
