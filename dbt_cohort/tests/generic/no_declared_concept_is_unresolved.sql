{# Declared ids and codes that the landed vocabulary does not know, or knows as invalid. Says nothing without a vocabulary. #}
{% test no_declared_concept_is_unresolved(model) %}
{{ config(severity='warn') }}
select set_name, concept_id, concept_code, status from {{ model }} where status in ('unresolved', 'invalid')
{% endtest %}
