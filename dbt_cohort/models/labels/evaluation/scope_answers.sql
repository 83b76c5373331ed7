-- What labellers say of the notes in scope, humans and machines, gold or not: what they are compared on with each other. One row
-- a labeller, note and field.
select
    label.labeller,
    label.note_id,
    label.person_id,
    label.field,
    label.value,
    label.probability,
    label.status,
    coalesce(starts_with(model.reason, 'unsupported') or starts_with(model.reason, 'contradicted'), false) as is_unsupported
from {{ ref('current_labels') }} as label
inner join {{ ref('labelling_scope') }} as scope using (note_id)
left join {{ ref('model_labels') }} as model
    on model.labeller = label.labeller
    and model.note_id = label.note_id
    and model.field = label.field
    and label.value
