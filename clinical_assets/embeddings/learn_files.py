"""The files of the published risk design (LEARN) as OMOP tables in landing/, so that everything else reads them like any other hospital.

Read: a tab-separated table of persons with their index dates, diagnosis.csv, procedure.csv, medication_drug.csv,
standardized_terminology.csv, RXNCONSO.RRF and RXNSAT.RRF. What cannot be used is set aside with its reason, never guessed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb

from clinical_assets.embeddings.code_systems import ALIASES, system_sql

__all__ = ["CONCEPTS", "LearnFilesError", "import_learn_files"]

# Concepts of our own (above 2,000,000,000, as OMOP asks): what the table of persons says with a date. Observations, which are told in no
# chronology.
CONCEPTS = {
    2_100_000_001: ("Index event of the imported cohort", "Observation"),
    2_100_000_002: ("Outcome of the imported cohort", "Observation"),
    2_100_000_003: ("Excluding rheumatic disease of the imported cohort", "Observation"),
}
_INDEX, _OUTCOME, _EXCLUDED = CONCEPTS
_RECORDS = {
    "diagnosis.csv": ("condition_occurrence", "condition", "condition_start_date", "date", "condition"),
    "procedure.csv": ("procedure_occurrence", "procedure", "procedure_date", "date", "procedure"),
    "medication_drug.csv": ("drug_exposure", "drug", "drug_exposure_start_date", "start_date", "drug"),
}
_TERMS = ("standardized_terminology.csv", "RXNCONSO.RRF", "RXNSAT.RRF")
_MARK = "LEARN.txt"
_FORMATS = ("%Y%m%d", "%Y-%m-%d", "%Y-%m-%d %H:%M:%S")
_DATE = "cast(coalesce(" + ", ".join(f"try_strptime(trim({{0}}), '{form}')" for form in _FORMATS) + ") as date)"


class LearnFilesError(ValueError):
    """The files cannot be imported; the message says which, why, and what is expected."""


def import_learn_files(source: Path, landing: Path) -> Iterator[str]:
    """Write person, observation_period, the three fact tables, observation and concept to ``landing/omop``, and the files of names to
    ``landing/terminology``; yield a line about each.

    Persons get their number in the order of patient_id (which becomes person_source_value). Rows set aside are counted by reason in
    ``landing/import_rejects.csv``. Counts, laboratory values and flags of the table of persons have no date: they are not imported.

    Raises
    ------
    FileNotFoundError
        If a file is missing.
    LearnFilesError
        If a file lacks columns, there is not exactly one table of persons, patient_id is not unique, or landing/ holds other data.
    """
    mark = landing / _MARK
    if landing.exists() and any(landing.rglob("*.*")) and not mark.exists():
        raise LearnFilesError(
            f"{landing} holds other data; use another folder: CLINICAL_DATA=... clinical-assets import-learn {source}"
        )
    persons = [*sorted(source.glob("*.txt")), *sorted(source.glob("*.tsv"))] if source.is_dir() else []
    if len(persons) != 1:
        raise LearnFilesError(
            f"{source}: expected one tab-separated table of persons (*.txt or *.tsv), found {len(persons)}; keep one in the folder"
        )
    for name in _RECORDS:
        if not (source / name).exists():
            raise FileNotFoundError(
                f"{source / name} is missing; expected {', '.join(_RECORDS)} beside the table of persons"
            )
    with duckdb.connect() as connection:
        connection.execute("create table rejects (file varchar, reason varchar, n bigint)")
        dropped = _read_persons(connection, persons[0])
        for name in _RECORDS:
            _read_records(connection, source / name)
        omop = landing / "omop"
        omop.mkdir(parents=True, exist_ok=True)
        mark.write_text("Imported from the files of a LEARN cohort.\n", encoding="utf-8")
        for table, sql in _tables().items():
            _put(connection, sql, omop / f"{table}.parquet", "parquet")
            n = connection.execute(f"select count(*) from ({sql})").fetchone()
            yield f"omop/{table}: {n[0] if n else 0:,} rows"
        _put(connection, "select * from rejects where n > 0 order by all", landing / "import_rejects.csv", "csv")
        rejects = connection.execute("select file, reason, n from rejects where n > 0 order by all").fetchall()
    yield from (f"set aside: {n:,} rows of {file}: {reason}" for file, reason, n in rejects)
    yield f"columns of {persons[0].name} without a date, not imported: {', '.join(dropped) or 'none'}"
    (landing / "terminology").mkdir(exist_ok=True)
    for name in _TERMS:
        if (source / name).exists():
            shutil.copyfile(source / name, landing / "terminology" / f".{name}.tmp")
            os.replace(landing / "terminology" / f".{name}.tmp", landing / "terminology" / name)
            yield f"terminology/{name}"
    yield (
        f"in the study: risk.index.concepts [{_INDEX}], risk.outcome.concepts [{_OUTCOME}], an exclusion "
        f"other_rheumatic_disease.concepts [{_EXCLUDED}]"
    )


def _columns(
    connection: duckdb.DuckDBPyConnection, path: Path, needed: set[str], view: str, delimiter: str
) -> list[str]:
    try:
        rows = connection.read_csv(str(path), header=True, all_varchar=True, delimiter=delimiter, quotechar='"')
        rows.create_view(view)
        connection.execute(f"select count(*) from {view}").fetchone()
    except duckdb.Error:
        raise LearnFilesError(
            f"{path}: cannot be read as a table; expected a header and {'tabs' if delimiter != ',' else 'commas'}"
        ) from None
    missing = sorted(needed - set(rows.columns))
    if missing:
        raise LearnFilesError(f"{path}: columns {', '.join(missing)} are missing; found {', '.join(rows.columns[:30])}")
    return list(rows.columns)


def _read_persons(connection: duckdb.DuckDBPyConnection, path: Path) -> list[str]:
    """Make the table `persons`; return the columns that are not imported."""
    known = ["patient_id", "iDate", "yob", "sex", "date_sle_new", "date_rd_new"]
    columns = _columns(connection, path, {"patient_id", "iDate", "yob"}, "landed_persons", "\t")
    value = {name: name if name in columns else "cast(null as varchar)" for name in known}
    connection.execute(
        f"""
        create table judged as
        select trim(patient_id) as patient_id, {_DATE.format("iDate")} as index_date, try_cast(try_cast(yob as double) as bigint) as yob,
            case upper(left(trim({value["sex"]}), 1)) when 'M' then 8507 when 'F' then 8532 else 0 end as gender_concept_id,
            {_DATE.format(value["date_sle_new"])} as outcome_date, {_DATE.format(value["date_rd_new"])} as excluded_date
        from landed_persons
        """
    )
    twice = connection.execute(
        "select count(*) from (select patient_id from judged group by all having count(*) > 1)"
    ).fetchone()
    if twice and twice[0]:
        raise LearnFilesError(f"{path}: {twice[0]} patient_id stand there twice; keep one row a person")
    reason = """case when coalesce(patient_id, '') = '' then 'no_patient_id' when index_date is null then 'no_index_date'
        when yob is null then 'no_year_of_birth' end"""
    connection.execute(
        f"insert into rejects select ?, {reason}, count(*) from judged where {reason} is not null group by 2",
        [path.name],
    )
    connection.execute(
        f"create table persons as select row_number() over (order by patient_id) as person_id, * from judged where {reason} is null"
    )
    return [name for name in columns if name not in known]


def _read_records(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Make the table of one kind of records, named as its domain."""
    _, _, _, date, domain = _RECORDS[path.name]
    _columns(connection, path, {"patient_id", "code_system", "code", date}, f"landed_{domain}", ",")
    connection.execute(
        f"""
        create table judged_{domain} as
        select persons.person_id, {system_sql("records.code_system")} as system, trim(records.code) as code,
            {_DATE.format(f"records.{date}")} as day,
            case
                when persons.person_id is null then 'person_not_in_the_cohort' when coalesce(trim(records.code), '') = '' then 'no_code'
                when system is null then 'unknown_code_system (known: {", ".join(sorted(set(ALIASES.values())))})'
                when day is null then 'no_date (expected YYYYMMDD)'
            end as reason
        from landed_{domain} as records left join persons on persons.patient_id = trim(records.patient_id)
        """
    )
    connection.execute(
        f"insert into rejects select ?, reason, count(*) from judged_{domain} where reason is not null group by 2",
        [path.name],
    )
    connection.execute(
        f"create table {domain} as select person_id, system || ':' || code as source_value, day from judged_{domain} where reason is null"
    )


def _tables() -> dict[str, str]:
    """Return the SQL of every OMOP table."""
    facts = {}
    for table, prefix, date, _, domain in _RECORDS.values():
        facts[table] = f"""
            select row_number() over (order by person_id, day, source_value) as {table}_id, person_id, 0 as {prefix}_concept_id,
                day as {date}, source_value as {prefix}_source_value
            from {domain}
        """
    days = " union all ".join(f"select person_id, day from {domain}" for *_, domain in _RECORDS.values())
    names = ", ".join(
        f"({concept}, '{name}', '{domain}', 'None', 'S', '{concept}')" for concept, (name, domain) in CONCEPTS.items()
    )
    return {
        "person": "select person_id, gender_concept_id, yob as year_of_birth, patient_id as person_source_value from persons order by 1",
        "observation_period": f"""
            select person_id as observation_period_id, person_id, min(day) as observation_period_start_date,
                max(day) as observation_period_end_date
            from ({days} union all select person_id, index_date from persons) group by person_id order by 1
        """,
        **facts,
        "observation": f"""
            select row_number() over (order by observation_date, person_id, observation_concept_id) as observation_id, * from (
                select person_id, {_INDEX} as observation_concept_id, index_date as observation_date from persons
                union all select person_id, {_OUTCOME}, outcome_date from persons where outcome_date is not null
                union all select person_id, {_EXCLUDED}, excluded_date from persons where excluded_date is not null
            )
        """,
        "concept": f"""
            select * from (values {names}) as listed (concept_id, concept_name, domain_id, vocabulary_id, standard_concept, concept_code)
        """,
    }


def _put(connection: duckdb.DuckDBPyConnection, sql: str, path: Path, kind: str) -> None:
    temp = path.with_name(f".{path.name}.tmp")
    quoted = str(temp).replace("'", "''")
    connection.execute(f"copy ({sql}) to '{quoted}' (format {kind})")
    os.replace(temp, path)
