{{ config(alias='measurement', schema='omop') }}

select
    {{ typed('measurement_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('measurement_concept_id', 'bigint') }},
    {{ typed('measurement_date', 'date') }},
    {{ typed('measurement_datetime', 'timestamp') }},
    {{ typed('measurement_type_concept_id', 'bigint') }},
    {{ typed('operator_concept_id', 'bigint') }},
    {{ typed('value_as_number', 'double') }},
    {{ typed('value_as_concept_id', 'bigint') }},
    {{ typed('unit_concept_id', 'bigint') }},
    {{ typed('range_low', 'double') }},
    {{ typed('range_high', 'double') }},
    {{ typed('provider_id', 'bigint') }},
    {{ typed('visit_occurrence_id', 'bigint') }},
    {{ typed('measurement_source_value', 'varchar') }},
    {{ typed('measurement_source_concept_id', 'bigint') }},
    {{ typed('unit_source_value', 'varchar') }},
    {{ typed('value_source_value', 'varchar') }}
from {{ source('landing', 'measurement') }}
