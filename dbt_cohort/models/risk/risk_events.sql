{{ config(alias='events') }}

-- When each person first had the index event, the outcome, the severe outcome, each exclusion, a genetic score. Each fact table is
-- read once, against the few concepts asked for. One row a role, name and person; an index date is the first one.
{% for fact in risk_fact_tables() %}
select
    fact.person_id,
    asked.role,
    asked.name,
    fact.{{ fact.date }} as event_date,
    {{ 'fact.' ~ fact.value if fact.value else 'cast(null as double)' }} as value_as_number
from {{ ref('stg_omop__' ~ fact.table) }} as fact
inner join {{ ref('risk_concepts') }} as asked
    on asked.concept_id = fact.{{ fact.concept }}
    and (asked.value_concept_id is null{{ ' or asked.value_concept_id = fact.' ~ fact.answer if fact.answer }})
where fact.{{ fact.date }} is not null
{{ 'union all' if not loop.last }}
{% endfor %}
