-- Every declared item of every concept set, and whether the landed vocabulary knows it. One row an item.
with declared as (
    select item.set_name, item.concept_id, concept.* exclude (concept_id), item.include_descendants, item.is_excluded, item.source, concept.concept_id is not null as is_known
    from {{ ref('concept_sets') }} as item
    left join {{ ref('stg_omop__concept') }} as concept using (concept_id)
),

coded as (
    select
        item.set_name,
        concept.concept_id,
        item.vocabulary_id,
        item.concept_code,
        concept.* exclude (concept_id, vocabulary_id, concept_code),
        item.include_descendants,
        item.is_excluded,
        item.source,
        concept.concept_id is not null as is_known
    from {{ ref('concept_set_codes') }} as item
    left join {{ ref('stg_omop__concept') }} as concept using (vocabulary_id, concept_code)
),

items as (select * from declared union all by name select * from coded),

vocabulary as (select count(*) > 0 as landed from {{ ref('stg_omop__concept') }})

select
    items.set_name,
    items.concept_id,
    items.vocabulary_id,
    items.concept_code,
    items.concept_name,
    items.domain_id,
    items.standard_concept,
    items.include_descendants,
    items.is_excluded,
    case
        when not vocabulary.landed then 'no_vocabulary'
        when not items.is_known then 'unresolved'
        when items.invalid_reason is not null then 'invalid'
        when items.standard_concept is distinct from 'S' then 'not_standard'
        else 'confirmed'
    end as status,
    items.source
from items
cross join vocabulary
