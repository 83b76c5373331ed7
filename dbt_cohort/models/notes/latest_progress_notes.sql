-- The note that stands for a person: the latest usable note of the study's types between the index and the end of the
-- window. Equal dates are settled by the higher note_id. One row a person with an index, also where no note will do.
with persons as (
    select person_id, index_date, {{ 'follow_up_end' if param('latest_note_window') == 'follow_up' else 'period_end' }} as window_end
    from {{ ref('cml_course') }}
),

candidates as (
    select
        persons.person_id,
        note.note_id,
        note.note_date,
        note.note_type,
        note.n_chars,
        note.text_sha256,
        note.batch,
        case
            when note.status <> 'usable' then note.status
            when note.n_chars < {{ param('latest_note_min_chars') }} then 'too_short'
        end as passed_over_because,
        row_number() over (partition by persons.person_id order by note.note_date desc, note.note_id desc) as recency
    from persons
    inner join {{ ref('note_index') }} as note
        on note.person_id = persons.person_id
        and note.note_date between persons.index_date and persons.window_end
        and lower(note.note_type) in ({{ sql_texts(param('latest_note_types') | map('lower') | list) }})
),

chosen as (
    select * from candidates
    where passed_over_because is null
    qualify row_number() over (partition by person_id order by recency) = 1
),

-- whatever is newer than the chosen note was passed over, else it would have been chosen
passed_over as (
    select
        candidates.person_id,
        count(*) as n_passed_over,
        string_agg(distinct candidates.passed_over_because, ', ' order by candidates.passed_over_because) as passed_over_because,
        arg_min(candidates.note_id, candidates.recency) as newest_passed_over_note_id
    from candidates
    left join chosen using (person_id)
    where candidates.recency < coalesce(chosen.recency, candidates.recency + 1)
    group by candidates.person_id
)

select
    persons.person_id,
    chosen.note_id,
    chosen.note_date,
    chosen.note_type,
    chosen.n_chars,
    chosen.text_sha256,
    chosen.batch,
    case
        when chosen.note_id is not null then 'chosen'
        when passed_over.n_passed_over is not null then 'no_usable_note'
        else 'no_note'
    end as outcome,
    coalesce(passed_over.n_passed_over, 0) as n_passed_over,
    passed_over.passed_over_because,
    passed_over.newest_passed_over_note_id
from persons
left join chosen using (person_id)
left join passed_over using (person_id)
