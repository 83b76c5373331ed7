{{ config(alias='predictions') }}

-- What every model said of every row, beside what happened, without what it wrote. One row a model, row, design and repeat.
select
    said.*,
    asked.outcome,
    asked.split
from {{ source('lake', 'prediction_predictions') }} as said
inner join {{ source('lake', 'prediction_rows') }} as asked using (question_sha, row_id)
