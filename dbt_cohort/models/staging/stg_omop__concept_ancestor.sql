{{ config(alias='concept_ancestor', schema='omop') }}

select
    {{ typed('ancestor_concept_id', 'bigint') }},
    {{ typed('descendant_concept_id', 'bigint') }},
    {{ typed('min_levels_of_separation', 'bigint') }},
    {{ typed('max_levels_of_separation', 'bigint') }}
from {{ source('landing', 'concept_ancestor') }}
