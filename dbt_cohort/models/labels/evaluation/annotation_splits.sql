-- Which part of the annotated notes each one belongs to, as annotations/splits has drawn and kept it: no person and no text is in
-- two of train, validation and test. One row a note with gold.
with annotated as (
    select distinct gold.note_id, gold.person_id, note.text_sha256
    from {{ ref('manual_labels') }} as gold
    inner join {{ ref('note_index') }} as note using (note_id)
),

persons as (
    -- never two: the check of annotations/splits holds it
    select person_id, min(split) as split
    from {{ source('lake', 'annotations_splits') }}
    where split <> 'excluded'
    group by person_id
),

drawn as (
    select
        annotated.note_id,
        annotated.person_id,
        coalesce(splits.split, 'excluded') as split,
        coalesce(persons.split, 'excluded') as drawn_split,
        annotated.text_sha256,
        splits.reason,
        splits.group_id,
        splits.seed,
        splits.assigned_at
    from annotated
    left join {{ source('lake', 'annotations_splits') }} as splits using (note_id)
    left join persons on persons.person_id = annotated.person_id
)

select
    note_id,
    person_id,
    split,
    drawn_split,
    count(*) over (partition by text_sha256) - count(*) over (partition by text_sha256, drawn_split) as n_copies_elsewhere,
    text_sha256,
    case when split = 'excluded' then coalesce(reason, 'not_drawn_yet') end as reason,
    group_id,
    seed,
    assigned_at
from drawn
