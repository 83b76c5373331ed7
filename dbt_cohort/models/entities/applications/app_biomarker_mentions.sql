{{ config(alias='biomarker_mentions') }}

-- Biomarkers in the current text of notes: where, how asserted, and whether the sentence speaks of response or of its loss. One row a mention.
select
    found.note_id,
    found.person_id,
    found.note_date,
    found.biomarker,
    found."start",
    found."end",
    found.sentence_start,
    found.sentence_end,
    found.assertion,
    found.response,
    found.batch,
    found.note_sha256
from {{ source('lake', 'entities_biomarkers') }} as found
inner join {{ ref('note_index') }} as note
    on note.note_id = found.note_id and note.batch = found.batch and note.text_sha256 = found.note_sha256
