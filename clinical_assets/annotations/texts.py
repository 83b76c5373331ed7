"""Which notes and versions of their texts the lake holds: what human labels are held against. Digests only, no text."""

from __future__ import annotations

from typing import TYPE_CHECKING

import duckdb

from clinical_assets.cohort.lake_views import create_lake_views
from clinical_assets.storage.contracts import NOTES
from clinical_assets.storage.lake import Lake

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["known_texts"]

# The rule of notes.note_index: the newest date of service wins, then the later batch. A test holds the two together.
_SQL = """
with ranked as (
    select note_id, person_id, text_sha256, landed_sha256,
        row_number() over (partition by note_id order by note_date desc, batch desc) = 1 as is_newest
    from lake.notes
),
texts as (
    select note_id, text_sha256, max_by(person_id, is_newest) as person_id, bool_or(is_newest) as is_current,
        list(distinct landed_sha256) as landed
    from ranked group by all
)
select note_id, digest, first(text_sha256 order by is_current desc, text_sha256) as text_sha256,
    first(person_id order by is_current desc, text_sha256) as person_id, bool_or(is_current) as is_current
from (select note_id, text_sha256, person_id, is_current, unnest(list_append(landed, text_sha256)) as digest from texts)
group by note_id, digest
"""


def known_texts(lake: Lake) -> pd.DataFrame:
    """Return one row per note and digest that names one of its texts, as it landed or as it is stored.

    Returns
    -------
    frame
        note_id; digest; text_sha256 (of the stored text that it names); person_id; is_current (that text is the note's
        current version).
    """
    with duckdb.connect() as connection:
        create_lake_views(connection, lake, {"notes/notes": NOTES})
        return connection.execute(_SQL).df()
