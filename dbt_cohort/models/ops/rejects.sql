-- Every landed row that was quarantined, and why. Never text of a note.
select
    batch,
    source_file,
    row_number,
    note_id,
    reason,
    detail,
    source_file_sha256
from {{ source('lake', 'rejects') }}
