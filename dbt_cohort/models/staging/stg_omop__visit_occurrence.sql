{{ config(alias='visit_occurrence', schema='omop') }}

select
    {{ typed('visit_occurrence_id', 'bigint') }},
    {{ typed('person_id', 'bigint') }},
    {{ typed('visit_concept_id', 'bigint') }},
    {{ typed('visit_start_date', 'date') }},
    {{ typed('visit_start_datetime', 'timestamp') }},
    {{ typed('visit_end_date', 'date') }},
    {{ typed('visit_end_datetime', 'timestamp') }},
    {{ typed('visit_type_concept_id', 'bigint') }},
    {{ typed('provider_id', 'bigint') }},
    {{ typed('care_site_id', 'bigint') }},
    {{ typed('visit_source_value', 'varchar') }},
    {{ typed('visit_source_concept_id', 'bigint') }},
    coalesce(try_cast(admitted_from_concept_id as bigint), try_cast(admitting_source_concept_id as bigint)) as admitted_from_concept_id,
    coalesce(try_cast(discharged_to_concept_id as bigint), try_cast(discharge_to_concept_id as bigint)) as discharged_to_concept_id,
    {{ typed('preceding_visit_occurrence_id', 'bigint') }}
from {{ source('landing', 'visit_occurrence') }}
