-- The index: a person's first CML condition inside an observation period, and who the person was then.
-- One row a person with an index.
select
    first_cml.person_id,
    first_cml.start_date as index_date,
    first_cml.op_start as period_start,
    first_cml.op_end as period_end,
    first_cml.concept_id as index_concept_id,
    person.birth_date,
    person.birth_date_is_approximate,
    date_sub('year', person.birth_date, first_cml.start_date) as age_at_index,
    case person.gender_concept_id when 8507 then 'male' when 8532 then 'female' else 'unknown' end as sex,
    case
        when person.race_concept_id = 8527 then 'white'
        when person.race_concept_id = 8516 then 'black'
        when person.race_concept_id = 8515 then 'asian'
        when person.race_concept_id = 8657 then 'american indian or alaska native'
        when person.race_concept_id = 8557 then 'native hawaiian or other pacific islander'
        when coalesce(person.race_concept_id, 0) in (0, 8551, 8552) then 'unknown'
        else 'other'
    end as race,
    case person.ethnicity_concept_id
        when 38003563 then 'hispanic or latino' when 38003564 then 'not hispanic or latino' else 'unknown'
    end as ethnicity
from {{ primary_events(events_of('cml'), ref('observation_periods')) }} as first_cml
inner join {{ ref('stg_omop__person') }} as person using (person_id)
