-- Human labels of the current version of a note: the answer its annotators agree on, null where they disagree. A label of
-- another version of the text is not a label of this one. One row a note and field.
with landed as (
    select
        {{ typed('note_id', 'bigint') }},
        lower(cast(text_sha256 as varchar)) as text_sha256,
        {{ typed('annotator', 'varchar') }},
        {{ typed('field', 'varchar') }},
        {{ typed('value', 'boolean') }}
    from {{ source('landing', 'concept_labels') }}
),

texts as (
    select distinct note_id, batch, text_sha256, landed_sha256 from {{ source('lake', 'notes') }}
)

select
    'manual' as labeller,
    note.note_id,
    note.person_id,
    note.note_date,
    landed.field,
    case when min(landed.value) = max(landed.value) and count(*) = count(landed.value) then bool_and(landed.value) end as value,
    case when min(landed.value) = max(landed.value) and count(*) = count(landed.value) then 'labelled' else 'annotators_disagree' end
        as status,
    count(distinct landed.annotator) as n_annotators
from landed
inner join texts on texts.note_id = landed.note_id and landed.text_sha256 in (texts.text_sha256, texts.landed_sha256)
inner join {{ ref('note_index') }} as note
    on note.note_id = texts.note_id and note.batch = texts.batch and note.text_sha256 = texts.text_sha256
group by all
