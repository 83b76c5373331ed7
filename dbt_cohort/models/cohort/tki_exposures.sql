-- Exposures to ABL tyrosine kinase inhibitors, from exposure records and, where they landed, drug eras of ingredients.
-- One row a person, kind of drug and record.
select person_id, 'imatinib' as drug, start_date, end_date, concept_id, fact_table, event_id from {{ events_of('imatinib') }}
union all
select person_id, 'other_abl_tki', start_date, end_date, concept_id, fact_table, event_id from {{ events_of('other_abl_tki') }}
