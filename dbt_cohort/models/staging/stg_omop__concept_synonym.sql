{{ config(alias='concept_synonym', schema='omop') }}

select
    {{ typed('concept_id', 'bigint') }},
    {{ typed('concept_synonym_name', 'varchar') }},
    {{ typed('language_concept_id', 'bigint') }}
from {{ source('landing', 'concept_synonym') }}
