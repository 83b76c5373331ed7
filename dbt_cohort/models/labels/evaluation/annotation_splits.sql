-- Which part of the annotated notes each one belongs to: train (40 %), validation (30 %) or test (30 %). Drawn by person, from a
-- hash of the person's id, so that a note that comes later changes no other note's split. A text that stands under two splits
-- would leak from one into the other: all its copies are excluded. One row a note with gold.
with annotated as (
    select distinct gold.note_id, gold.person_id, note.text_sha256
    from {{ ref('manual_labels') }} as gold
    inner join {{ ref('note_index') }} as note using (note_id)
),

placed as (
    -- the first 32 bits of the hash, as a share of all that there could be
    select *, cast('0x' || left(md5('annotation_splits:' || person_id), 8) as bigint) / 4294967296 as place
    from annotated
),

drawn as (
    select
        note_id,
        person_id,
        text_sha256,
        case when place < 0.4 then 'train' when place < 0.7 then 'validation' else 'test' end as drawn_split
    from placed
),

counted as (
    select
        *,
        count(*) over (partition by text_sha256) - count(*) over (partition by text_sha256, drawn_split) as n_copies_elsewhere
    from drawn
)

select
    note_id,
    person_id,
    case when n_copies_elsewhere > 0 then 'excluded' else drawn_split end as split,
    drawn_split,
    n_copies_elsewhere,
    text_sha256
from counted
