{{ config(alias='drug_label_findings') }}

-- Drugs of persons against the landed label table: a drug with a condition that the label speaks against, and a drug for none of
-- whose labelled indications there is a record. Only drugs of the label table are judged; without one there is no row, and
-- the check every_row_of_the_label_table_is_used says so. A finding is a reason to look, not an error in treatment.
-- One row a person, label drug, kind of finding and label condition.
with labels as (select * from {{ ref('app_drug_labels') }} where status = 'used'),

of_drug as (
    select distinct drug_concept_id, descendant_concept_id as concept_id
    from labels
    inner join {{ ref('stg_omop__concept_ancestor') }} on ancestor_concept_id = drug_concept_id
    union
    select drug_concept_id, drug_concept_id from labels
),

of_condition as (
    select distinct condition_concept_id, descendant_concept_id as concept_id
    from labels
    inner join {{ ref('stg_omop__concept_ancestor') }} on ancestor_concept_id = condition_concept_id
    union
    select condition_concept_id, condition_concept_id from labels
),

has as (
    select * from {{ ref('app_patient_lists') }} where found_in <> 'not_affirmed' and concept_id is not null
),

takes as (
    select of_drug.drug_concept_id, max_by(has, has.last_seen) as fact
    from has
    inner join of_drug using (concept_id)
    where has.domain = 'drug'
    group by of_drug.drug_concept_id, has.person_id
),

ill as (
    select of_condition.condition_concept_id, max_by(has, has.last_seen) as fact
    from has
    inner join of_condition using (concept_id)
    where has.domain = 'condition'
    group by of_condition.condition_concept_id, has.person_id
),

against as (
    select
        'contraindicated' as finding,
        takes.drug_concept_id,
        labels.drug_name,
        labels.condition_concept_id,
        labels.condition_name,
        labels.source,
        takes.fact as drug,
        ill.fact as condition
    from labels
    inner join takes using (drug_concept_id)
    inner join ill on ill.condition_concept_id = labels.condition_concept_id and ill.fact.person_id = takes.fact.person_id
    where labels.kind = 'contraindication'
    qualify row_number() over (
        partition by takes.fact.person_id, takes.drug_concept_id, labels.condition_concept_id order by labels.label_row
    ) = 1
),

indicated as (
    select distinct takes.drug_concept_id, takes.fact.person_id as person_id
    from labels
    inner join takes using (drug_concept_id)
    inner join ill on ill.condition_concept_id = labels.condition_concept_id and ill.fact.person_id = takes.fact.person_id
    where labels.kind = 'indication'
),

off_label as (
    select
        'no_indication_on_record' as finding,
        takes.drug_concept_id,
        any_value(labels.drug_name) as drug_name,
        string_agg(distinct labels.condition_name, ' | ' order by labels.condition_name) as condition_name,
        string_agg(distinct labels.source, ' | ' order by labels.source) as source,
        takes.fact as drug
    from takes
    inner join labels on labels.drug_concept_id = takes.drug_concept_id and labels.kind = 'indication'
    anti join indicated on indicated.drug_concept_id = takes.drug_concept_id and indicated.person_id = takes.fact.person_id
    group by takes.drug_concept_id, takes.fact
),

findings as (
    select * from against
    union all by name
    select * from off_label
)

select
    drug.person_id as person_id,
    finding,
    drug_concept_id,
    drug_name,
    condition_concept_id,
    condition_name,
    source as label_source,
    drug.found_in as drug_found_in,
    drug.concept_id as drug_fact_concept_id,
    drug.structured_last_date as drug_last_record,
    drug.last_note_id as drug_note_id,
    drug.last_note_start as drug_note_start,
    drug.last_note_end as drug_note_end,
    condition.found_in as condition_found_in,
    condition.concept_id as condition_fact_concept_id,
    condition.structured_last_date as condition_last_record,
    condition.last_note_id as condition_note_id,
    condition.last_note_start as condition_note_start,
    condition.last_note_end as condition_note_end
from findings
