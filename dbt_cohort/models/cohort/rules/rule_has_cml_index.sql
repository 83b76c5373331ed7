-- One row a person of the CDM: is there a CML condition inside an observation period?
select
    person.person_id,
    'has_cml_index' as rule,
    course.person_id is not null as holds,
    course.index_date as decided_on
from {{ ref('stg_omop__person') }} as person
left join {{ ref('cml_index') }} as course using (person_id)
