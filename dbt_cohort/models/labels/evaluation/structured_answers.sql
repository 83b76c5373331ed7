-- Structured data as a labeller of the notes in scope: whether a record of the field's concept set lies on or before the day of
-- the note. It says what is on record, not what the note says; it is compared with the other labellers, and votes nowhere.
-- Accelerated and blast phase share one concept set, so records cannot answer for either. One row a note and field.
with asked as (
    select * from (
        values
        ('imatinib_mentioned', 'imatinib'),
        ('related_drugs_mentioned', 'other_abl_tki'),
        ('cml_diagnosed', 'cml'),
        ('aml_diagnosed', 'aml'),
        ('bmt_history', 'transplant'),
        ('bmt_history', 'transplant_status')
    ) as pairs (field, set_name)
),

first_record as (
    select person_id, field, min(start_date) as start_date
    from {{ ref('events') }}
    inner join asked using (set_name)
    group by person_id, field
)

select
    'structured' as labeller,
    note.note_id,
    note.person_id,
    fields.field,
    coalesce(first_record.start_date <= note.note_date, false) as value
from {{ ref('labelling_scope') }}
inner join {{ ref('note_index') }} as note using (note_id)
cross join (select distinct field from asked) as fields
left join first_record on first_record.person_id = note.person_id and first_record.field = fields.field
