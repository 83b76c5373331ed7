{# Every declared set is asked for by a model, and every set that a model asks for is declared and tied to a table. #}
{% test every_concept_set_is_used(model) %}
{% set used = [] %}
{% if execute %}
    {% for node in graph.nodes.values() if node.resource_type == 'model' %}
        {% for name in modules.re.findall("events_of\\('([a-z0-9_]+)'\\)", node.raw_code) %}
            {% do used.append(name) %}
        {% endfor %}
    {% endfor %}
{% endif %}
with used as (
    select distinct set_name from (values {% for name in used %}('{{ name }}'){{ ', ' if not loop.last }}{% else %}(null){% endfor %}) as names(set_name)
),

declared as (
    select set_name from {{ ref('concept_sets') }}
    union
    select set_name from {{ ref('concept_set_codes') }}
),

tied as (select distinct set_name from {{ ref('concept_set_tables') }})

select set_name, 'declared, but no model asks for it' as problem from declared where set_name not in (select set_name from used)
union all
select set_name, 'asked for, but not declared' from used where set_name not in (select set_name from declared)
union all
select set_name, 'declared, but compared with no table' from declared where set_name not in (select set_name from tied)
{% endtest %}
