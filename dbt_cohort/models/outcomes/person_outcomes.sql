-- Time from the first imatinib to each outcome, in days. status: 0 censored, 1 the outcome, 2 death before it.
-- One row a population, outcome and person.
with progressed as (
    select course.population, course.person_id, min(advanced.start_date) as event_date
    from {{ ref('outcome_populations') }} as course
    inner join {{ events_of('cml_advanced_phase') }} as advanced
        on advanced.person_id = course.person_id and advanced.start_date > course.first_imatinib_date
    group by all
),

-- 8554 is percent; a ratio without a unit is taken as percent on the international scale
measured as (
    select course.population, course.person_id, min(result.start_date) filter (result.value_as_number <= 0.1) as event_date
    from {{ ref('outcome_populations') }} as course
    inner join {{ events_of('bcr_abl1_ratio') }} as result
        on result.person_id = course.person_id and result.start_date > course.first_imatinib_date
    where result.value_as_number is not null and coalesce(result.unit_concept_id, 0) in (0, 8554)
    group by all
),

timed as (
    select population, person_id, 'overall_survival' as outcome, first_imatinib_date as start_date, death_date as event_date,
        null as competing_date, follow_up_end as last_date
    from {{ ref('outcome_populations') }}
    union all
    select population, person_id, 'overall_survival_regardless_of_treatment', first_imatinib_date, death_date, null,
        least(index_date + {{ param('follow_up_days') }}, period_end, coalesce(death_date, period_end))
    from {{ ref('outcome_populations') }}
    union all
    select course.population, course.person_id, 'progression', first_imatinib_date, progressed.event_date, death_date, follow_up_end
    from {{ ref('outcome_populations') }} as course
    left join progressed using (population, person_id)
    union all
    -- who dies on the day of a switch died: so the deaths here are the deaths of overall survival
    select population, person_id, 'treatment_switch', first_imatinib_date,
        case when coalesce(death_date > first_other_tki_date, true) then first_other_tki_date end, death_date, follow_up_end
    from {{ ref('outcome_populations') }}
    union all
    select course.population, course.person_id, 'major_molecular_response', first_imatinib_date, measured.event_date, death_date, follow_up_end
    from {{ ref('outcome_populations') }} as course
    inner join measured using (population, person_id)
)

select
    population,
    outcome,
    person_id,
    start_date,
    case
        when event_date <= last_date then event_date
        when competing_date <= last_date then competing_date
        else last_date
    end as end_date,
    end_date - start_date as days,
    case
        when event_date <= last_date then 1
        when competing_date <= last_date then 2
        else 0
    end as status
from timed
