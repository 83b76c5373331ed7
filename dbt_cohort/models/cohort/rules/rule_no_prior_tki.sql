-- One row a person with an index: no ABL inhibitor, imatinib included, before it?
select
    person_id,
    'no_prior_tki' as rule,
    coalesce(first_tki_date >= index_date, true) as holds,
    first_tki_date as decided_on
from {{ ref('cml_course') }}
