-- The two cohorts side by side: who is in which, and the first rule of each that kept them out.
-- One row a person with an index or a primary event of the earlier study.
with first_failed as (
    select person_id, rule from {{ ref('person_rules') }} where excluded_here
)

select
    person_id,
    cohort.person_id is not null as in_cohort,
    seed.person_id is not null as in_seed_compatible,
    first_failed.rule as excluded_by,
    case
        when seed.person_id is not null then null
        when primary_event.person_id is null then 'no era at 18 with ten years of observation ahead'
        when not primary_event.no_advanced_phase_to_index then 'advanced phase up to index'
        when not primary_event.no_other_tki_in_period then 'other inhibitor in the observation period'
        else 'transplant up to index'
    end as excluded_by_seed_rule,
    course.index_date,
    primary_event.start_date as seed_start_date
from {{ ref('cml_course') }} as course
full join {{ ref('seed_primary_events') }} as primary_event using (person_id)
left join {{ ref('cml_imatinib') }} as cohort using (person_id)
left join {{ ref('cml_seed_compatible') }} as seed using (person_id)
left join first_failed using (person_id)
