{{ config(alias='drug_labels') }}

-- The label table that the user landed (landing/labels_of_drugs.csv), its names looked up in the vocabulary. A row that cannot be used
-- says why. One row a landed row.
with landed as (
    select
        row_number() over (order by drug_concept_id, drug_name, condition_concept_id, condition_name, kind, source) as label_row,
        try_cast(drug_concept_id as bigint) as drug_concept_id,
        nullif(trim(drug_name), '') as drug_name,
        try_cast(condition_concept_id as bigint) as condition_concept_id,
        nullif(trim(condition_name), '') as condition_name,
        lower(trim(kind)) as kind,
        nullif(trim(source), '') as source
    from {{ source('landing', 'labels_of_drugs') }}
),

-- one concept a name: standard before others, ingredient before products
names as (
    select lower(concept_name) as name, domain_id, arg_min(concept_id, (coalesce(standard_concept, 'Z') <> 'S', concept_class_id <> 'Ingredient', concept_id)) as concept_id
    from {{ ref('stg_omop__concept') }}
    where domain_id in ('Drug', 'Condition')
        and lower(concept_name) in (select lower(drug_name) from landed union all select lower(condition_name) from landed)
    group by all
),

ingredients as (
    select ancestor.descendant_concept_id as concept_id, min(ancestor.ancestor_concept_id) as ingredient_id
    from {{ ref('stg_omop__concept_ancestor') }} as ancestor
    inner join {{ ref('stg_omop__concept') }} as concept on concept.concept_id = ancestor.ancestor_concept_id
    where concept.concept_class_id = 'Ingredient'
    group by all
    having count(distinct ancestor.ancestor_concept_id) = 1
),

resolved as (
    select
        landed.label_row,
        landed.kind,
        landed.source,
        landed.drug_name as landed_drug,
        landed.condition_name as landed_condition,
        coalesce(ingredients.ingredient_id, drug.concept_id) as drug_concept_id,
        condition.concept_id as condition_concept_id,
        coalesce(drug.concept_name, landed.drug_name) as drug_name,
        coalesce(condition.concept_name, landed.condition_name) as condition_name
    from landed
    left join names as drug_found on drug_found.name = lower(landed.drug_name) and drug_found.domain_id = 'Drug'
    left join names as condition_found on condition_found.name = lower(landed.condition_name) and condition_found.domain_id = 'Condition'
    left join {{ ref('stg_omop__concept') }} as drug on drug.concept_id = coalesce(landed.drug_concept_id, drug_found.concept_id)
    left join {{ ref('stg_omop__concept') }} as condition on condition.concept_id = coalesce(landed.condition_concept_id, condition_found.concept_id)
    left join ingredients on ingredients.concept_id = drug.concept_id
)

select
    *,
    case
        when kind is null or kind not in ('contraindication', 'indication') then 'unknown_kind'
        when drug_concept_id is null then 'unknown_drug'
        when condition_concept_id is null then 'unknown_condition'
        when source is null then 'no_source'
        else 'used'
    end as status
from resolved
