{{ config(alias='condition_occurrence', schema='omop') }}

select
    {{ typed('condition_occurrence_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('condition_concept_id', 'bigint') }},
    {{ typed('condition_start_date', 'date') }},
    {{ typed('condition_start_datetime', 'timestamp') }},
    {{ typed('condition_end_date', 'date') }},
    {{ typed('condition_type_concept_id', 'bigint') }},
    {{ typed('condition_status_concept_id', 'bigint') }},
    {{ typed('stop_reason', 'varchar') }},
    {{ typed('provider_id', 'bigint') }},
    {{ typed('visit_occurrence_id', 'bigint') }},
    {{ typed('condition_source_value', 'varchar') }},
    {{ typed('condition_source_concept_id', 'bigint') }}
from {{ source('landing', 'condition_occurrence') }}
