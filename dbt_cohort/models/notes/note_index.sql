-- One row a note. A note that landed in several batches counts once: the newest date of service wins, then the later
-- batch by name (batches are named by date), so the choice depends on what landed and never on when it was ingested.
with versions as (
    select
        *,
        row_number() over (partition by note_id order by note_date desc, batch desc) as version_rank,
        count(*) over (partition by note_id) as n_versions
    from {{ source('lake', 'notes') }}
),

sections as (
    select note_id, text_sha256, batch, count(*) as n_sections
    from {{ source('lake', 'sections') }}
    group by all
)

select
    versions.note_id,
    versions.person_id,
    versions.note_date,
    versions.note_type,
    versions.note_class,
    versions.site,
    versions.visit_occurrence_id,
    versions.status,
    versions.n_chars,
    coalesce(sections.n_sections, 0) as n_sections,
    versions.text_sha256,
    versions.batch,
    versions.n_versions,
    versions.ingested_at
from versions
left join sections using (note_id, text_sha256, batch)
where versions.version_rank = 1
