{# One landed column in the type of the CDM, whatever the file's format made of it (CSV: text; pandas: double).
   A value that does not fit becomes null here, and the test loses_nothing_in_casts counts it. #}
{% macro typed(column, type) -%}
    {{ cast_landed(column, type) }} as {{ column }}
{%- endmacro %}

{% macro cast_landed(column, type) -%}
    {%- if type == 'date' -%}
    coalesce(try_cast({{ column }} as date), cast(try_strptime(cast({{ column }} as varchar), ['%Y%m%d', '%m/%d/%Y']) as date))
    {%- elif type == 'varchar' -%}
    cast({{ column }} as varchar)
    {%- else -%}
    try_cast({{ column }} as {{ type }})
    {%- endif -%}
{%- endmacro %}

{# Date of birth: recorded where it is, else the middle of what is known (the filled-in ones are flagged). #}
{% macro birth_date() -%}
    coalesce(
        try_cast(birth_datetime as date),
        try(make_date(
            try_cast(year_of_birth as bigint),
            coalesce(try_cast(month_of_birth as bigint), 7),
            coalesce(try_cast(day_of_birth as bigint), case when try_cast(month_of_birth as bigint) is null then 1 else 15 end)
        ))
    )
{%- endmacro %}
