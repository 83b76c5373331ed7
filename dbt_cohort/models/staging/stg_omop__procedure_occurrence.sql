{{ config(alias='procedure_occurrence', schema='omop') }}

select
    {{ typed('procedure_occurrence_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('procedure_concept_id', 'bigint') }},
    {{ typed('procedure_date', 'date') }},
    {{ typed('procedure_datetime', 'timestamp') }},
    {{ typed('procedure_type_concept_id', 'bigint') }},
    {{ typed('modifier_concept_id', 'bigint') }},
    {{ typed('quantity', 'bigint') }},
    {{ typed('provider_id', 'bigint') }},
    {{ typed('visit_occurrence_id', 'bigint') }},
    {{ typed('procedure_source_value', 'varchar') }},
    {{ typed('procedure_source_concept_id', 'bigint') }}
from {{ source('landing', 'procedure_occurrence') }}
