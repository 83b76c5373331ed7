{{ config(alias='death', schema='omop') }}

select
    {{ typed('person_id', 'bigint') }},
    {{ typed('death_date', 'date') }},
    {{ typed('death_datetime', 'timestamp') }},
    {{ typed('death_type_concept_id', 'bigint') }},
    {{ typed('cause_concept_id', 'bigint') }},
    {{ typed('cause_source_value', 'varchar') }},
    {{ typed('cause_source_concept_id', 'bigint') }}
from {{ source('landing', 'death') }}
