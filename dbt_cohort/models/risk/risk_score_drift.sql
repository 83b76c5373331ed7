{{ config(alias='score_drift') }}

-- New persons against those of training. One row a column of the model, and one for the score.
select * from {{ source('lake', 'risk_drift') }}
