{{ config(alias='person_scores') }}

-- Risks by the promoted model, with what became of the person as far as is known. One row a person.
select scores.*, persons.role, persons.reason, persons.days_till_outcome
from {{ source('lake', 'risk_scores') }} as scores
left join {{ ref('risk_windows') }} as persons using (person_id)
