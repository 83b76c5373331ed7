{{ config(alias='models') }}

-- What every model is, what it was made with, what it took. One row a model.
-- Answers to earlier versions of the question stay in the lake.
select * from {{ source('lake', 'prediction_models') }}
where question_sha in (select question_sha from {{ source('lake', 'prediction_rows') }})
