-- True and false per labeller and field, with what could not be labelled kept apart: a failure is never a false.
select
    labeller,
    field,
    count(*) as n_notes,
    count(distinct person_id) as n_persons,
    count_if(value) as n_true,
    count_if(not value) as n_false,
    count_if(value is null) as n_without_value,
    count_if(mentioned) as n_mentioned,
    count_if(value) / nullif(count(value), 0) as prevalence
from {{ ref('regex_labels') }}
group by labeller, field
