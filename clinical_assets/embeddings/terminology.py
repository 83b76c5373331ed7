"""Names of codes from the user's files in landing/terminology: tables of terms (CSV) and RxNorm (RXNCONSO.RRF, RXNSAT.RRF).

A code has one name: the same row twice is one row; another name for the same code is set aside, counted and said.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from clinical_assets.embeddings.code_systems import ALIASES, normal_code_sql, system_sql
from clinical_assets.embeddings.rxnorm import rxnorm_names
from clinical_assets.storage.embedding_contracts import TERMINOLOGY, TERMINOLOGY_REJECTS

__all__ = ["NO_NAME", "Terminology", "TerminologyError", "read_terminology", "terminology_digest"]

# Texts that tools write where there is no name.
NO_NAME = ("", "nan", "none", "null", "na", "n/a", "no matching concept")
_COLUMNS = {"code_system", "code", "code_description"}
_MENDS = {
    "unknown_code_system": f"code_system is none of {', '.join(sorted(set(ALIASES.values())))}; name it as one of these",
    "no_code": "code is empty; give the code",
    "no_name": "code_description is empty, or says nan: the code counts as unmapped",
    "bad_ndc": "an NDC needs 11 digits, or hyphens: ten digits without them do not say where a zero is missing",
    "other_name": "the code has another name already, in the first row that names it; keep one row a code",
}


class TerminologyError(ValueError):
    """A file of names that cannot be used; the message names file, what is expected and how to mend it."""


@dataclass(frozen=True)
class Terminology:
    """Names (contract TERMINOLOGY) and what was set aside (TERMINOLOGY_REJECTS)."""

    names: pa.Table
    rejects: pa.Table


def _files(folder: Path) -> list[Path]:
    found = [p for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")] if folder.is_dir() else []
    return sorted(found, key=lambda path: path.name)


def terminology_digest(folder: Path) -> str:
    """Return the digest of the files' names, sizes and times: enough to tell that nothing landed since."""
    said = "".join(f"{p.name}:{p.stat().st_size}:{p.stat().st_mtime_ns};" for p in _files(folder))
    return hashlib.sha256(said.encode()).hexdigest()


def read_terminology(folder: Path) -> Terminology:
    """Read every file of a folder: ``*.csv`` or ``*.tsv`` with code_system, code, code_description, and RxNorm's RRF files.

    Raises
    ------
    TerminologyError
        If a file is of no known kind, lacks columns, or one of RxNorm's files is there without the other.
    """
    files = _files(folder)
    rrf = {path.name.upper(): path for path in files if path.suffix.lower() == ".rrf"}
    with duckdb.connect() as connection:
        connection.execute(
            "create table raw (source varchar, position bigint, code_system varchar, code varchar, name varchar)"
        )
        for path in files:
            if path.suffix.lower() in {".csv", ".tsv"}:
                _read_terms(connection, path)
            elif path.suffix.lower() != ".rrf":
                raise TerminologyError(
                    f"{path}: expected .csv, .tsv or .RRF; move other files out of landing/terminology"
                )
        if rrf:
            _read_rxnorm(connection, rrf, folder)
        return _settle(connection)


def _read_terms(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    try:
        rows = connection.read_csv(str(path), header=True, all_varchar=True, delimiter=delimiter, quotechar='"')
    except duckdb.Error as error:
        raise TerminologyError(f"{path}: cannot be read as a table ({str(error).splitlines()[0][:200]})") from None
    missing = sorted(_COLUMNS - set(rows.columns))
    if missing:
        raise TerminologyError(
            f"{path}: columns {', '.join(missing)} are missing; found {', '.join(rows.columns)}; expected {', '.join(sorted(_COLUMNS))}"
        )
    connection.register("landed", rows)
    connection.execute(
        "insert into raw select ?, row_number() over (), code_system, code, code_description from landed", [path.name]
    )
    connection.unregister("landed")


def _read_rxnorm(connection: duckdb.DuckDBPyConnection, rrf: dict[str, Path], folder: Path) -> None:
    lacking = sorted({"RXNCONSO.RRF", "RXNSAT.RRF"} - set(rrf))
    if lacking:
        raise TerminologyError(
            f"{folder}: {', '.join(lacking)} is missing; RxNorm's names need RXNCONSO.RRF and RXNSAT.RRF together"
        )
    names = rxnorm_names(rrf["RXNCONSO.RRF"], rrf["RXNSAT.RRF"])
    connection.register("landed", names)
    connection.execute("insert into raw select source, row_number() over (), code_system, code, name from landed")
    connection.unregister("landed")


def _settle(connection: duckdb.DuckDBPyConnection) -> Terminology:
    nothing = ", ".join(f"'{word}'" for word in NO_NAME)
    connection.execute(
        f"""
        create table judged as
        with named as (select *, {system_sql("code_system")} as system from raw),
        coded as (select *, {normal_code_sql("system", "code")} as normal from named)
        select
            source, position, system, normal, trim(regexp_replace(name, '[\\s|]+', ' ', 'g')) as name,
            case
                when system is null then 'unknown_code_system'
                when coalesce(trim(code), '') = '' then 'no_code'
                when system = 'NDC' and normal is null then 'bad_ndc'
                when coalesce(lower(trim(name)), '') in ({nothing}) then 'no_name'
            end as reason
        from coded
        """
    )
    connection.execute(
        """
        create table kept as
        select system as code_system, normal as code, arg_min(name, (source, position)) as name,
            arg_min(source, (source, position)) as source
        from judged where reason is null group by all
        """
    )
    names = connection.sql("select * from kept order by code_system, code").to_arrow_table()
    rejected = connection.execute(
        """
        select source, reason, count(*) as n from judged where reason is not null group by all
        union all
        select judged.source, 'other_name', count(*) from judged
        inner join kept on kept.code_system = judged.system and kept.code = judged.normal and kept.name <> judged.name
        where judged.reason is null group by all
        order by all
        """
    ).fetchall()
    rows = [{"source": s, "reason": r, "n": n, "detail": _MENDS[r]} for s, r, n in rejected]
    return Terminology(names.cast(TERMINOLOGY), pa.Table.from_pylist(rows, schema=TERMINOLOGY_REJECTS))
