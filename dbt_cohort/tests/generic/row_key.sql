{# The named columns together identify a row, and neither they (but for those that may be null) nor the others named are ever null.
   One test a table, not one a column: a build runs hundreds fewer. It returns what is wrong, where, and how often. #}
{% test row_key(model, columns, never_null=[], may_be_null=[]) %}
with twice as (
    select count(*) as n from (select 1 from {{ model }} group by {{ columns | join(', ') }} having count(*) > 1)
),
empty_cells as (
    select
        {% for column in columns + never_null if column not in may_be_null %}count(*) - count({{ column }}) as {{ column }},
        {% endfor %}count(*) as n_rows
    from {{ model }}
)
select 'key_not_unique' as problem, '{{ columns | join(', ') }}' as columns, n from twice where n > 0
{% for column in columns + never_null if column not in may_be_null %}
union all
select 'null', '{{ column }}', {{ column }} from empty_cells where {{ column }} > 0
{% endfor %}
{% endtest %}
