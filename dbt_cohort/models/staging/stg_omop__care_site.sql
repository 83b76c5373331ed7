{{ config(alias='care_site', schema='omop') }}

select
    {{ typed('care_site_id', 'bigint') }},
    {{ typed('care_site_name', 'varchar') }},
    {{ typed('place_of_service_concept_id', 'bigint') }},
    {{ typed('location_id', 'bigint') }},
    {{ typed('care_site_source_value', 'varchar') }},
    {{ typed('place_of_service_source_value', 'varchar') }}
from {{ source('landing', 'care_site') }}
