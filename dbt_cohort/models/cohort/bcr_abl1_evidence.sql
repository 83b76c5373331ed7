-- The best evidence for BCR::ABL1 (the Philadelphia chromosome) on record: a positive test, a registry's histology code
-- 9875/3, or a note that says so. A tier, not a rule: absence of a code is not absence of the fusion. One row a person with an index.
with lab as (
    -- 4171756 and 4171754 are "<" and "<=": a result below the limit of detection is not a positive one.
    -- 9191 and 4181412 are "positive" and "present".
    select person_id, min(start_date) as lab_date
    from {{ events_of('bcr_abl1') }}
    where (value_as_number > 0 and coalesce(operator_concept_id, 0) not in (4171756, 4171754))
        or value_as_concept_id in (9191, 4181412)
    group by person_id
),

registry as (
    select person_id, min(condition_start_date) as registry_date
    from {{ ref('stg_omop__condition_occurrence') }} as condition
    left join {{ ref('stg_omop__concept') }} as source_concept on source_concept.concept_id = condition.condition_source_concept_id
    where condition.condition_source_value like '%9875/3%'
        or (source_concept.vocabulary_id = 'ICDO3' and source_concept.concept_code like '9875/3%')
    group by person_id
),

said as (
    select person_id, min(note_date) as note_date
    from {{ ref('regex_labels') }}
    where labeller = 'regex' and field = '{{ param("evidence_field") }}' and value
    group by person_id
)

select
    course.person_id,
    case
        when lab_date is not null then 'lab'
        when registry_date is not null then 'registry'
        when note_date is not null then 'note'
        else 'none'
    end as evidence_tier,
    lab_date,
    registry_date,
    note_date
from {{ ref('cml_index') }} as course
left join lab using (person_id)
left join registry using (person_id)
left join said using (person_id)
