{{ config(alias='person', schema='omop') }}

select
    {{ typed('person_id', 'bigint') }},
    {{ typed('gender_concept_id', 'bigint') }},
    {{ typed('year_of_birth', 'bigint') }},
    {{ typed('month_of_birth', 'bigint') }},
    {{ typed('day_of_birth', 'bigint') }},
    {{ typed('birth_datetime', 'timestamp') }},
    {{ typed('race_concept_id', 'bigint') }},
    {{ typed('ethnicity_concept_id', 'bigint') }},
    {{ typed('location_id', 'bigint') }},
    {{ typed('provider_id', 'bigint') }},
    {{ typed('care_site_id', 'bigint') }},
    {{ typed('person_source_value', 'varchar') }},
    {{ typed('gender_source_value', 'varchar') }},
    {{ typed('race_source_value', 'varchar') }},
    {{ typed('ethnicity_source_value', 'varchar') }},
    {{ birth_date() }} as birth_date,
    try_cast(birth_datetime as timestamp) is null and (try_cast(month_of_birth as bigint) is null or try_cast(day_of_birth as bigint) is null) as birth_date_is_approximate
from {{ source('landing', 'person') }}
