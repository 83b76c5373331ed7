{{ config(alias='condition_era', schema='omop') }}

select
    {{ typed('condition_era_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('condition_concept_id', 'bigint') }},
    {{ typed('condition_era_start_date', 'date') }},
    {{ typed('condition_era_end_date', 'date') }},
    {{ typed('condition_occurrence_count', 'bigint') }}
from {{ source('landing', 'condition_era') }}
