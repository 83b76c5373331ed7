-- Human labels of the current version of a note: the answer its annotators agree on or their adjudicator gives, null where they
-- disagree. A label of another version of the text is not a label of this one. One row a note and field.
select
    'manual' as labeller,
    note.note_id,
    note.person_id,
    note.note_date,
    said.field,
    said.value,
    case when said.status = 'disagreed' then 'annotators_disagree' else 'labelled' end as status,
    said.n_annotators,
    said.status as adjudication
from {{ source('lake', 'annotations_adjudicated') }} as said
inner join {{ ref('note_index') }} as note using (note_id, text_sha256)
