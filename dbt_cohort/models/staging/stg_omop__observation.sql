{{ config(alias='observation', schema='omop') }}

select
    {{ typed('observation_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('observation_concept_id', 'bigint') }},
    {{ typed('observation_date', 'date') }},
    {{ typed('observation_datetime', 'timestamp') }},
    {{ typed('observation_type_concept_id', 'bigint') }},
    {{ typed('value_as_number', 'double') }},
    {{ typed('value_as_string', 'varchar') }},
    {{ typed('value_as_concept_id', 'bigint') }},
    {{ typed('qualifier_concept_id', 'bigint') }},
    {{ typed('unit_concept_id', 'bigint') }},
    {{ typed('provider_id', 'bigint') }},
    {{ typed('visit_occurrence_id', 'bigint') }},
    {{ typed('observation_source_value', 'varchar') }},
    {{ typed('observation_source_concept_id', 'bigint') }}
from {{ source('landing', 'observation') }}
