-- Every labeller's answer on the current version of every note, rules and humans alike. One row a labeller, note and field.
select labeller, note_id, person_id, note_date, field, value, status from {{ ref('regex_labels') }}
union all
select labeller, note_id, person_id, note_date, field, value, status from {{ ref('manual_labels') }}
