{{ config(alias='drug_exposure', schema='omop') }}

select
    {{ typed('drug_exposure_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('drug_concept_id', 'bigint') }},
    {{ typed('drug_exposure_start_date', 'date') }},
    {{ typed('drug_exposure_start_datetime', 'timestamp') }},
    {{ typed('drug_exposure_end_date', 'date') }},
    {{ typed('verbatim_end_date', 'date') }},
    {{ typed('drug_type_concept_id', 'bigint') }},
    {{ typed('stop_reason', 'varchar') }},
    {{ typed('refills', 'bigint') }},
    {{ typed('quantity', 'double') }},
    {{ typed('days_supply', 'bigint') }},
    {{ typed('route_concept_id', 'bigint') }},
    {{ typed('provider_id', 'bigint') }},
    {{ typed('visit_occurrence_id', 'bigint') }},
    {{ typed('drug_source_value', 'varchar') }},
    {{ typed('drug_source_concept_id', 'bigint') }},
    {{ typed('dose_unit_source_value', 'varchar') }}
from {{ source('landing', 'drug_exposure') }}
