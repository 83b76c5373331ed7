-- The concepts of every set: what was declared, its descendants, and what non-standard codes map to; without exclusions.
-- Without vocabulary tables it is what was declared plus the shipped list. One row a set and concept.
with reached as (
    select set_name, concept_id, is_excluded, 'declared' as found_by
    from {{ ref('concept_set_items') }}
    where concept_id is not null
    union all
    select item.set_name, ancestor.descendant_concept_id, item.is_excluded, 'descendant'
    from {{ ref('concept_set_items') }} as item
    inner join {{ ref('stg_omop__concept_ancestor') }} as ancestor on ancestor.ancestor_concept_id = item.concept_id
    inner join {{ ref('stg_omop__concept') }} as concept on concept.concept_id = ancestor.descendant_concept_id
    where item.include_descendants and concept.invalid_reason is null
    union all
    select item.set_name, mapped.concept_id_2, item.is_excluded, 'mapped'
    from {{ ref('concept_set_items') }} as item
    inner join {{ ref('stg_omop__concept_relationship') }} as mapped
        on mapped.concept_id_1 = item.concept_id and mapped.relationship_id = 'Maps to' and mapped.invalid_reason is null
    where item.status in ('not_standard', 'invalid')
    union all
    select set_name, concept_id, false, 'shipped' from {{ ref('concept_set_shipped') }}
)

select
    reached.set_name,
    reached.concept_id,
    min(reached.found_by) as found_by,
    any_value(concept.concept_name) as concept_name,
    any_value(concept.domain_id) as domain_id,
    any_value(concept.concept_class_id) as concept_class_id
from reached
left join {{ ref('stg_omop__concept') }} as concept using (concept_id)
group by reached.set_name, reached.concept_id
having not bool_or(reached.is_excluded)
