-- Every labeller's answer on the current version of every note: rules, humans and models alike. One row a labeller, note and
-- field. P(true) is what a model says, null for the others.
select labeller, note_id, person_id, note_date, field, value, cast(null as float) as probability, status
from {{ ref('regex_labels') }}
union all
select labeller, note_id, person_id, note_date, field, value, cast(null as float) as probability, status
from {{ ref('manual_labels') }}
union all
select labeller, note_id, person_id, note_date, field, value, probability, status from {{ ref('model_labels') }}
