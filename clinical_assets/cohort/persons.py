"""Who the persons are, for the intake of notes: identity, earliest possible date of birth, date of death."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pyarrow as pa

from clinical_assets.cohort.omop_landing import CdmColumn, CdmTable, create_landing_views, snapshot_files

__all__ = ["read_persons"]

_PERSON = CdmTable(
    "person",
    required=True,
    columns=(
        CdmColumn("person_id", "bigint", required=True),
        CdmColumn("year_of_birth", "bigint", required=True),
        CdmColumn("month_of_birth", "bigint", required=False),
        CdmColumn("day_of_birth", "bigint", required=False),
        CdmColumn("birth_datetime", "timestamp", required=False),
    ),
)
_DEATH = CdmTable(
    "death",
    required=False,
    columns=(CdmColumn("person_id", "bigint", required=True), CdmColumn("death_date", "date", required=True)),
)

# The earliest day a person can have been born, so that no note is refused on a day that was only filled in.
_PERSONS_SQL = """
select
    try_cast(person.person_id as bigint) as person_id,
    coalesce(
        try_cast(birth_datetime as date),
        try(make_date(
            try_cast(year_of_birth as bigint),
            coalesce(try_cast(month_of_birth as bigint), 1),
            coalesce(try_cast(day_of_birth as bigint), 1)
        ))
    ) as birth_date,
    died.death_date
from landing.person as person
left join (
    select try_cast(person_id as bigint) as person_id, max(try_cast(death_date as date)) as death_date
    from landing.death
    group by 1
) as died on died.person_id = try_cast(person.person_id as bigint)
where try_cast(person.person_id as bigint) is not null
"""


def read_persons(omop_folder: Path) -> pa.Table | None:
    """Return one row per person: person_id, birth_date (earliest possible), death_date; None if no person table landed.

    Raises
    ------
    OmopLandingError
        If the person or death snapshot cannot be read or lacks a column.
    """
    if not snapshot_files(omop_folder, "person"):
        return None
    with duckdb.connect() as connection:
        create_landing_views(connection, omop_folder, (_PERSON, _DEATH))
        return connection.sql(_PERSONS_SQL).to_arrow_table()
