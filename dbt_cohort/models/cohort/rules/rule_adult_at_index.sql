-- One row a person with an index: old enough on the index day, by date of birth?
select
    person_id,
    'adult_at_index' as rule,
    coalesce(age_at_index >= {{ param('minimum_age') }}, false) as holds,
    birth_date as decided_on
from {{ ref('cml_course') }}
