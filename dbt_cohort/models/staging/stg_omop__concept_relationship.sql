{{ config(alias='concept_relationship', schema='omop') }}

select
    {{ typed('concept_id_1', 'bigint') }},
    {{ typed('concept_id_2', 'bigint') }},
    {{ typed('relationship_id', 'varchar') }},
    {{ typed('valid_start_date', 'date') }},
    {{ typed('valid_end_date', 'date') }},
    {{ typed('invalid_reason', 'varchar') }}
from {{ source('landing', 'concept_relationship') }}
