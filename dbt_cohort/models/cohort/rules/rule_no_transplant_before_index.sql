-- One row a person with an index: no marrow or stem cell transplant before it?
select
    person_id,
    'no_transplant_before_index' as rule,
    coalesce(first_transplant_date >= index_date, true) as holds,
    first_transplant_date as decided_on
from {{ ref('cml_course') }}
