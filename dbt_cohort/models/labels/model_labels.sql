-- Labels of the language models for the current version of every note they were asked about. One row a labeller, note and field.
select
    label.labeller,
    label.note_id,
    label.person_id,
    note_index.note_date,
    label.field,
    label.value,
    label.probability,
    label.status,
    label.reason,
    label.mentioned,
    label.asserted,
    label.assertion,
    label.evidence_start,
    label.evidence_end,
    label.n_input_tokens,
    label.n_output_tokens,
    label.seconds,
    label.note_sha256,
    label.model_revision,
    label.adapter_sha,
    label.prompt_sha,
    label.schema_version,
    label.decoding,
    label.batch,
    label.labelled_at,
    label.run_id
from {{ source('lake', 'labels_models') }} as label
inner join {{ ref('note_index') }} as note_index
    on note_index.note_id = label.note_id
    and note_index.batch = label.batch
    and note_index.text_sha256 = label.note_sha256
