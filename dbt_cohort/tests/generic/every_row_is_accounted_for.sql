{# Landed = stored + rejected, and the lake holds exactly the rows that the intake says it stored and rejected. #}
{% test every_row_is_accounted_for(model) %}
with stored as (select batch, count(*) as n from {{ source('lake', 'notes') }} group by batch),
rejected as (select batch, count(*) as n from {{ source('lake', 'rejects') }} group by batch)
select batches.batch
from {{ model }} as batches
left join stored using (batch)
left join rejected using (batch)
where batches.n_landed <> batches.n_stored + batches.n_rejected
    or batches.n_stored <> coalesce(stored.n, 0)
    or batches.n_rejected <> coalesce(rejected.n, 0)
{% endtest %}
