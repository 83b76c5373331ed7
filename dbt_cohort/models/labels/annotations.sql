-- Who answered what, version by version. No text. One row a note, annotator, field and version.
select
    note_id,
    person_id,
    field,
    annotator,
    version,
    value,
    is_current,
    exists (
        select 1 from {{ ref('note_index') }} as note where note.note_id = said.note_id and note.text_sha256 = said.text_sha256
    ) as is_current_text,
    answered_at,
    first_seen_at,
    text_sha256,
    source_file,
    source_format,
    source_sha256
from {{ source('lake', 'annotations_human_labels') }} as said
