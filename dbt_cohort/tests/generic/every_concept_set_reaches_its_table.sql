{# Each set holds concepts at the level of the table it is compared with: of the table's domain, and for drug_exposure
   something finer than an ingredient. Says nothing without a vocabulary. #}
{% test every_concept_set_reaches_its_table(model) %}
{{ config(severity='warn') }}
with domains(fact_table, domain_id) as (values
    ('condition_occurrence', 'condition'), ('condition_era', 'condition'), ('drug_exposure', 'drug'), ('drug_era', 'drug'),
    ('procedure_occurrence', 'procedure'), ('measurement', 'measurement'), ('observation', 'observation')
)

select tables.set_name, tables.fact_table
from {{ ref('concept_set_tables') }} as tables
inner join domains using (fact_table)
left join {{ model }} as member
    on member.set_name = tables.set_name
    and (
        lower(member.domain_id) = domains.domain_id
        -- codes of these sets live in either domain, depending on the vocabulary's version
        or (tables.set_name = 'transplant_status' and lower(member.domain_id) in ('condition', 'observation'))
    )
    and (tables.fact_table <> 'drug_exposure' or member.concept_class_id is distinct from 'Ingredient')
where exists (select 1 from {{ ref('stg_omop__concept') }})
    -- the earlier study compared ingredients with exposures: its sets are kept as they were
    and tables.set_name not like 'seed%'
group by tables.set_name, tables.fact_table
having count(member.concept_id) = 0
{% endtest %}
