{{ config(alias='pre_index_codes') }}

-- What each person with the index event had on record strictly before it: how often, when last. The genetic score is no code.
-- One row a person, domain and concept. Read by the features.
{% for fact in risk_fact_tables() %}
select
    fact.person_id,
    '{{ fact.domain }}' as domain,
    fact.{{ fact.concept }} as concept_id,
    any_value(concept.concept_name) as concept_name,
    count(*) as n_records,
    count(distinct fact.{{ fact.date }}) as n_days,
    max(fact.{{ fact.date }}) as last_date,
    {{ 'arg_max(fact.' ~ fact.value ~ ', fact.' ~ fact.date ~ ')' if fact.value else 'cast(null as double)' }} as last_value
from {{ ref('stg_omop__' ~ fact.table) }} as fact
inner join {{ ref('risk_windows') }} as person on person.person_id = fact.person_id and fact.{{ fact.date }} < person.index_date
left join {{ ref('stg_omop__concept') }} as concept on concept.concept_id = fact.{{ fact.concept }}
where fact.{{ fact.concept }} not in (select concept_id from {{ ref('risk_concepts') }} where role = 'genetic_score')
group by fact.person_id, fact.{{ fact.concept }}
{{ 'union all' if not loop.last }}
{% endfor %}
