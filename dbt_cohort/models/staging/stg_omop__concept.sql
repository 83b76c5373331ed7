{{ config(alias='concept', schema='omop') }}

select
    {{ typed('concept_id', 'bigint') }},
    {{ typed('concept_name', 'varchar') }},
    {{ typed('domain_id', 'varchar') }},
    {{ typed('vocabulary_id', 'varchar') }},
    {{ typed('concept_class_id', 'varchar') }},
    {{ typed('standard_concept', 'varchar') }},
    {{ typed('concept_code', 'varchar') }},
    {{ typed('valid_start_date', 'date') }},
    {{ typed('valid_end_date', 'date') }},
    {{ typed('invalid_reason', 'varchar') }}
from {{ source('landing', 'concept') }}
