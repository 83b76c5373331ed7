{{ config(alias='observation_period', schema='omop') }}

select
    {{ typed('observation_period_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('observation_period_start_date', 'date') }},
    {{ typed('observation_period_end_date', 'date') }},
    {{ typed('period_type_concept_id', 'bigint') }}
from {{ source('landing', 'observation_period') }}
