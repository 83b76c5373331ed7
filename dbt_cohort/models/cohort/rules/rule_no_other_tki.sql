-- One row a person with an index: no ABL inhibitor but imatinib from it to censoring? The switch censors follow-up, but it
-- must not hide itself from this rule: the window ends without it.
select
    person_id,
    'no_other_tki' as rule,
    coalesce(first_other_tki_date > end_without_switch, true) as holds,
    first_other_tki_date as decided_on
from {{ ref('cml_course') }}
