{{ config(alias='cdm_source', schema='omop') }}

select
    {{ typed('cdm_source_name', 'varchar') }},
    {{ typed('source_release_date', 'date') }},
    {{ typed('cdm_release_date', 'date') }},
    {{ typed('cdm_version', 'varchar') }},
    {{ typed('vocabulary_version', 'varchar') }}
from {{ source('landing', 'cdm_source') }}
