{# None of the named columns is ever null. For tables whose rows have no key; others say it in row_key. #}
{% test no_nulls(model, columns) %}
with empty_cells as (
    select {% for column in columns %}count(*) - count({{ column }}) as {{ column }}{{ ', ' if not loop.last }}{% endfor %} from {{ model }}
)
{% for column in columns %}
select '{{ column }}' as column_name, {{ column }} as n_null from empty_cells where {{ column }} > 0
{{ 'union all' if not loop.last }}
{% endfor %}
{% endtest %}
