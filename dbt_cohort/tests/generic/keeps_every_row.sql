{# Staging holds as many rows as landed: cleaning never drops a row. #}
{% test keeps_every_row(model, source_table) %}
select landed.n as n_landed, staged.n as n_staged
from (select count(*) as n from {{ source('landing', source_table) }}) as landed
cross join (select count(*) as n from {{ model }}) as staged
where landed.n <> staged.n
{% endtest %}
