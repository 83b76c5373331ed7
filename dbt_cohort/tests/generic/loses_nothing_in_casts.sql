{# A landed value that the CDM's type cannot hold became null in staging: one row per column and how many. #}
{% test loses_nothing_in_casts(model, source_table, columns) %}
{{ config(severity='warn') }}
with landed as (
    select {% for column in columns %}count(nullif(trim(cast({{ column }} as varchar)), '')) as {{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ source('landing', source_table) }}
),
staged as (
    select {% for column in columns %}count({{ column }}) as {{ column }}{{ ', ' if not loop.last }}{% endfor %}
    from {{ model }}
)
{% for column in columns %}
select '{{ column }}' as column_name, landed.{{ column }} - staged.{{ column }} as n_lost
from landed cross join staged where landed.{{ column }} > staged.{{ column }}
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}
