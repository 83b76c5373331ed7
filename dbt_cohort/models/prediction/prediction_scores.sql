{{ config(alias='scores') }}

-- P(yes) of rows without an outcome by the promoted model. One row a row of the source.
select * from {{ source('lake', 'prediction_scores') }}
where question_sha in (select question_sha from {{ source('lake', 'prediction_rows') }})
