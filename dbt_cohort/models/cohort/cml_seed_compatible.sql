-- The cohort as the earlier study's SQL has it: all three inclusion rules, from index to the end of the observation period.
-- One row a person.
select person_id, start_date, op_end as end_date
from {{ ref('seed_primary_events') }}
where no_advanced_phase_to_index and no_other_tki_in_period and no_transplant_to_index
