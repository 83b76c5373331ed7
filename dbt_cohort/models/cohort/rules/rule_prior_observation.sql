-- One row a person with an index: observed for prior_observation_days before it?
select
    person_id,
    'prior_observation' as rule,
    index_date - period_start >= {{ param('prior_observation_days') }} as holds,
    period_start as decided_on
from {{ ref('cml_course') }}
