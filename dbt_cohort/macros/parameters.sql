{# A parameter of the study. It comes in as a var; the ref makes what uses it follow ops.study_parameters, so that an edit of
   the study file refreshes exactly the tables that depend on it. #}
{% macro param(name) %}
    {% set follows = ref('study_parameters') %}
    {{ return(var(name)) }}
{% endmacro %}
