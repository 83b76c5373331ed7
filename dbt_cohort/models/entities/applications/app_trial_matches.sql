{{ config(alias='trial_matches') }}

-- Who may take part: eligible if every criterion is met, not_eligible if one is not, else to_be_clarified. One row a trial and candidate.
select
    trial,
    person_id,
    case
        when bool_or(status = 'not_met') then 'not_eligible'
        when bool_or(status = 'unknown') then 'to_be_clarified'
        else 'eligible'
    end as verdict,
    count(*) filter (status = 'met') as n_met,
    count(*) filter (status = 'not_met') as n_not_met,
    count(*) filter (status = 'unknown') as n_unknown,
    coalesce(string_agg(criterion, ', ' order by criterion_order) filter (status = 'not_met'), '') as not_met,
    coalesce(string_agg(criterion, ', ' order by criterion_order) filter (status = 'unknown'), '') as unknown
from {{ ref('app_trial_criteria') }}
group by trial, person_id
