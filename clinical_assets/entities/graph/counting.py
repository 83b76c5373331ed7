"""Counting the nodes and edges of the knowledge graph over the mentions and relations of all batches.

Counted is the current version of every note, and only mentions that are asserted of the patient: negated, possible, hypothetical ones and
those of relatives are no support of anything. Synonyms are one node where they are linked to one concept.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import duckdb
import pyarrow as pa

from clinical_assets.entities.relations.note_relations import ASSERTED
from clinical_assets.storage.lake import Lake

__all__ = ["Counted", "count_graph"]

Rows = list[dict[str, Any]]

# The rule of the table notes.note_index: the newest date of service wins, then the later batch by name.
_CURRENT = """
create temp view current_notes as
select note_id, batch, text_sha256 as note_sha256 from notes
qualify row_number() over (partition by note_id order by note_date desc, batch desc) = 1
"""
_ASSERTED = ", ".join(f"'{name}'" for name in sorted(ASSERTED))
_SEEN = """
    count(distinct note_id) as n_notes,
    count(distinct person_id) as n_persons,
    cast(date_trunc('month', min(note_date)) as date) as first_seen,
    cast(date_trunc('month', max(note_date)) as date) as last_seen
"""
_MENTIONED = f"""
create temp view asserted_mentions as
select mentions.* from mentions
inner join current_notes using (note_id, batch, note_sha256)
where assertion in ({_ASSERTED})
"""
# Words that were found as a chemical here and a disease there are one node, of the type found more often.
_NODES = f"""
with types as (
    select entity_key, entity_type from asserted_mentions group by entity_key, entity_type
    qualify row_number() over (partition by entity_key order by count(*) desc, entity_type) = 1
)
select
    entity_key,
    any_value(types.entity_type) as entity_type,
    max(concept_name) as name,
    max(concept_id) as concept_id,
    max(vocabulary_id) as vocabulary_id,
    max(concept_code) as concept_code,
    count(*) as n_mentions,
    count(distinct normalised) as n_names,
    {_SEEN}
from asserted_mentions inner join types using (entity_key)
group by entity_key
order by entity_key
"""
# Relations may be older than the mentions of their batch, until they are made anew: what is no longer named there is no edge, so that
# the persons of an edge are always among those of its nodes.
_EDGES = f"""
with keys as (
    select distinct note_id, batch, note_sha256, entity_key from asserted_mentions
),
asserted as (
    select relations.* from relations
    semi join keys as chemical
        on relations.note_id = chemical.note_id and relations.batch = chemical.batch
        and relations.note_sha256 = chemical.note_sha256 and relations.chemical_key = chemical.entity_key
    semi join keys as disease
        on relations.note_id = disease.note_id and relations.batch = disease.batch
        and relations.note_sha256 = disease.note_sha256 and relations.disease_key = disease.entity_key
    where chemical_assertion in ({_ASSERTED}) and disease_assertion in ({_ASSERTED}) and chemical_key <> disease_key
),
typed as (
    select 'same_sentence' as edge_type, null::float as p, * from asserted where sentences_apart = 0
    union all by name
    select relation as edge_type, probability as p, * from asserted where value
    union all by name
    select 'worded_' || wording as edge_type, null::float as p, * from asserted where wording <> 'none' and sentences_apart = 0
)
select
    chemical_key as source_key,
    disease_key as target_key,
    edge_type,
    cast(avg(p) as float) as mean_probability,
    {_SEEN}
from typed
group by all
order by source_key, target_key, edge_type
"""
_NOTE_COLUMNS = ["note_id", "note_date", "batch", "text_sha256"]
_OF_NOTE = ["note_id", "note_sha256", "batch", "person_id", "note_date"]
_MENTION_COLUMNS = [
    *_OF_NOTE, "entity_type", "normalised", "assertion", "entity_key", "concept_id", "concept_name", "vocabulary_id", "concept_code",
]  # fmt: skip
_RELATION_COLUMNS = [
    *_OF_NOTE, "relation", "chemical_key", "disease_key", "probability", "value", "wording", "sentences_apart", "chemical_assertion",
    "disease_assertion",
]  # fmt: skip


class Counted(NamedTuple):
    """True counts, not yet to be shown: nodes and edges as rows of their contracts without `suppressed`."""

    nodes: Rows
    edges: Rows


def count_graph(lake: Lake) -> Counted:
    """Count nodes and edges over all batches of the lake."""
    return count_tables(
        lake.read_all("notes/notes", _NOTE_COLUMNS),
        lake.read_all("entities/mentions", _MENTION_COLUMNS),
        lake.read_all("entities/relations", _RELATION_COLUMNS),
    )


def count_tables(notes: pa.Table, mentions: pa.Table, relations: pa.Table) -> Counted:
    """Count nodes and edges of tables with the columns named above."""
    with duckdb.connect(":memory:") as connection:
        for name, table in (("notes", notes), ("mentions", mentions), ("relations", relations)):
            connection.register(name, table)
        connection.execute(_CURRENT)
        connection.execute(_MENTIONED)
        nodes, edges = (connection.execute(sql).to_arrow_table().to_pylist() for sql in (_NODES, _EDGES))
        return Counted(nodes, edges)
