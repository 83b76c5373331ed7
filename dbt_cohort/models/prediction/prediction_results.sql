{{ config(alias='results') }}

-- How good every model of the prediction question is. One row a model, design, subgroup and metric.
-- Answers to earlier versions of the question stay in the lake.
select * from {{ source('lake', 'prediction_results') }}
where question_sha in (select question_sha from {{ source('lake', 'prediction_rows') }})
