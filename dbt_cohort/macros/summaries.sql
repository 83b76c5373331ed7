{# A column of the row of note_scores that holds one metric, where notes are brought into one row each. #}
{% macro of_metric(metric, column='value', variant='summary') %}
    max(case when metric = '{{ metric }}' and variant = '{{ variant }}' then {{ column }} end)
{% endmacro %}
