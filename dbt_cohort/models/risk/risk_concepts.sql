{{ config(alias='concepts') }}

-- The concepts of the risk question: those the study names and their descendants. One row a role, name and concept, and value.
{% set rows = param('risk_concepts') %}
with declared (role, name, concept_id, include_descendants, value_concept_id) as (
    {% for role, name, concept, descendants, value in rows %}
    select '{{ role }}', '{{ name }}', cast({{ concept }} as bigint), {{ descendants | lower }}, cast({{ 'null' if value is none else value }} as bigint)
    {{ 'union all' if not loop.last }}
    {% else %}
    select null::varchar, null::varchar, null::bigint, null::boolean, null::bigint where false
    {% endfor %}
)

select distinct role, name, concept_id, value_concept_id
from (
    select role, name, concept_id, value_concept_id from declared
    union all
    select declared.role, declared.name, ancestor.descendant_concept_id, declared.value_concept_id
    from declared
    inner join {{ ref('stg_omop__concept_ancestor') }} as ancestor on ancestor.ancestor_concept_id = declared.concept_id
    where declared.include_descendants
)
