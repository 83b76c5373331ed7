{{ config(alias='drug_event_counts') }}

-- Two-by-two tables of drugs and events; the unit is a person with at least one drug. structured: a first record of a condition in
-- the study's days after the first record of a drug. notes: the relation model holds that an affirmed sentence says so;
-- notes_wording: the sentence is worded as causing, whatever the model holds.
-- One row a source, drug and event that were seen together.
{% set days = param('safety_event_within_days') %}
with listed as (select * from {{ ref('app_patient_lists') }}),

drugs as (
    select 'structured' as source, person_id, entity_key as drug_key, structured_first_date as first_date
    from listed where domain = 'drug' and structured_first_date is not null
    union all
    select unnest(['notes', 'notes_wording']), person_id, entity_key, text_first_date from listed where domain = 'drug' and n_affirmed > 0
),

ingredients as (
    select ancestor.descendant_concept_id as concept_id, 'concept:' || ancestor.ancestor_concept_id as entity_key
    from {{ ref('stg_omop__concept_ancestor') }} as ancestor
    inner join {{ ref('stg_omop__concept') }} as concept on concept.concept_id = ancestor.ancestor_concept_id
    where concept.concept_class_id = 'Ingredient'
),

pairs as (
    select distinct 'structured' as source, drug.person_id, drug.drug_key, event.entity_key as event_key
    from drugs as drug
    inner join listed as event
        on event.person_id = drug.person_id
        and event.domain = 'condition'
        and event.structured_first_date > drug.first_date
        and event.structured_first_date <= drug.first_date + {{ days }}
    where drug.source = 'structured'
    union all
    select distinct source, person_id, drug_key, event_key
    from (
        select
            unnest(list_filter([if(said.value, 'notes', null), if(said.wording = 'causes', 'notes_wording', null)], lambda way: way is not null)) as source,
            said.person_id,
            coalesce(ingredients.entity_key, said.chemical_key) as drug_key,
            said.disease_key as event_key
        from {{ source('lake', 'entities_relations') }} as said
        inner join {{ ref('note_index') }} as note
            on note.note_id = said.note_id and note.batch = said.batch and note.text_sha256 = said.note_sha256
        left join ingredients on ingredients.concept_id = said.chemical_concept_id
        where said.chemical_assertion in ('affirmed', 'historical') and said.disease_assertion in ('affirmed', 'historical')
    )
),

exposed as (
    select source, person_id, drug_key from drugs
    union
    select source, person_id, drug_key from pairs
),

persons_with_event as (select distinct source, person_id, event_key from pairs),

totals as (select source, count(distinct person_id) as n from exposed group by all),
per_drug as (select source, drug_key, count(*) as n from exposed group by all),
per_event as (select source, event_key, count(*) as n from persons_with_event group by all),

-- persons with the drug and with the event after any drug: they are not among those without the drug
with_drug_and_any as (
    select source, exposed.drug_key, event.event_key, count(*) as n
    from exposed
    inner join persons_with_event as event using (source, person_id)
    group by all
),

together as (select source, drug_key, event_key, count(*) as n from pairs group by all)

select
    together.source,
    together.drug_key,
    together.event_key,
    drug.concept_name as drug_name,
    event.concept_name as event_name,
    together.n as a,
    per_drug.n - together.n as b,
    per_event.n - with_drug_and_any.n as c,
    totals.n - per_drug.n - (per_event.n - with_drug_and_any.n) as d,
    {{ param('safety_minimum_reports') }} as minimum_reports
from together
inner join totals using (source)
inner join per_drug using (source, drug_key)
inner join per_event using (source, event_key)
inner join with_drug_and_any using (source, drug_key, event_key)
left join {{ ref('stg_omop__concept') }} as drug on 'concept:' || drug.concept_id = together.drug_key
left join {{ ref('stg_omop__concept') }} as event on 'concept:' || event.concept_id = together.event_key
