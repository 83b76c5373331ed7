-- The facts that the study looks at: every record whose concept is in a set, from the tables that set is compared with.
-- Each large table is read once, here; every rule reads this table. One row a set and record.
{% set supply_end = exposure_end('drug_exposure_start_date', 'drug_exposure_end_date', 'days_supply') %}
{% set tables = [
    {'fact': 'condition_occurrence', 'start': 'condition_start_date', 'end': 'coalesce(condition_end_date, condition_start_date)',
     'concept': 'condition_concept_id', 'source': 'condition_source_value'},
    {'fact': 'drug_exposure', 'start': 'drug_exposure_start_date', 'end': supply_end, 'concept': 'drug_concept_id', 'source': 'drug_source_value'},
    {'fact': 'drug_era', 'start': 'drug_era_start_date', 'end': 'greatest(drug_era_start_date, drug_era_end_date)', 'concept': 'drug_concept_id'},
    {'fact': 'procedure_occurrence', 'start': 'procedure_date', 'end': 'procedure_date', 'concept': 'procedure_concept_id',
     'source': 'procedure_source_value'},
    {'fact': 'observation', 'start': 'observation_date', 'end': 'observation_date', 'concept': 'observation_concept_id',
     'source': 'observation_source_value'},
    {'fact': 'measurement', 'start': 'measurement_date', 'end': 'measurement_date', 'concept': 'measurement_concept_id',
     'source': 'measurement_source_value', 'has_value': true},
] %}
with wanted as (
    select member.set_name, member.concept_id, tables.fact_table
    from {{ ref('concept_set_members') }} as member
    inner join {{ ref('concept_set_tables') }} as tables using (set_name)
)

{% for table in tables %}
select
    fact.person_id,
    wanted.set_name,
    {{ table.start }} as start_date,
    {{ table.end }} as end_date,
    wanted.concept_id,
    '{{ table.fact }}' as fact_table,
    fact.{{ table.fact }}_id as event_id,
    {{ table.source or 'null' }} as source_value,
    {{ 'value_as_number' if table.has_value else 'cast(null as double) as value_as_number' }},
    {{ 'value_as_concept_id' if table.has_value else 'cast(null as bigint) as value_as_concept_id' }},
    {{ 'operator_concept_id' if table.has_value else 'cast(null as bigint) as operator_concept_id' }},
    {{ 'unit_concept_id' if table.has_value else 'cast(null as bigint) as unit_concept_id' }}
from {{ ref('stg_omop__' ~ table.fact) }} as fact
inner join wanted on wanted.fact_table = '{{ table.fact }}' and wanted.concept_id = fact.{{ table.concept }}
where {{ table.start }} is not null

union all
{% endfor %}

select
    fact.person_id,
    wanted.set_name,
    fact.start_date,
    fact.end_date,
    wanted.concept_id,
    'condition_era',
    fact.event_id,
    null,
    null,
    null,
    null,
    null
from {{ ref('condition_eras') }} as fact
inner join wanted on wanted.fact_table = 'condition_era' and wanted.concept_id = fact.concept_id
