{{ config(alias='test_risks') }}

-- Risks of persons by models that were not trained on them. One row a model, design, label, repeat and person.
select * from {{ source('lake', 'risk_out_of_fold') }}
