-- What came of reading the current version of every note in scope: nothing found is not nothing known.
select
    extraction.note_id,
    extraction.person_id,
    note_index.note_date,
    extraction.status,
    extraction.n_mentions,
    extraction.n_dropped,
    extraction.n_input_tokens,
    extraction.n_output_tokens,
    extraction.extractor,
    extraction.model_revision,
    extraction.adapter_sha,
    extraction.prompt_sha,
    extraction.decoding,
    extraction.note_sha256,
    extraction.batch,
    extraction.extracted_at,
    extraction.run_id
from {{ source('lake', 'entities_notes') }} as extraction
inner join {{ ref('note_index') }} as note_index
    on note_index.note_id = extraction.note_id
    and note_index.batch = extraction.batch
    and note_index.text_sha256 = extraction.note_sha256
