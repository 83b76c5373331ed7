{# Observation periods that end after the data were extracted: cut, and worth a look at the source. #}
{% test ends_by_extraction(model, flag) %}
{{ config(severity='warn') }}
select * from {{ model }} where {{ flag }}
{% endtest %}
