-- Every ingested batch with what became of its rows and how far its labels have come.
with labelled as (
    select batch, count(distinct note_id) as n_notes_labelled
    from {{ source('lake', 'labels_regex') }}
    group by batch
),

dates as (
    select batch, min(note_date) as first_note_date, max(note_date) as last_note_date
    from {{ source('lake', 'notes') }}
    group by batch
)

select
    intakes.batch,
    intakes.source_file,
    intakes.source_file_sha256,
    intakes.n_landed,
    intakes.n_stored,
    intakes.n_rejected,
    intakes.n_usable,
    intakes.n_duplicate_texts,
    dates.first_note_date,
    dates.last_note_date,
    coalesce(labelled.n_notes_labelled, 0) as n_notes_labelled,
    intakes.ingested_at,
    intakes.run_id
from {{ source('lake', 'intakes') }} as intakes
left join dates using (batch)
left join labelled using (batch)
