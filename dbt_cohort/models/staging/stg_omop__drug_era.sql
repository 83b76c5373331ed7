{{ config(alias='drug_era', schema='omop') }}

select
    {{ typed('drug_era_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('drug_concept_id', 'bigint') }},
    {{ typed('drug_era_start_date', 'date') }},
    {{ typed('drug_era_end_date', 'date') }},
    {{ typed('drug_exposure_count', 'bigint') }},
    {{ typed('gap_days', 'bigint') }}
from {{ source('landing', 'drug_era') }}
