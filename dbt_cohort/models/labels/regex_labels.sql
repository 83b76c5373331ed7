-- Labels of the rule-based labellers for the current version of every note.
with labels as (
    select * from {{ source('lake', 'labels_regex') }}
    union all by name
    select * from {{ source('lake', 'labels_regex_seed') }}
)

select
    labels.labeller,
    labels.note_id,
    labels.person_id,
    note_index.note_date,
    labels.field,
    labels.value,
    labels.status,
    labels.mentioned,
    labels.asserted,
    labels.assertion,
    labels.evidence_start,
    labels.evidence_end,
    labels.reason,
    labels.note_sha256,
    labels.model_revision,
    labels.prompt_sha,
    labels.schema_version,
    labels.batch,
    labels.labelled_at,
    labels.run_id
from labels
inner join {{ ref('note_index') }} as note_index
    on note_index.note_id = labels.note_id
    and note_index.batch = labels.batch
    and note_index.text_sha256 = labels.note_sha256
