-- The dates on which every rule depends, and how follow-up ends. One row a person with an index.
-- Follow-up is censored at the first of follow_up_days, death, end of observation, transplant and switch to another ABL
-- inhibitor. It is never a condition of eligibility: requiring it would select survivors.
with drugs as (
    select
        course.person_id,
        min(exposure.start_date) as first_tki_date,
        min(exposure.start_date) filter (drug = 'imatinib' and exposure.start_date >= index_date) as first_imatinib_date,
        min(exposure.start_date) filter (drug = 'other_abl_tki' and exposure.start_date >= index_date) as first_other_tki_date
    from {{ ref('cml_index') }} as course
    inner join {{ ref('tki_exposures') }} as exposure using (person_id)
    group by course.person_id
),

transplanted as (
    select
        course.person_id,
        min(transplant_date) as first_transplant_date,
        min(transplant_date) filter (transplant_date > index_date) as first_transplant_after_index_date
    from {{ ref('cml_index') }} as course
    inner join {{ ref('transplants') }} using (person_id)
    group by course.person_id
),

advanced as (
    select person_id, min(start_date) as first_advanced_phase_date
    from {{ events_of('cml_advanced_phase') }}
    group by person_id
),

died as (
    select person_id, min(death_date) as death_date from {{ ref('stg_omop__death') }} group by person_id
),

bounded as (
    select
        course.*,
        drugs.first_tki_date,
        drugs.first_imatinib_date,
        drugs.first_other_tki_date,
        transplanted.first_transplant_date,
        advanced.first_advanced_phase_date,
        died.death_date,
        index_date + {{ param('follow_up_days') }} as last_follow_up_date,
        transplanted.first_transplant_after_index_date
    from {{ ref('cml_index') }} as course
    left join drugs using (person_id)
    left join transplanted using (person_id)
    left join advanced using (person_id)
    left join died using (person_id)
),

ended as (
    select
        *,
        least(last_follow_up_date, period_end, coalesce(death_date, period_end), coalesce(first_transplant_after_index_date, period_end))
            as end_without_switch
    from bounded
)

select
    * exclude (last_follow_up_date),
    least(end_without_switch, coalesce(first_other_tki_date, end_without_switch)) as follow_up_end,
    -- On one day the more informative reason is named.
    case
        when death_date <= least(end_without_switch, coalesce(first_other_tki_date, end_without_switch)) then 'death'
        when first_other_tki_date <= end_without_switch then 'switch'
        when first_transplant_after_index_date <= end_without_switch then 'transplant'
        when last_follow_up_date <= end_without_switch then 'end of study follow-up'
        else 'end of observation'
    end as follow_up_end_reason,
    follow_up_end - index_date as follow_up_days
from ended
