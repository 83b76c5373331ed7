"""Landing real public data: GiBleed as the OMOP snapshot, MTSamples and E3C texts as notes.

No open data set holds OMOP tables and notes of the same persons. The link from a text to a person made here is synthetic
(texts in file order, persons in id order, dates inside the person's observation period), so it proves plumbing and
labelling, and nothing about persons.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import duckdb

__all__ = ["land_public_data"]

_OMOP = (
    "person", "observation_period", "visit_occurrence", "condition_occurrence", "drug_exposure", "procedure_occurrence", "measurement",
    "observation", "death", "care_site", "concept", "concept_ancestor", "concept_relationship", "concept_synonym",
)  # fmt: skip

# One corpus: file, column of the text, kind of note, first note_id. Ids of the two corpora never meet.
_CORPORA = (
    ("mtsamples", "mtsamples_dev.parquet", "transcription", "medical_specialty", 1_000_000),
    ("e3c", "e3c_en_layer3_ccby_dev.parquet", "text", "'Case report'", 2_000_000),
)

_NOTES_SQL = """
copy (
    with persons as (
        select person_id, observation_period_start_date as first_day, observation_period_end_date as last_day,
            row_number() over (order by person_id) - 1 as position
        from read_parquet('{omop}/observation_period.parquet')
        where person_id in (select person_id from read_parquet('{omop}/person.parquet'))
        qualify row_number() over (partition by person_id order by observation_period_id) = 1
    ),
    texts as (select row_number() over () - 1 as position, {kind} as kind, {text} as note_text from read_parquet('{file}'))
    select
        {first_id} + texts.position as note_id,
        persons.person_id,
        cast(first_day + to_days(cast(texts.position % greatest(1, last_day - first_day) as integer)) as date) as note_date,
        texts.kind as note_source_value,
        '{name} (synthetic person link)' as site,
        texts.note_text
    from texts
    inner join persons on persons.position = texts.position % (select count(*) from persons)
    order by note_id
) to '{target}' (format parquet)
"""


def land_public_data(source: Path, landing: Path) -> Iterator[str]:
    """Copy the OMOP tables and write one note batch per corpus; yield a line about each.

    Parameters
    ----------
    source
        Folder with ``omop/gibleed/<table>.parquet`` and ``notes/<corpus>.parquet``.
    landing
        The landing folder, empty or filled by this before.

    Raises
    ------
    FileNotFoundError
        If `source` lacks a file; the message names it.
    ValueError
        If `landing` holds something else: public texts must not mix with other persons.
    """
    mark = landing / "PUBLIC.txt"
    if landing.exists() and any(landing.rglob("*.*")) and not mark.exists():
        raise ValueError(
            f"{landing} holds other data; use another folder: CLINICAL_DATA=... clinical-assets land-public {source}"
        )
    omop = source / "omop" / "gibleed"
    needed = [omop / f"{table}.parquet" for table in _OMOP] + [source / "notes" / file for _, file, *_ in _CORPORA]
    for path in needed:
        if not path.exists():
            raise FileNotFoundError(
                f"{path} is missing: expected the public data's omop/gibleed and notes folders under {source}"
            )
    (landing / "omop").mkdir(parents=True, exist_ok=True)
    (landing / "notes").mkdir(parents=True, exist_ok=True)
    mark.write_text(
        "GiBleed persons (synthetic, Eunomia); MTSamples and E3C texts. Links between texts and persons are synthetic.\n",
        encoding="utf-8",
    )
    for table in _OMOP:
        shutil.copyfile(omop / f"{table}.parquet", landing / "omop" / f".{table}.tmp")
        os.replace(landing / "omop" / f".{table}.tmp", landing / "omop" / f"{table}.parquet")
    yield f"omop: {len(_OMOP)} tables of GiBleed"
    for name, file, text, kind, first_id in _CORPORA:
        temp, target = landing / "notes" / f".{name}.tmp", landing / "notes" / f"{name}.parquet"
        sql = _NOTES_SQL.format(
            omop=omop, file=source / "notes" / file, text=text, kind=kind, first_id=first_id, name=name, target=temp
        )
        with duckdb.connect() as connection:
            connection.execute(sql)
            n = connection.execute(f"select count(*) from read_parquet('{temp}')").fetchone()
        os.replace(temp, target)
        yield f"notes: {n[0] if n else 0:,} texts of {name}, each linked to a GiBleed person synthetically"
