{{ config(alias='comparisons') }}

-- Every pair of models on the same test rows: McNemar and DeLong, each adjusted for all pairs (Holm). One row a pair.
-- Answers to earlier versions of the question stay in the lake.
select * from {{ source('lake', 'prediction_comparisons') }}
where question_sha in (select question_sha from {{ source('lake', 'prediction_rows') }})
