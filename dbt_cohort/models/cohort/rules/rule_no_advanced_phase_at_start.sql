-- One row a person with an index: no accelerated or blast phase up to and including the first imatinib (the index, where
-- there was none)?
select
    person_id,
    'no_advanced_phase_at_start' as rule,
    coalesce(first_advanced_phase_date > coalesce(first_imatinib_date, index_date), true) as holds,
    first_advanced_phase_date as decided_on
from {{ ref('cml_course') }}
