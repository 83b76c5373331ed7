{{ config(alias='performance') }}

-- How good every model of the risk question is. One row a model, analysis, design, detail and metric.
select * from {{ source('lake', 'risk_evaluation') }}
