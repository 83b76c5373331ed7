-- Condition eras of the sets that are compared with condition_era: the landed ones, or, where that table did not land,
-- derived as OMOP does (records up to 30 days apart are one era). One row a person, concept and era.
with wanted as (
    select distinct member.concept_id
    from {{ ref('concept_set_members') }} as member
    inner join {{ ref('concept_set_tables') }} using (set_name)
    where fact_table = 'condition_era'
),

landed as (
    select condition_era_id as event_id, person_id, condition_concept_id as concept_id, condition_era_start_date as start_date, condition_era_end_date as end_date
    from {{ ref('stg_omop__condition_era') }}
    where condition_concept_id in (select concept_id from wanted)
),

spans as (
    select
        person_id,
        condition_concept_id as concept_id,
        condition_start_date as start_date,
        greatest(condition_start_date, coalesce(condition_end_date, condition_start_date + 1)) as end_date
    from {{ ref('stg_omop__condition_occurrence') }}
    where condition_concept_id in (select concept_id from wanted)
        and condition_start_date is not null
        and not exists (select 1 from {{ ref('stg_omop__condition_era') }})
),

derived as (select * from {{ eras('spans', ['person_id', 'concept_id'], 30) }})

select event_id, person_id, concept_id, start_date, end_date, false as is_derived from landed
union all
select row_number() over (order by person_id, concept_id, start_date), person_id, concept_id, start_date, end_date, true
from derived
