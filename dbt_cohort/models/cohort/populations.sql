-- The groups of persons that tables describe, all within those who have a CML index: everyone, the two cohorts, those with
-- imatinib on record, and per labeller those whose latest usable note mentions it. One row a population and person.
select 'cml' as population, person_id from {{ ref('cml_index') }}
union all
select 'cohort', person_id from {{ ref('cml_imatinib') }}
union all
select 'seed_compatible', person_id from {{ ref('cml_seed_compatible') }} inner join {{ ref('cml_index') }} using (person_id)
union all
select distinct 'imatinib in drug_exposure', person_id
from {{ ref('tki_exposures') }}
inner join {{ ref('cml_index') }} using (person_id)
where drug = 'imatinib'
union all
select 'imatinib in note: ' || label.labeller, note.person_id
from {{ ref('latest_progress_notes') }} as note
inner join {{ ref('current_labels') }} as label using (note_id)
where label.field = 'imatinib_mentioned' and label.value
