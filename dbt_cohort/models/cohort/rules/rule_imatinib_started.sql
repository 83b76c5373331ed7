-- One row a person with an index: imatinib within imatinib_within_days of it?
select
    person_id,
    'imatinib_started' as rule,
    coalesce(first_imatinib_date - index_date <= {{ param('imatinib_within_days') }}, false) as holds,
    first_imatinib_date as decided_on
from {{ ref('cml_course') }}
