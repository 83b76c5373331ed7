-- The facts that the study looks at: every record whose concept is in a set, from the tables that set is compared with.
-- Each large table is read once, here; every rule reads this table. One row a set and record.
with wanted as (
    select member.set_name, member.concept_id, tables.fact_table
    from {{ ref('concept_set_members') }} as member
    inner join {{ ref('concept_set_tables') }} as tables using (set_name)
)

select
    fact.person_id,
    wanted.set_name,
    condition_start_date as start_date,
    coalesce(condition_end_date, condition_start_date) as end_date,
    wanted.concept_id,
    'condition_occurrence' as fact_table,
    fact.condition_occurrence_id as event_id,
    condition_source_value as source_value,
    cast(null as double) as value_as_number,
    cast(null as bigint) as value_as_concept_id,
    cast(null as bigint) as operator_concept_id,
    cast(null as bigint) as unit_concept_id
from {{ ref('stg_omop__condition_occurrence') }} as fact
inner join wanted on wanted.fact_table = 'condition_occurrence' and wanted.concept_id = fact.condition_concept_id
where condition_start_date is not null

union all

select
    fact.person_id,
    wanted.set_name,
    drug_exposure_start_date,
    {{ exposure_end('drug_exposure_start_date', 'drug_exposure_end_date', 'days_supply') }},
    wanted.concept_id,
    'drug_exposure',
    fact.drug_exposure_id,
    drug_source_value,
    null,
    null,
    null,
    null
from {{ ref('stg_omop__drug_exposure') }} as fact
inner join wanted on wanted.fact_table = 'drug_exposure' and wanted.concept_id = fact.drug_concept_id
where drug_exposure_start_date is not null

union all

select
    fact.person_id,
    wanted.set_name,
    drug_era_start_date,
    greatest(drug_era_start_date, drug_era_end_date),
    wanted.concept_id,
    'drug_era',
    fact.drug_era_id,
    null,
    null,
    null,
    null,
    null
from {{ ref('stg_omop__drug_era') }} as fact
inner join wanted on wanted.fact_table = 'drug_era' and wanted.concept_id = fact.drug_concept_id
where drug_era_start_date is not null

union all

select
    fact.person_id,
    wanted.set_name,
    procedure_date,
    procedure_date,
    wanted.concept_id,
    'procedure_occurrence',
    fact.procedure_occurrence_id,
    procedure_source_value,
    null,
    null,
    null,
    null
from {{ ref('stg_omop__procedure_occurrence') }} as fact
inner join wanted on wanted.fact_table = 'procedure_occurrence' and wanted.concept_id = fact.procedure_concept_id
where procedure_date is not null

union all

select
    fact.person_id,
    wanted.set_name,
    observation_date,
    observation_date,
    wanted.concept_id,
    'observation',
    fact.observation_id,
    observation_source_value,
    null,
    null,
    null,
    null
from {{ ref('stg_omop__observation') }} as fact
inner join wanted on wanted.fact_table = 'observation' and wanted.concept_id = fact.observation_concept_id
where observation_date is not null

union all

select
    fact.person_id,
    wanted.set_name,
    measurement_date,
    measurement_date,
    wanted.concept_id,
    'measurement',
    fact.measurement_id,
    measurement_source_value,
    value_as_number,
    value_as_concept_id,
    operator_concept_id,
    unit_concept_id
from {{ ref('stg_omop__measurement') }} as fact
inner join wanted on wanted.fact_table = 'measurement' and wanted.concept_id = fact.measurement_concept_id
where measurement_date is not null

union all

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
