{{ config(alias='patient_lists') }}

-- Medication and problem list: what the tables and what the notes say of each drug and condition of a person, side by side. Drugs are
-- rolled up to ingredients where the vocabulary has them. One row a person, domain and entity.
with ingredients as (
    select ancestor.descendant_concept_id as concept_id, ancestor.ancestor_concept_id as ingredient_id
    from {{ ref('stg_omop__concept_ancestor') }} as ancestor
    inner join {{ ref('stg_omop__concept') }} as concept on concept.concept_id = ancestor.ancestor_concept_id
    where concept.concept_class_id = 'Ingredient'
),

costs as (
    select drug_exposure_id, sum(cost) as cost
    from (
        select try_cast(cost_event_id as bigint) as drug_exposure_id, coalesce(try_cast(total_paid as double), try_cast(total_cost as double)) as cost
        from {{ source('landing', 'cost') }}
        where cost_domain_id = 'Drug'
    )
    group by all
),

structured as (
    select
        fact.person_id,
        'drug' as domain,
        coalesce(ingredients.ingredient_id, nullif(fact.drug_concept_id, 0)) as concept_id,
        fact.drug_source_value as source_value,
        min(fact.drug_exposure_start_date) as first_date,
        max(greatest(fact.drug_exposure_start_date, coalesce(fact.drug_exposure_end_date, fact.drug_exposure_start_date))) as last_date,
        count(*) as n_records,
        sum(costs.cost) as recorded_cost
    from {{ ref('stg_omop__drug_exposure') }} as fact
    left join ingredients on ingredients.concept_id = fact.drug_concept_id
    left join costs using (drug_exposure_id)
    where fact.drug_exposure_start_date is not null
    group by all
    union all
    select
        person_id,
        'condition',
        nullif(condition_concept_id, 0),
        condition_source_value,
        min(condition_start_date),
        max(condition_start_date),
        count(*),
        null
    from {{ ref('stg_omop__condition_occurrence') }}
    where condition_start_date is not null
    group by all
),

-- the current text of a note only, and of its extractions the newest
mentions as (
    select
        found.*,
        if(found.entity_type = 'chemical', 'drug', 'condition') as domain,
        if(found.entity_type = 'chemical', coalesce(ingredients.ingredient_id, found.concept_id), found.concept_id) as of_concept
    from {{ source('lake', 'entities_mentions') }} as found
    inner join {{ ref('note_index') }} as note
        on note.note_id = found.note_id and note.batch = found.batch and note.text_sha256 = found.note_sha256
    left join ingredients on ingredients.concept_id = found.concept_id
    qualify found.extracted_at = max(found.extracted_at) over (partition by found.note_id)
),

said as (
    select
        person_id,
        domain,
        coalesce('concept:' || of_concept, entity_key) as entity_key,
        any_value(of_concept) as concept_id,
        count(*) as n_mentions,
        count(distinct note_id) as n_notes,
        count(*) filter (assertion in ('affirmed', 'historical')) as n_affirmed,
        count(*) filter (assertion = 'negated') as n_negated,
        min(note_date) filter (assertion in ('affirmed', 'historical')) as first_date,
        max(note_date) as last_date,
        max_by(
            {'assertion': assertion, 'note_id': note_id, 'start': "start", 'end': "end"},
            (note_date, assertion in ('affirmed', 'historical'), note_id, mention_index)
        ) as latest
    from mentions
    group by person_id, domain, coalesce('concept:' || of_concept, entity_key)
),

recorded as (
    select
        person_id,
        domain,
        coalesce('concept:' || concept_id, 'source:' || coalesce(source_value, '')) as entity_key,
        any_value(concept_id) as concept_id,
        min(first_date) as first_date,
        max(last_date) as last_date,
        sum(n_records) as n_records,
        sum(recorded_cost) as recorded_cost
    from structured
    group by person_id, domain, coalesce('concept:' || concept_id, 'source:' || coalesce(source_value, ''))
)

select
    person_id,
    domain,
    entity_key,
    coalesce(recorded.concept_id, said.concept_id) as concept_id,
    coalesce(concept.concept_name, if(entity_key like 'source:%', entity_key[8:], null)) as name,
    case
        when recorded.person_id is not null and said.n_affirmed > 0 then 'both'
        when recorded.person_id is not null then 'structured_only'
        when said.n_affirmed > 0 then 'text_only'
        else 'not_affirmed'
    end as found_in,
    coalesce(recorded.person_id is not null and said.latest.assertion = 'negated', false) as text_disagrees,
    recorded.first_date as structured_first_date,
    recorded.last_date as structured_last_date,
    cast(coalesce(recorded.n_records, 0) as bigint) as n_records,
    said.first_date as text_first_date,
    said.last_date as text_last_date,
    coalesce(said.n_notes, 0) as n_notes,
    coalesce(said.n_affirmed, 0) as n_affirmed,
    coalesce(said.n_negated, 0) as n_negated,
    said.latest.assertion as last_assertion,
    said.latest.note_id as last_note_id,
    said.latest.start as last_note_start,
    said.latest."end" as last_note_end,
    greatest(recorded.last_date, said.last_date) as last_seen,
    recorded.recorded_cost
from recorded
full join said using (person_id, domain, entity_key)
left join {{ ref('stg_omop__concept') }} as concept on concept.concept_id = coalesce(recorded.concept_id, said.concept_id)
