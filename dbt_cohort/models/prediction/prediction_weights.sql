{{ config(alias='weights') }}

-- What models look at: coefficients and permutation importances with limits. One row a model, kind and feature.
-- Answers to earlier versions of the question stay in the lake.
select * from {{ source('lake', 'prediction_weights') }}
where question_sha in (select question_sha from {{ source('lake', 'prediction_rows') }})
