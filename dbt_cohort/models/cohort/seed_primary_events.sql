-- The earlier study's own reading, kept to compare with (docs/cohort.md lists where the two differ and why): first CML
-- condition era at 18 by calendar years with ten years of observation still to come, and its three inclusion rules.
-- One row a person with such an era.
with adults as (
    select era.*
    from {{ events_of('seed_cml') }} as era
    inner join {{ ref('stg_omop__person') }} as person using (person_id)
    where extract(year from era.start_date) - person.year_of_birth >= 18
),

periods as (
    select person_id, observation_period_start_date as op_start, observation_period_end_date as op_end
    from {{ ref('stg_omop__observation_period') }}
),

first_eras as (select * from {{ primary_events('adults', 'periods', prior_days=0, post_days=3650) }})

select
    first_eras.person_id,
    first_eras.start_date,
    first_eras.op_start,
    first_eras.op_end,
    advanced.n = 0 as no_advanced_phase_to_index,
    other_tki.n = 0 as no_other_tki_in_period,
    transplant.n = 0 as no_transplant_to_index
from first_eras
inner join {{ count_in_window('first_eras', events_of('seed_advanced_phase'), to_days=0) }} as advanced using (person_id, event_id)
inner join {{ count_in_window('first_eras', events_of('seed_other_tki')) }} as other_tki using (person_id, event_id)
inner join {{ count_in_window('first_eras', events_of('seed_transplant'), to_days=0) }} as transplant using (person_id, event_id)
